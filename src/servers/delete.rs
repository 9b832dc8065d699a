//! Deletes servers. The intention is stored before anything is deleted, and removed together with the server. A
//! deletion that was interrupted by a crash, a full disk or an offline node is therefore resumed.

use std::time::Duration;

use protocol::{ErrorCode, ServerId, ServerRef, ToAgent};
use storage::servers::{Deletion, Server};

use super::Servers;
use crate::agents::RequestError;
use crate::auth::Admin;
use crate::error::{ApiError, Code};
use crate::system::clock;

/// Time for a deletion in addition to the stop timeout: for the engine, and for removing the data.
const DELETE_TAKES: Duration = Duration::from_secs(120);
/// Interval between checks whether a node is back, and the first delay after an attempt failed for another reason.
const AGAIN: Duration = Duration::from_secs(1);
/// Longest delay between such attempts.
const SELDOM: Duration = Duration::from_secs(60);

/// Result of a deletion.
enum Outcome {
    /// The server no longer exists.
    Gone,
    /// The deletion was called off after another request for it was refused.
    Undone,
}

/// Why a deletion is not finished.
enum Unfinished {
    /// The node refused it, or its result is not known.
    Node(RequestError),
    /// Removed from the node, but the record could not be deleted.
    Here(ApiError),
}

impl From<Unfinished> for ApiError {
    fn from(why: Unfinished) -> Self {
        match why {
            Unfinished::Node(error) => error.into(),
            Unfinished::Here(error) => error,
        }
    }
}

impl Servers {
    /// Stops a server, removes its container and data, and deletes its record. With `force` the record is deleted even
    /// if the node cannot be reached. Its backups stay where `keep_backups` says so.
    pub async fn delete(
        &self,
        admin: &Admin,
        id: &ServerId,
        force: bool,
        keep_backups: bool,
    ) -> Result<(), ApiError> {
        let server = self.record(id)?;
        self.moves.allows(id)?;
        if !force && !self.agents.node(&server.node_id).online {
            return Err(offline(&server));
        }
        let (servers, by) = (self.clone(), admin.to_string());
        let deletion = Deletion { since: clock::now(), by, force, keep_backups };
        // Runs to its end even if the caller disconnects.
        let work = self.tasks.spawn("server-delete", async move { servers.remove(server, deletion).await });
        work.await.unwrap_or_else(|cut| Err(ApiError::internal("deleting a server", &cut)))
    }

    async fn remove(&self, server: Server, deletion: Deletion) -> Result<(), ApiError> {
        let (id, begun) = (server.id.clone(), server.deleting.is_some());
        let write = self.store.write(move |tx| storage::servers::begin_deletion(tx, &id, deletion));
        // If this write fails, nothing has been changed.
        let server = write.await?;
        self.agents.changes().server(&server.id);
        let why = match self.attempt(&server.id).await {
            Ok(Outcome::Gone) => return Ok(()),
            Ok(Outcome::Undone) => {
                let sentence = "Its deletion was called off, because its node refused it. Try again.";
                return Err(ApiError::new(Code::Conflict, sentence));
            }
            Err(why) => why,
        };
        let id = server.id.clone();
        let undone = match &why {
            // The node refused, so nothing was done.
            Unfinished::Node(RequestError::Refused(_) | RequestError::Busy | RequestError::Unfitting)
                if !begun =>
            {
                self.store.write(move |tx| storage::servers::undo_deletion(tx, &id)).await.is_ok()
            }
            _ => false,
        };
        self.agents.changes().server(&server.id);
        if undone {
            return Err(why.into());
        }
        self.resume(&server.id);
        Err(match why {
            Unfinished::Node(RequestError::Offline) => {
                offline(&Server { deleting: server.deleting.clone(), ..server })
            }
            Unfinished::Node(error) => {
                let error = ApiError::from(error);
                ApiError::new(error.code(), format!("{} The deletion goes on.", error.message()))
            }
            Unfinished::Here(error) => {
                let sentence =
                    "Its container and its data are removed. It is forgotten as soon as that can be written.";
                ApiError::new(error.code(), format!("{} {sentence}", error.message()))
            }
        })
    }

    /// Resumes the deletions of an earlier run.
    pub(super) fn resume_deletions(&self) {
        let servers = self.clone();
        drop(self.tasks.spawn("deletions", async move {
            let listed = servers.store.read(storage::servers::list).await;
            let left = listed.inspect_err(
                |error| tracing::error!(%error, "could not read which servers are being deleted"),
            );
            for server in left.into_iter().flatten().filter(|server| server.deleting.is_some()) {
                tracing::info!(
                    server = %server.id,
                    name = server.name,
                    "a deletion that was cut short goes on"
                );
                servers.resume(&server.id);
            }
        }));
    }

    /// Continues a deletion in the background until it is finished.
    fn resume(&self, id: &ServerId) {
        if !self.deletions.lock().resumed.insert(id.to_owned()) {
            return;
        }
        let (servers, id, end) = (self.clone(), id.to_owned(), self.tasks.token());
        drop(self.tasks.spawn("server-delete", async move {
            tokio::select! {
                // The next run resumes from the record.
                () = end.cancelled() => {}
                () = servers.until_gone(&id) => {}
            }
            servers.deletions.lock().resumed.remove(&id);
        }));
    }

    async fn until_gone(&self, id: &ServerId) {
        let mut wait = AGAIN;
        loop {
            tokio::time::sleep(wait).await;
            match self.attempt(id).await {
                Ok(_) => return,
                Err(Unfinished::Node(RequestError::Offline)) => wait = AGAIN,
                Err(why) => {
                    let error = ApiError::from(why);
                    tracing::warn!(server = %id, %error, "a server could not be deleted; it is tried again");
                    wait = (wait * 2).min(SELDOM);
                }
            }
        }
    }

    /// Carries out the remaining steps of a deletion.
    async fn attempt(&self, id: &ServerId) -> Result<Outcome, Unfinished> {
        let turn = self.deletions.turn(id);
        let _turn = turn.lock().await;
        let record = self.store.read_now(|tx| storage::servers::get(tx, id));
        let Some(server) = record.map_err(|error| Unfinished::Here(error.into()))? else {
            return Ok(Outcome::Gone);
        };
        let Some(deletion) = server.deleting.clone() else { return Ok(Outcome::Undone) };
        let message = ToAgent::ServerDelete(ServerRef { server_id: server.id.clone() });
        let within = Duration::from_secs(u64::from(server.behaviour.stop_timeout_secs)) + DELETE_TAKES;
        match self.agents.ask(&server.node_id, message, within).await {
            Ok(_) => {}
            Err(RequestError::Refused(report)) if report.code == ErrorCode::NotFound => {}
            Err(error) if deletion.force => {
                tracing::warn!(server = %id, node = %server.node_id, %error, "forgotten without its node");
            }
            Err(error) => return Err(Unfinished::Node(error)),
        }
        let key = id.to_owned();
        match self.store.write(move |tx| storage::servers::delete(tx, &key)).await {
            // It was deleted together with its node.
            Ok(()) | Err(storage::Error::NotFound { .. }) => {}
            Err(error) => return Err(Unfinished::Here(error.into())),
        }
        self.moves.forget(id);
        self.agents.forget_server(id);
        tracing::info!(server = %id, name = server.name, by = deletion.by, "server deleted");
        Ok(Outcome::Gone)
    }
}

fn offline(server: &Server) -> ApiError {
    let sentence = match server.deleting {
        Some(_) => "The node of this server is offline. The deletion goes on when it is back.",
        None => "The node of this server is offline.",
    };
    ApiError::new(Code::NodeOffline, sentence)
}
