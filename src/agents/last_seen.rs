//! Stores when each node was last heard, so that a restarted panel can show it for nodes that are offline.

use std::collections::HashMap;
use std::time::Duration;

use protocol::NodeId;
use storage::Millis;

use super::registry::Registry;
use super::state::{LOCAL_NODE_ID, NodeState};

/// Interval between two checks.
const CHECK_EVERY: Duration = Duration::from_secs(60);
/// How old the stored time of a connected node may get, in milliseconds. A commit writes 40 kB, so one a minute would
/// be most of what an idle panel writes, and only a panel that was killed needs the value.
const LATE: Millis = 10 * 60 * 1000;

/// Runs until the panel stops. Stores the times of disconnected nodes soon, of connected nodes rarely, and of all at
/// the end.
pub(super) async fn keep(registry: &Registry) {
    let token = registry.tasks.token();
    let mut stored = heard(registry);
    let mut every = tokio::time::interval(CHECK_EVERY);
    every.tick().await;
    loop {
        let ends = tokio::select! {
            () = token.cancelled() => true,
            _ = every.tick() => false,
        };
        let due = all_due(registry, &stored, ends);
        if !due.is_empty() {
            let write = due.clone();
            let write = registry.store.write(move |tx| storage::nodes::set_last_seen_many(tx, &write)).await;
            match write {
                Ok(()) => stored.extend(due),
                Err(error) => tracing::debug!(%error, "could not store when nodes were last seen"),
            }
        }
        if ends {
            return;
        }
    }
}

fn heard(registry: &Registry) -> HashMap<NodeId, Millis> {
    let state = registry.lock();
    state.nodes.iter().filter_map(|(id, node)| Some((id.clone(), node.last_heard?))).collect()
}

/// All times that are due. Leaves out this machine's own node, which is always down and up together with the panel.
fn all_due(registry: &Registry, stored: &HashMap<NodeId, Millis>, ends: bool) -> Vec<(NodeId, Millis)> {
    let state = registry.lock();
    let others = state.nodes.iter().filter(|(id, _)| *id != LOCAL_NODE_ID);
    others.filter_map(|(id, node)| Some((id.clone(), due(node, stored.get(id).copied(), ends)?))).collect()
}

/// The time to store for a node; `None` if no write is due.
fn due(node: &NodeState, stored: Option<Millis>, ends: bool) -> Option<Millis> {
    let heard = node.last_heard?;
    let due = match stored {
        None => true,
        Some(stored) if ends || node.session.is_none() => heard > stored,
        // Absolute, so that a clock that was set back does not delay the write.
        Some(stored) => (heard - stored).abs() >= LATE,
    };
    due.then_some(heard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::tests::World;

    #[tokio::test]
    async fn connected_nodes_are_stored_seldom_and_lost_ones_at_once() {
        let world = World::new().await;
        let (session, _queue) = world.agents.attach(&"far".into());
        let registry = world.agents.registry();
        let set = |heard: Millis| {
            registry.lock().nodes.get_mut("far").unwrap().last_heard = Some(heard);
        };
        let due = |stored: Option<Millis>, ends| {
            let stored = stored.map(|at| (NodeId::from("far"), at)).into_iter().collect();
            all_due(registry, &stored, ends)
        };
        let far = |at: Millis| vec![(NodeId::from("far"), at)];
        set(1_000_000);
        assert_eq!(due(None, false), far(1_000_000), "for the first time");
        assert_eq!(due(Some(1_000_000 - LATE + 1), false), [], "it is connected");
        assert_eq!(due(Some(1_000_000 - LATE), false), far(1_000_000));
        assert_eq!(due(Some(999_999), true), far(1_000_000), "the panel ends");
        assert_eq!(due(Some(1_000_000), true), []);
        world.agents.detach(&session);
        assert_eq!(due(Some(999_999), false), far(1_000_000), "it is gone");
        assert_eq!(due(Some(1_000_000), false), []);
    }
}
