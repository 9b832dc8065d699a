//! Brings the servers of an agent in line with the store, at every `sync`, and so after each connection. A server that
//! the agent had and lost is not created again automatically: the user decides (see `differences`), and the actions for
//! that are here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::{
    ErrorCode, NodeId, ServerDescription, ServerId, ServerRef, Status, ToAgent, ToPanel, capability,
};
use storage::servers::Server;

use super::convert::{create_message, update_message};
use super::error::RequestError;
use super::registry::Registry;
use super::session::Session;
use crate::error::ApiError;

/// How long an agent may take to accept a server. The image is pulled afterwards and does not count.
const HAND_OVER: Duration = Duration::from_secs(30);
/// How long a caller who changed settings waits for the agent to apply them.
const WAIT_FOR_UPDATE: Duration = Duration::from_secs(1);

/// Compares the servers of nodes with the store. Cheap to clone.
#[derive(Clone)]
pub(super) struct Reconciler(Arc<Inner>);

struct Inner {
    registry: Arc<Registry>,
    /// Running comparisons, by session number.
    runs: Mutex<HashMap<u64, Run>>,
}

/// A session runs one comparison at a time. Of the syncs that arrive meanwhile only the last is compared.
#[derive(Default)]
struct Run {
    running: bool,
    /// Status of each of the node's servers in the next sync to compare.
    next: Option<HashMap<ServerId, Status>>,
}

