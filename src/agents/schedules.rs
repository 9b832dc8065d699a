//! Sends the schedules of servers to their nodes, which keep and run them.

use std::time::Duration;

use protocol::{NodeId, PlayersQuery, Schedule, SchedulesSet, ServerId, ToAgent, capability};
use storage::schedules::ServerSchedules;

use super::Agents;
use super::error::RequestError;
use super::reconcile::Reconciler;
use super::session::Session;

/// How long an agent may take to write them.
const WITHIN: Duration = Duration::from_secs(30);

impl Agents {
    /// Sends the schedules of a server to its node.
    ///
    /// # Errors
    /// [`RequestError::Offline`], after which the next sync does it, or what the node has against them.
    pub async fn send_schedules(&self, server_id: &ServerId, node_id: &NodeId) -> Result<(), RequestError> {
        let session = self.session(node_id)?;
        self.0.reconciler.send_schedules(&session, server_id).await
    }
}

impl Reconciler {
    /// Sends a server's schedules, if there ever were any. An agent that has them as they are does nothing.
    pub(super) async fn send_schedules(
        &self,
        session: &Session,
        server_id: &ServerId,
    ) -> Result<(), RequestError> {
        let registry = self.registry();
        let able = {
            let state = registry.lock();
            let system = state.nodes.get(session.node_id()).and_then(|node| node.system.as_ref());
            system.is_some_and(|system| system.capabilities.iter().any(|name| name == capability::SCHEDULES))
        };
        if !able {
            return Ok(());
        }
        let kept = match registry.store.read_now(|tx| storage::schedules::get(tx, server_id)) {
            Ok(kept) => kept,
            Err(error) => {
                tracing::error!(server = %server_id, %error, "could not read a server's schedules");
                return Ok(());
            }
        };
        let Some(kept) = kept else { return Ok(()) };
        let sent = session.ask(ToAgent::SchedulesSet(Box::new(message(server_id, &kept))), WITHIN).await;
        if let Err(error) = &sent
            && registry.may_log(session.node_id(), "schedules")
        {
            tracing::warn!(server = %server_id, %error, "a node did not take a server's schedules");
        }
        sent.map(drop)
    }
}

fn message(server_id: &ServerId, kept: &ServerSchedules) -> SchedulesSet {
    let read =
        |schedule: &storage::schedules::Schedule| serde_json::from_str::<Schedule>(&schedule.plan).ok();
    let players = kept.players.as_deref().and_then(|text| serde_json::from_str::<PlayersQuery>(text).ok());
    SchedulesSet {
        server_id: server_id.clone(),
        schedules: kept.schedules.iter().filter_map(read).collect(),
        players,
    }
}
