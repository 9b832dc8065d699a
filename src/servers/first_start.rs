//! Starts a new server once it is installed, if that was requested on creation. The request is stored in the record
//! until it is done, so that it survives a restart of the panel.

use protocol::{PowerAction, ServerId, ServerPower, Status, ToAgent};
use storage::servers::Server;

use super::Servers;
use crate::error::{ApiError, Code};

/// What to do about a pending first start in a given state.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    /// Not installed yet, or its node is offline.
    Wait,
    /// Start it now.
    Start,
    /// It is running, or has been started by a user.
    Over,
}

fn turn(status: Option<&Status>) -> Turn {
    match status {
        // A failed install may be retried; the start follows then.
        None | Some(Status::Installing | Status::InstallFailed | Status::Unknown | Status::Other(_)) => {
            Turn::Wait
        }
        Some(Status::Stopped | Status::Created) => Turn::Start,
        Some(_) => Turn::Over,
    }
}

impl Servers {
    /// Resumes the first starts of an earlier run.
    pub(super) fn resume_first_starts(&self) {
        let servers = self.clone();
        drop(self.tasks.spawn("first-starts", async move {
            let listed = servers.store.read(storage::servers::list).await;
            let left = listed.inspect_err(
                |error| tracing::error!(%error, "could not read which servers are to be started"),
            );
            for server in left.into_iter().flatten().filter(|server| server.start_when_installed) {
                servers.start_when_installed(&server.id);
            }
        }));
    }

    /// Starts a server once it is installed, in the background.
    pub(super) fn start_when_installed(&self, id: &ServerId) {
        let (servers, id, end) = (self.clone(), id.to_owned(), self.tasks.token());
        drop(self.tasks.spawn("first-start", async move {
            tokio::select! {
                // The next run resumes from the record.
                () = end.cancelled() => {}
                () = servers.until_started(&id) => {}
            }
        }));
    }

    async fn until_started(&self, id: &ServerId) {
        let mut changed = self.agents.changes().subscribe();
        loop {
            changed.mark_unchanged();
            let server = match self.record(id) {
                Ok(server) if server.start_when_installed && server.deleting.is_none() => server,
                Ok(_) => return,
                Err(error) if error.code() == Code::NotFound => return,
                Err(error) => return tracing::warn!(server = %id, %error, "not started after its install"),
            };
            let seen = self.agents.server(id);
            match turn(seen.status.as_ref().filter(|_| seen.online).map(|told| &told.status)) {
                Turn::Wait => {}
                Turn::Over => return self.forget_first_start(id).await,
                Turn::Start => match self.start(&server).await {
                    Ok(()) => {
                        tracing::info!(server = %id, "started after its install");
                        return self.forget_first_start(id).await;
                    }
                    // The node has gone offline. It reports the state when it reconnects.
                    Err(error) if matches!(error.code(), Code::NodeOffline | Code::EngineUnavailable) => {}
                    Err(error) => {
                        tracing::warn!(server = %id, %error, "not started after its install");
                        return self.forget_first_start(id).await;
                    }
                },
            }
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    async fn start(&self, server: &Server) -> Result<(), ApiError> {
        let message =
            ToAgent::ServerPower(ServerPower { server_id: server.id.clone(), action: PowerAction::Start });
        self.ask(server, message).await.map(drop)
    }

    /// Removes the pending first start: it is done, or no longer wanted.
    pub(super) async fn forget_first_start(&self, id: &ServerId) {
        let key = id.to_owned();
        let written = self.store.write(move |tx| {
            if let Some(mut server) = storage::servers::get(tx, &key)?
                && server.start_when_installed
            {
                server.start_when_installed = false;
                storage::servers::update(tx, &server)?;
            }
            Ok::<(), ApiError>(())
        });
        if let Err(error) = written.await {
            tracing::warn!(server = %id, %error, "could not note that it was started");
        }
        self.agents.changes().server(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_once_its_files_are_there() {
        for waits in [None, Some(Status::Installing), Some(Status::InstallFailed), Some(Status::Unknown)] {
            assert_eq!(turn(waits.as_ref()), Turn::Wait, "{waits:?}");
        }
        assert_eq!(turn(Some(&Status::Stopped)), Turn::Start);
        for over in [Status::Starting, Status::Running, Status::Crashed, Status::Stopping, Status::Suspended]
        {
            assert_eq!(turn(Some(&over)), Turn::Over, "{over:?}");
        }
    }
}
