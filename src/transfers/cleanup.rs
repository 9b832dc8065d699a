//! The rest of a transfer once it is decided where the server belongs: the server is started there, and its data is
//! removed from the other node. If a node is offline, this is done when it is back, however long that takes.

use std::time::Duration;

use protocol::{ErrorCode, NodeId, PowerAction, ServerId, ServerPower, ServerRef, Status, ToAgent};
use storage::transfers::Step;

use super::Transfers;
use super::tracker::Live;
use super::views::TransferStep;
use crate::agents::RequestError;

/// Time for an agent to perform a power action or to discard received data.
const SOON: Duration = Duration::from_secs(30);
/// Time for removing a server.
const REMOVAL: Duration = Duration::from_secs(150);

/// Result of an attempt to start the server.
enum Started {
    Yes,
    NotYet,
    Never(String),
}

impl Transfers {
    /// Does what is possible now. Returns true when nothing is left.
    pub(super) async fn settled(&self, live: &Live) -> bool {
        match live.record().step {
            Step::InProgress | Step::Done => true,
            Step::Switched => self.finished(live).await,
            Step::Failed => self.undone(live).await,
        }
    }

    /// The server belongs to its new node.
    async fn finished(&self, live: &Live) -> bool {
        let record = live.record();
        let (id, from, to) = (&record.server_id, &record.from, &record.to);
        let mut complaint = record.error.clone();
        if record.ran {
            self.step(live, TransferStep::Starting);
            match self.start(id, to).await {
                Started::NotYet => return false,
                Started::Yes => {}
                Started::Never(why) => {
                    complaint = Some(format!("It has moved, but could not be started: {why}"));
                }
            }
            // From now on, a stop is the user's intention and must not be undone by a restart.
            let mut started = record.clone();
            (started.ran, started.error) = (false, complaint.clone());
            if self.write(live, started).await.is_err() {
                return false;
            }
        }
        self.step(live, TransferStep::Removing);
        for node in record.leftovers.iter().chain([from]) {
            if let Err(error) = self.clean(id, node).await {
                tracing::debug!(server = %id, %node, %error, "removing what has moved away");
                return false;
            }
        }
        let mut done = live.record();
        (done.step, done.leftovers) = (Step::Done, Vec::new());
        let written = done.clone();
        let write = self.store.write(move |tx| {
            storage::transfers::update(tx, &written)?;
            storage::transfers::finish(tx, &written.server_id)
        });
        if let Err(error) = write.await
            && !matches!(error, storage::Error::NotFound { .. })
        {
            return false;
        }
        live.set_record(done);
        self.step(live, TransferStep::Done);
        true
    }

    /// The server stays on its old node.
    async fn undone(&self, live: &Live) -> bool {
        let mut record = live.record();
        let id = record.server_id.clone();
        if record.restart {
            match self.start(&id, &record.from).await {
                Started::NotYet => {}
                Started::Yes => record.restart = false,
                Started::Never(why) => {
                    tracing::warn!(server = %id, why, "what ran before its move could not be started again");
                    record.restart = false;
                }
            }
        }
        let mut left = Vec::new();
        for node in std::mem::take(&mut record.leftovers) {
            if let Err(error) = self.clean(&id, &node).await {
                tracing::debug!(server = %id, %node, %error, "removing a copy that nobody needs");
                left.push(node);
            }
        }
        record.leftovers = left;
        let settled = record.leftovers.is_empty() && !record.restart;
        let before = live.record();
        if (before.restart, &before.leftovers) == (record.restart, &record.leftovers) {
            return settled;
        }
        record.error = before.error;
        self.write(live, record).await.is_ok() && settled
    }

    async fn start(&self, id: &ServerId, node: &NodeId) -> Started {
        let seen = self.agents.server(id);
        match seen.status.map(|status| status.status) {
            Some(Status::Running | Status::Paused | Status::Starting) => return Started::Yes,
            Some(Status::Installing | Status::Stopping | Status::Unknown) | None => return Started::NotYet,
            Some(Status::Suspended) => return Started::Never("it is suspended".to_owned()),
            Some(_) => {}
        }
        let power = ServerPower { server_id: id.to_owned(), action: PowerAction::Start };
        match self.agents.ask(node, ToAgent::ServerPower(power), SOON).await {
            Ok(_) => Started::Yes,
            Err(RequestError::Refused(report)) => match report.code {
                ErrorCode::AlreadyStarting | ErrorCode::AlreadyRunning => Started::Yes,
                ErrorCode::AlreadyStopping
                | ErrorCode::Installing
                | ErrorCode::Busy
                | ErrorCode::EngineUnavailable => Started::NotYet,
                _ => Started::Never(report.message),
            },
            Err(_) => Started::NotYet,
        }
    }

    /// Removes what a node has of a server that belongs to another one. Nothing to do if the node no longer exists.
    pub(super) async fn clean(&self, id: &ServerId, node: &NodeId) -> Result<(), RequestError> {
        let (server, known) = self
            .store
            .read_now(|tx| {
                Ok::<_, storage::Error>((storage::servers::get(tx, id)?, storage::nodes::get(tx, node)?))
            })
            .map_err(|_| RequestError::Busy)?;
        if known.is_none() || server.is_none_or(|server| server.node_id == node) {
            return Ok(());
        }
        self.agents.remove_unknown(node, id, REMOVAL).await?;
        let discard = ToAgent::TransferDiscard(ServerRef { server_id: id.to_owned() });
        self.agents.ask(node, discard, SOON).await.map(drop)
    }
}
