//! Makes what an agent has what the store says it should have: at every `sync`, so after each connection. What an agent
//! had and lost is not made again by itself: somebody decides, see `differences`.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use agent::protocol::{ServerRef, Status, ToAgent};
use storage::servers::Server;

use super::convert::{create_message, update_message};
use super::registry::Agents;
use super::session::{RequestError, Session};
use crate::error::{ApiError, Code};

/// How long an agent may take to take a server over. Not for the fetch of its image, which it does afterwards.
pub(super) const TAKE_OVER: Duration = Duration::from_secs(30);
/// How long somebody who changed settings waits for the agent to have them.
const WAIT_FOR_UPDATE: Duration = Duration::from_secs(1);

impl Agents {
    /// Creates what was never handed over, updates what is there. In the background; the agent compares and does nothing
    /// where nothing differs.
    pub(super) fn reconcile(&self, session: &Arc<Session>, has: HashMap<String, Status>) {
        {
            let mut settling = session.settling.lock().unwrap_or_else(PoisonError::into_inner);
            settling.next = Some(has);
            // An agent that sends one sync after another gets one comparison after another, not all at once.
            if std::mem::replace(&mut settling.running, true) {
                return;
            }
        }
        let (agents, session) = (self.clone(), Arc::clone(session));
        drop(self.0.tasks.spawn("reconcile", async move {
            while let Some(has) = next_to_settle(&session) {
                agents.settle(&session, has).await;
            }
        }));
    }

    async fn settle(&self, session: &Arc<Session>, has: HashMap<String, Status>) {
        let node_id = session.node_id().to_owned();
        let listed = self.0.store.read(move |tx| storage::servers::list_by_node(tx, &node_id)).await;
        let wanted = match listed {
            Ok(wanted) => wanted,
            Err(error) => {
                tracing::error!(node = session.node_id(), %error, "could not read which servers a node should have");
                return;
            }
        };
        // What is being deleted is nobody's to make or to change.
        for server in wanted.into_iter().filter(|server| server.deleting.is_none()) {
            if session.ended().is_cancelled() {
                return;
            }
            self.settle_server(session, &server, has.get(&server.id)).await;
        }
    }

    async fn settle_server(&self, session: &Session, server: &Server, status: Option<&Status>) {
        let outcome = match status {
            None if server.handed_over => return,
            None => {
                if self.may_log(session.node_id(), "gets") {
                    tracing::info!(node = session.node_id(), server = server.id, "the node gets this server");
                }
                self.hand_over(session, server).await;
                return;
            }
            Some(status) => {
                let update = ToAgent::ServerUpdate(Box::new(update_message(server)));
                let suspended = *status == Status::Suspended;
                let reference = ServerRef { server_id: server.id.clone() };
                let mut outcome = session.ask(update, TAKE_OVER).await.map(drop);
                if outcome.is_ok() && server.suspended != suspended {
                    let message = if server.suspended {
                        ToAgent::ServerSuspend(reference)
                    } else {
                        ToAgent::ServerUnsuspend(reference)
                    };
                    outcome = session.ask(message, TAKE_OVER).await.map(drop);
                }
                outcome
            }
        };
        if let Err(error) = &outcome
            && self.may_log(session.node_id(), "update")
        {
            tracing::warn!(node = session.node_id(), server = server.id, %error, "could not update a server on its node");
        }
        self.note_update(server, outcome.as_ref().err());
    }

    /// Gives a server that its agent does not have to the agent.
    async fn hand_over(&self, session: &Session, server: &Server) {
        let message = ToAgent::ServerCreate(Box::new(create_message(server)));
        let outcome = match session.ask(message, TAKE_OVER).await {
            // It has it already: it was handed over, and that was forgotten on the way. What it should be may be news.
            Err(RequestError::Refused(refused)) if refused.code == Code::Conflict.as_str() => {
                let update = ToAgent::ServerUpdate(Box::new(update_message(server)));
                let outcome = session.ask(update, TAKE_OVER).await;
                // It has not: the conflict was another one.
                outcome.map_err(|error| match error {
                    RequestError::Refused(report) if report.code == Code::NotFound.as_str() => {
                        RequestError::Refused(refused)
                    }
                    other => other,
                })
            }
            outcome => outcome,
        };
        match outcome {
            Ok(_) => self.note_handed_over(vec![server.id.clone()]),
            // It comes again with the next sync.
            Err(RequestError::Offline) => {}
            Err(error) => {
                if self.may_log(session.node_id(), "create") {
                    tracing::warn!(node = session.node_id(), server = server.id, %error, "a node did not take a server over");
                }
                self.note_failed(&server.id, ApiError::from(error).message());
            }
        }
    }

    /// Tells the agent of a new server, in the background. Where it is offline, the next sync does it.
    pub fn create(&self, server: Server) {
        let Ok(session) = self.session(&server.node_id) else { return };
        let agents = self.clone();
        drop(self.0.tasks.spawn("server-create", async move { agents.hand_over(&session, &server).await }));
    }

    /// Tells the agent of changed settings. Where it is offline, the next sync does it. Waits a moment for the agent to
    /// have them, so that the caller sees what they mean for the running game.
    pub async fn update(&self, server_id: &str, node_id: &str) {
        let Ok(session) = self.session(node_id) else { return };
        // Read again: of two changes at once the one that was written last has to be told last.
        let Ok(Some(server)) = self.0.store.read_now(|tx| storage::servers::get(tx, server_id)) else {
            return;
        };
        if server.deleting.is_some() {
            return;
        }
        let asked = session.ask_at_once(ToAgent::ServerUpdate(Box::new(update_message(&server))), TAKE_OVER);
        let (told, heard) = tokio::sync::oneshot::channel();
        let agents = self.clone();
        drop(self.0.tasks.spawn("server-update", async move {
            let outcome = match asked {
                Ok(answer) => answer.await.map(drop),
                Err(error) => Err(error),
            };
            if let Err(error) = &outcome {
                tracing::warn!(server = server.id, %error, "could not tell a node of changed settings");
            }
            agents.note_update(&server, outcome.as_ref().err());
            // Nobody waiting any more is fine.
            let _ = told.send(());
        }));
        drop(tokio::time::timeout(WAIT_FOR_UPDATE, heard).await);
    }
}

/// The newest sync that nobody has looked at; `None` ends the comparing.
fn next_to_settle(session: &Session) -> Option<HashMap<String, Status>> {
    let mut settling = session.settling.lock().unwrap_or_else(PoisonError::into_inner);
    let next = settling.next.take();
    settling.running = next.is_some();
    next
}