impl Reconciler {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        Self(Arc::new(Inner { registry, runs: Mutex::default() }))
    }

    /// Creates servers that were never handed over and updates the others, in the background. The agent ignores updates
    /// that change nothing.
    pub(super) fn reconcile(&self, session: &Arc<Session>, has: HashMap<ServerId, Status>) {
        let mut runs = self.runs();
        let run = runs.entry(session.number()).or_default();
        run.next = Some(has);
        // Syncs that follow each other quickly are compared one after the other.
        if std::mem::replace(&mut run.running, true) {
            return;
        }
        drop(runs);
        let (reconciler, session) = (self.clone(), Arc::clone(session));
        drop(self.0.registry.tasks.spawn("reconcile", async move {
            while let Some(has) = reconciler.next(&session) {
                reconciler.compare(&session, has).await;
            }
        }));
    }

    /// The newest sync not compared yet; `None` ends the run.
    fn next(&self, session: &Session) -> Option<HashMap<ServerId, Status>> {
        let mut runs = self.runs();
        let next = runs.get_mut(&session.number()).and_then(|run| run.next.take());
        if next.is_none() {
            runs.remove(&session.number());
        }
        next
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<u64, Run>> {
        self.0.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    async fn compare(&self, session: &Session, has: HashMap<ServerId, Status>) {
        let node_id = session.node_id().to_owned();
        let listed = self.0.registry.store.read(move |tx| storage::servers::list_by_node(tx, &node_id)).await;
        let wanted = match listed {
            Ok(wanted) => wanted,
            Err(error) => {
                tracing::error!(node = %session.node_id(), %error, "could not read which servers a node should have");
                return;
            }
        };
        // Servers that are being deleted are left alone.
        for server in wanted.into_iter().filter(|server| server.deleting.is_none()) {
            if session.ended().is_cancelled() {
                return;
            }
            match has.get(&server.id) {
                Some(status) => {
                    self.bring_up_to_date(session, &server, status).await;
                    // A failure is logged there.
                    let _ = self.send_schedules(session, &server.id).await;
                }
                None if server.handed_over => {}
                None => {
                    if self.0.registry.may_log(session.node_id(), "gets") {
                        tracing::info!(
                            node = %session.node_id(),
                            server = %server.id,
                            "the node gets this server"
                        );
                    }
                    self.hand_over(session, &server).await;
                    let _ = self.send_schedules(session, &server.id).await;
                }
            }
        }
    }

    /// Sends a server's settings to an agent that has it.
    async fn bring_up_to_date(&self, session: &Session, server: &Server, status: &Status) {
        let update = ToAgent::ServerUpdate(Box::new(update_message(server)));
        let suspended = *status == Status::Suspended;
        let reference = ServerRef { server_id: server.id.clone() };
        let mut outcome = session.ask(update, HAND_OVER).await.map(drop);
        if outcome.is_ok() && server.suspended != suspended {
            let message = if server.suspended {
                ToAgent::ServerSuspend(reference)
            } else {
                ToAgent::ServerUnsuspend(reference)
            };
            outcome = session.ask(message, HAND_OVER).await.map(drop);
        }
        if let Err(error) = &outcome
            && self.0.registry.may_log(session.node_id(), "update")
        {
            tracing::warn!(node = %session.node_id(), server = %server.id, %error, "could not update a server on its node");
        }
        self.0.registry.note_update(server, outcome.as_ref().err());
    }

    /// Creates a server on an agent that does not have it.
    async fn hand_over(&self, session: &Session, server: &Server) {
        let registry = &self.0.registry;
        let message = ToAgent::ServerCreate(Box::new(create_message(server)));
        let outcome = match session.ask(message, HAND_OVER).await {
            // The agent has it already because the answer to an earlier request was lost. Its settings may be older.
            Err(RequestError::Refused(refused)) if refused.code == ErrorCode::Conflict => {
                let update = ToAgent::ServerUpdate(Box::new(update_message(server)));
                let outcome = session.ask(update, HAND_OVER).await;
                // It does not exist there: the conflict had another cause.
                outcome.map_err(|error| match error {
                    RequestError::Refused(report) if report.code == ErrorCode::NotFound => {
                        RequestError::Refused(refused)
                    }
                    other => other,
                })
            }
            outcome => outcome,
        };
        match outcome {
            Ok(_) => registry.note_handed_over(vec![server.id.clone()]),
            // The next sync tries again.
            Err(RequestError::Offline) => {}
            Err(error) => {
                if registry.may_log(session.node_id(), "create") {
                    tracing::warn!(node = %session.node_id(), server = %server.id, %error, "a node did not take a server over");
                }
                registry.note_failed(&server.id, ApiError::from(error).message());
            }
        }
    }

    /// Sends a new server to its agent, in the background. If the agent is offline, the next sync does it.
    pub(super) fn create(&self, server: Server) {
        let Ok(session) = self.0.registry.session(&server.node_id) else { return };
        let reconciler = self.clone();
        drop(self.0.registry.tasks.spawn("server-create", async move {
            reconciler.hand_over(&session, &server).await;
        }));
    }

    /// Sends changed settings to the agent. If the agent is offline, the next sync does it. Waits a moment for the
    /// result, so that the caller sees what the settings mean for the running game.
    pub(super) async fn update(&self, server_id: &ServerId, node_id: &NodeId) {
        let registry = Arc::clone(&self.0.registry);
        let Ok(session) = registry.session(node_id) else { return };
        // Read again, so that of two concurrent changes the last one written is also the last one sent.
        let Ok(Some(server)) = registry.store.read_now(|tx| storage::servers::get(tx, server_id)) else {
            return;
        };
        if server.deleting.is_some() {
            return;
        }
        let asked = session.ask_at_once(ToAgent::ServerUpdate(Box::new(update_message(&server))), HAND_OVER);
        let (done, finished) = tokio::sync::oneshot::channel();
        let tasks = registry.tasks.clone();
        drop(tasks.spawn("server-update", async move {
            let outcome = match asked {
                Ok(answer) => answer.await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = &outcome {
                tracing::warn!(server = %server.id, %error, "could not tell a node of changed settings");
            }
            registry.note_update(&server, outcome.as_ref().err());
            // The caller may have given up.
            let _ = done.send(());
        }));
        drop(tokio::time::timeout(WAIT_FOR_UPDATE, finished).await);
    }

    /// Creates a server that its node has lost again, with an empty folder.
    pub(super) async fn recreate(&self, server: &Server) -> Result<(), RequestError> {
        let message = ToAgent::ServerCreate(Box::new(create_message(server)));
        self.ask(&server.node_id, message, HAND_OVER).await?;
        self.0.registry.note_resolved(&server.node_id, &server.id);
        self.0.registry.note_handed_over(vec![server.id.clone()]);
        Ok(())
    }

    /// Sends settings again that the node refused before.
    pub(super) async fn apply(&self, server: &Server) -> Result<(), RequestError> {
        let message = ToAgent::ServerUpdate(Box::new(update_message(server)));
        let outcome = self.ask(&server.node_id, message, HAND_OVER).await;
        self.0.registry.note_update(server, outcome.as_ref().err());
        outcome.map(drop)
    }

    /// Deletes a server on a node that is unknown to the panel.
    pub(super) async fn remove_unknown(
        &self,
        node_id: &NodeId,
        server_id: &ServerId,
        within: Duration,
    ) -> Result<(), RequestError> {
        let message = ToAgent::ServerDelete(ServerRef { server_id: server_id.to_owned() });
        match self.ask(node_id, message, within).await {
            Ok(_) => {}
            Err(RequestError::Refused(report)) if report.code == ErrorCode::NotFound => {}
            Err(error) => return Err(error),
        }
        self.0.registry.note_resolved(node_id, server_id);
        Ok(())
    }

    /// Asks a node for the settings of a server that is unknown to the panel. `None` if the agent does not support
    /// that.
    pub(super) async fn describe(
        &self,
        node_id: &NodeId,
        server_id: &ServerId,
    ) -> Result<Option<ServerDescription>, RequestError> {
        let able = {
            let state = self.0.registry.lock();
            let system = state.nodes.get(node_id).and_then(|node| node.system.as_ref());
            system.is_some_and(|system| system.capabilities.iter().any(|name| name == capability::DESCRIBE))
        };
        if !able {
            return Ok(None);
        }
        let message = ToAgent::ServerDescribe(ServerRef { server_id: server_id.to_owned() });
        match self.ask(node_id, message, HAND_OVER).await? {
            ToPanel::ServerDescription(answer) if answer.spec.server_id == server_id => Ok(Some(*answer)),
            _ => Err(RequestError::Unfitting),
        }
    }

    async fn ask(
        &self,
        node_id: &NodeId,
        message: ToAgent,
        within: Duration,
    ) -> Result<ToPanel, RequestError> {
        self.0.registry.session(node_id)?.ask(message, within).await
    }
}
