//! What waits for a backup: an act after which there may be no way back. It is written with the backup, and done when that is whole.

use std::time::Duration;

use storage::backups::{Backup, FollowUp, Origin, Stage};

use super::acts::Acts;
use super::job::AGAIN;
use super::{BackupView, Backups};
use crate::auth::{Permission, Permit, need};
use crate::error::{ApiError, Code};

/// How often an act is tried where the node is away.
const TRIES: u32 = 60;

impl Backups {
    /// Says who does what backups are made for.
    pub fn set_acts(&self, acts: impl Acts) {
        // There is one, made at the start.
        drop(self.acts.set(std::sync::Arc::new(acts)));
    }

    /// Makes a backup, and then does what may not be undone.
    pub async fn create_before(
        &self,
        permit: &Permit<need::Configure>,
        act: FollowUp,
    ) -> Result<BackupView, ApiError> {
        if !permit.permissions().allow(Permission::Backups) {
            let sentence =
                "You may not make backups of this server. Do it without one, or ask for the permission.";
            return Err(ApiError::new(Code::Forbidden, sentence));
        }
        let server = self.idle(permit.server_id())?;
        let mut new = Backup { name: name(act).to_owned(), ..self.planned(&server, Origin::BeforeChange)? };
        new.plan.follow_up = Some(act);
        self.can_keep(&server.node_id, new.target_id.as_deref())?;
        self.insert(&new).await?;
        tracing::info!(server = %server.id, backup = new.id, ?act, by = %permit.actor(), "a backup is to be made first");
        self.drive(&new);
        Ok(self.view(new))
    }

    /// Does what the backup was made for.
    pub(super) async fn follow_up(&self, backup: &Backup) -> Result<(), ApiError> {
        let problem = match (backup.plan.follow_up, self.acts.get()) {
            (None, _) => None,
            (Some(_), None) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                return Ok(());
            }
            (Some(act), Some(acts)) => {
                let mut tries = 0;
                loop {
                    tries += 1;
                    match acts.perform(backup.server_id.clone(), act).await {
                        Ok(()) => break None,
                        // Asked for before, by one that was killed.
                        Err(error) if error.code() == Code::Installing => break None,
                        Err(error)
                            if tries < TRIES
                                && matches!(
                                    error.code(),
                                    Code::NodeOffline | Code::NodeTimeout | Code::Busy
                                ) => {}
                        Err(error) => {
                            let what = name(act).to_lowercase();
                            break Some(format!(
                                "This backup was made {what}, which was refused then. {}",
                                error.message()
                            ));
                        }
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        };
        self.change_record(backup, move |one| {
            one.stage = Stage::Ready;
            one.plan.follow_up = None;
            one.problem = problem.or(one.problem.take());
        })
        .await?;
        self.thin_out(&backup.server_id, Origin::BeforeChange).await
    }
}

/// What the backup is called.
fn name(act: FollowUp) -> &'static str {
    match act {
        FollowUp::Reinstall { wipe: false } => "Before reinstalling",
        FollowUp::Reinstall { wipe: true } => "Before reinstalling without its files",
        FollowUp::Install => "Before fetching the image",
        FollowUp::Template => "Before the step to the new template version",
    }
}
