//! A server that is stopped for its backup, and started again after it. How far that is stands in the backup's record, so that it is
//! gone on with after a kill at any moment.

use std::time::Duration;

use protocol::{PowerAction, ServerPower, Status, ToAgent};
use storage::backups::{Backup, Halt, Plan};
use storage::servers::Server;
use tokio_util::sync::CancellationToken;

use super::Backups;
use super::job::AGAIN;
use crate::agents::RequestError;
use crate::error::ApiError;

/// How long an agent may take to say whether it takes an action.
const ANSWER: Duration = Duration::from_secs(15);

impl Backups {
    /// Whether a backup of the server has to stop it, where its policy allows that.
    pub(super) fn halt_for(&self, server: &Server, new: &Backup) -> Result<Option<Halt>, ApiError> {
        let told_to_save = self.quiesce(new)?.is_some();
        let runs = self.agents.server(&server.id).status.is_some_and(|seen| {
            matches!(seen.status, Status::Running | Status::Starting) || seen.restart_at.is_some()
        });
        Ok((runs && !told_to_save).then_some(Halt::Stop))
    }

    /// Stops the server, and notes that it is to be started again. False where there is nothing more to do.
    pub(super) async fn stop_for(
        &self,
        backup: &Backup,
        cancel: &CancellationToken,
    ) -> Result<bool, ApiError> {
        let mut changes = self.agents.changes().subscribe();
        let mut asked = false;
        loop {
            changes.mark_unchanged();
            if cancel.is_cancelled() {
                return self.note_halt(backup, Halt::Start).await.map(|()| true);
            }
            let seen = self.agents.server(&backup.server_id);
            match seen.status.filter(|_| seen.online).map(|told| told.status) {
                Some(
                    Status::Stopped
                    | Status::Created
                    | Status::Crashed
                    | Status::InstallFailed
                    | Status::Suspended,
                ) => {
                    return self.note_halt(backup, Halt::Start).await.map(|()| true);
                }
                Some(_) if !asked => {
                    let message = power(backup, PowerAction::Stop);
                    asked = self.agents.ask(&backup.node_id, message, ANSWER).await.is_ok();
                }
                _ => {}
            }
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return Ok(false) },
                () = cancel.cancelled() => {}
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    async fn note_halt(&self, backup: &Backup, halt: Halt) -> Result<(), ApiError> {
        self.change_record(backup, move |one| one.plan = Plan { halt: Some(halt), ..one.plan.clone() }).await
    }

    /// Starts the server again; gives what is to be said where that is refused.
    pub(super) async fn start_after(&self, backup: &Backup) -> Option<String> {
        loop {
            // Its server is gone.
            let there = self.store.read_now(|tx| storage::servers::get(tx, &backup.server_id));
            if matches!(there, Ok(None)) {
                return None;
            }
            match self.agents.ask(&backup.node_id, power(backup, PowerAction::Start), ANSWER).await {
                Ok(_) => return None,
                Err(RequestError::Refused(refusal)) => {
                    let seen = self.agents.server(&backup.server_id).status;
                    let runs = seen.is_some_and(|seen| {
                        matches!(seen.status, Status::Running | Status::Starting | Status::Stopping)
                    });
                    return (!runs).then(|| {
                        format!("The server could not be started again after it. {}", refusal.message)
                    });
                }
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }
}

fn power(backup: &Backup, action: PowerAction) -> ToAgent {
    ToAgent::ServerPower(ServerPower { server_id: backup.server_id.clone(), action })
}
