//! Polls the state of servers on legacy agents. These report nothing when a game ends by itself or is stopped from
//! outside, nor after the panel was restarted. So the panel sends `get_status`, for one server at a time and rarely.
//! Only the container state in the answer is used; its resource figures are made up.

use super::adapter::Adapter;
use super::requests::LegacyRequest;
use crate::agents::error::RequestError;
use crate::agents::registry::Registry;
use protocol::{NodeId, ServerId};

/// After this many requests in a row without an answer the agent is no longer polled.
const GIVE_UP: u32 = 3;

/// Polls a node's servers until the session ends: first all servers of unknown state, one after the other, then each in
/// turn.
pub(in crate::agents) fn start(adapter: &Adapter) {
    let adapter = adapter.clone();
    let tasks = adapter.shared.registry.tasks.clone();
    drop(tasks.spawn("state-poll", async move {
        let (registry, session) = (&adapter.shared.registry, &adapter.session);
        let pause = registry.times.legacy.state_poll;
        let mut unanswered = 0;
        let mut last = ServerId::default();
        // Lets requests that are sent on connect go first.
        tokio::time::sleep(pause / 30).await;
        while unanswered < GIVE_UP && !session.ended().is_cancelled() {
            let (next, unknown) = next_to_poll(registry, session.node_id(), &last);
            if let Some(server_id) = next {
                match ask_state(&adapter, &server_id).await {
                    Err(RequestError::Timeout(_)) => unanswered += 1,
                    _ => unanswered = 0,
                }
                last = server_id;
            }
            let wait = if unknown > 1 { pause / 30 } else { pause };
            tokio::select! {
                () = session.ended().cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }));
}

/// The next server after `last`, those of unknown state first, and how many of these there are.
fn next_to_poll(registry: &Registry, node_id: &NodeId, last: &str) -> (Option<ServerId>, usize) {
    let state = registry.lock();
    let missing = |id: &str| state.nodes.get(node_id).is_some_and(|node| node.differences.contains_key(id));
    let given = state.on(node_id).filter(|(id, server)| server.handed_over && !missing(id));
    let mut given: Vec<(&ServerId, bool)> = given.map(|(id, server)| (id, server.status.is_none())).collect();
    let unknown = given.iter().filter(|(_, unknown)| *unknown).count();
    if unknown > 0 {
        given.retain(|(_, unknown)| *unknown);
    }
    given.sort_unstable();
    let after = given.iter().find(|(id, _)| id.as_str() > last);
    (after.or(given.first()).map(|(id, _)| (*id).clone()), unknown)
}

async fn ask_state(adapter: &Adapter, server_id: &ServerId) -> Result<(), RequestError> {
    if adapter.is_busy(server_id) {
        return Ok(());
    }
    let deadline = adapter.shared.registry.times.legacy.answer;
    adapter.ask_now(LegacyRequest::state(server_id, deadline)).await.map(drop)
}
