//! The state of servers whose agent tells nothing by itself: a game that ends there, or was ended from outside, is silent,
//! and after a restart of the panel nobody says what runs. So the agent is asked, by `get_status`, one server at a time
//! and seldom. Of its answer only the container's state counts; the resources in it are invented.

use std::sync::Arc;

use agent::protocol::{ServerRef, ServerStatus, Status, ToAgent};
use tokio::sync::oneshot;

use super::{Completion, LegacyRequest, Told};
use crate::agents::differences::Difference;
use crate::agents::registry::Agents;
use crate::agents::session::{RequestError, Session};

/// Questions in a row without an answer after which an agent is not asked any more.
const GIVE_UP: u32 = 3;

impl Agents {
    /// Asks for the states of a node's servers for as long as this session lasts: those that are unknown at once, each
    /// after the other, then one at a time in turn.
    pub(in crate::agents) fn poll_states(&self, session: &Arc<Session>) {
        let (agents, session) = (self.clone(), Arc::clone(session));
        drop(self.0.tasks.spawn("state-poll", async move {
            let mut unanswered = 0;
            let mut last = String::new();
            // What it is given first goes first.
            tokio::time::sleep(agents.0.times.state_poll / 30).await;
            while unanswered < GIVE_UP && !session.ended().is_cancelled() {
                let (next, unknown) = agents.next_to_poll(session.node_id(), &last);
                if let Some(server_id) = next {
                    match agents.ask_state(&session, &server_id).await {
                        Err(RequestError::Timeout(_)) => unanswered += 1,
                        _ => unanswered = 0,
                    }
                    last = server_id;
                }
                let wait =
                    if unknown > 1 { agents.0.times.state_poll / 30 } else { agents.0.times.state_poll };
                tokio::select! {
                    () = session.ended().cancelled() => return,
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }));
    }

    /// The next server after `last`, those of unknown state first; and how many of these there are.
    fn next_to_poll(&self, node_id: &str, last: &str) -> (Option<String>, usize) {
        let state = self.lock();
        let missing =
            |id: &str| state.nodes.get(node_id).is_some_and(|node| node.differences.contains_key(id));
        let given = state
            .servers
            .iter()
            .filter(|(id, server)| server.node_id == node_id && server.handed_over && !missing(id));
        let mut given: Vec<(&String, bool)> =
            given.map(|(id, server)| (id, server.status.is_none())).collect();
        let unknown = given.iter().filter(|(_, unknown)| *unknown).count();
        if unknown > 0 {
            given.retain(|(_, unknown)| *unknown);
        }
        given.sort_unstable();
        let after = given.iter().find(|(id, _)| id.as_str() > last);
        (after.or(given.first()).map(|(id, _)| (*id).clone()), unknown)
    }

    async fn ask_state(&self, session: &Arc<Session>, server_id: &str) -> Result<(), RequestError> {
        if session.in_flight.is_busy(server_id) {
            return Ok(());
        }
        let translate = LegacyRequest {
            message: ToAgent::ServerDescribe(ServerRef { server_id: server_id.to_owned() }),
            server_id: Some(server_id.to_owned()),
            goal: Completion::State,
            deadline: self.0.times.answer,
        };
        let (answer, heard) = oneshot::channel();
        let ((), outcome) = tokio::join!(session.ask_part_one(translate, answer), heard);
        outcome.unwrap_or(Err(RequestError::Offline)).map(drop)
    }

    /// What a response has told of a server.
    pub(in crate::agents) fn told(&self, session: &Session, told: Told) {
        let node_id = session.node_id();
        match told {
            Told::Is(mut status) => {
                let known = self.server(&status.server_id).status.map(|known| known.status);
                if known.as_ref() == Some(&status.status) {
                    return;
                }
                match (&known, &status.status) {
                    (Some(known), Status::Stopping) => {
                        session.in_flight.set_before(&status.server_id, known.clone());
                    }
                    (Some(Status::Running), Status::Stopped) => {
                        let why = "It ended, and its agent did not say when or why.";
                        status.error = Some(why.to_owned());
                    }
                    _ => {}
                }
                self.server_status(node_id, &status);
            }
            Told::Failed { server_id, reason } => {
                let Some(before) = session.in_flight.take_before(&server_id) else { return };
                let mut status = ServerStatus::new(server_id, before);
                status.error = Some(format!("It could not be killed: {}", super::brief(&reason)));
                self.server_status(node_id, &status);
            }
            Told::Missing(server_id) => {
                let mut state = self.lock();
                if let Some(node) = state.nodes.get_mut(node_id) {
                    node.differences.insert(server_id.clone(), Difference::missing());
                }
                drop(state);
                self.0.changes.server(&server_id);
                self.0.changes.node(node_id);
            }
        }
    }
}
