//! Restore tests, in which the game is started from a copy of a backup, and the recorded results of checks.

use protocol::{BackupAction, BackupProof};
use storage::backups::{self, Backup, Proof, ProofKind, Stage};

use super::job::{Ended, Job};
use super::tracker::test_key;
use super::views::BackupView;
use super::{Backups, busy};
use crate::auth::{Permit, need};
use crate::error::{ApiError, Code};
use crate::system::{clock, ids};

/// What a node found, as it is kept.
pub(super) fn proof(kind: ProofKind, found: BackupProof) -> Proof {
    let BackupProof { ok, reason, lines } = found;
    Proof { at: clock::now(), kind, ok, reason, lines }
}

impl Backups {
    /// Has the node start the game from a copy of a backup.
    pub async fn test(&self, permit: &Permit<need::Backups>, id: &str) -> Result<BackupView, ApiError> {
        let backup = self.get(permit.server_id(), id)?;
        if backup.stage != Stage::Ready {
            return Err(ApiError::new(
                Code::Conflict,
                "This backup is not whole, or something of it is under way.",
            ));
        }
        if backup.checks.is_used() {
            return Err(busy());
        }
        let view = self.begin_test(&backup).await?;
        tracing::info!(server = %backup.server_id, backup = backup.id, by = %permit.actor(), "a restore test begins");
        Ok(view)
    }

    pub(super) async fn begin_test(&self, backup: &Backup) -> Result<BackupView, ApiError> {
        let server = self.store.read_now(|tx| storage::servers::get(tx, &backup.server_id))?;
        let server = server.ok_or_else(|| ApiError::not_found("server"))?;
        if backup.node_id != server.node_id && !self.is_shared(backup.target_id.as_deref())? {
            let sentence = format!(
                "This backup lies on the node {}, the server lives on {}: there the game cannot be started from it.",
                backup.node_id, server.node_id
            );
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        self.shows_contents(&server.node_id, backup)?;
        let (server_id, id, job_id) = (backup.server_id.clone(), backup.id.clone(), ids::long());
        let changed = self.store.write(move |tx| {
            backups::update(tx, &server_id, &id, |one| {
                one.checks.test_job = Some(job_id);
                one.problem = None;
            })
        });
        let changed = changed.await?;
        self.drive_test(&changed);
        Ok(self.view(changed))
    }

    /// Cancels a restore test; `false` if there is none.
    pub(super) fn cancel_test(&self, backup: &Backup) -> bool {
        self.tracker.cancel(&test_key(&backup.id))
    }

    /// Follows a restore test to its end, in the background.
    pub(super) fn drive_test(&self, backup: &Backup) {
        let Some(job_id) = backup.checks.test_job.clone() else { return };
        let (key, backup) = (test_key(&backup.id), backup.clone());
        let server_id = backup.server_id.clone();
        self.in_background("backup-test", key.clone(), &server_id, |all, cancel| async move {
            let action = BackupAction::RestoreTest { backup_id: backup.id.clone() };
            let asked = Backup { job_id, ..backup.clone() };
            let ended = match all.job_of(&asked, action).await {
                Ok(job) => {
                    let tracked = Some((key, Some(backup.server_id.clone())));
                    all.ask(&Job { tracked, ..job }, &cancel).await
                }
                Err(error) => Ended::Failed(error.message().to_owned()),
            };
            if let Err(error) = all.tested(&backup, ended).await {
                tracing::warn!(backup = backup.id, %error, "what a restore test found could not be kept");
            }
        });
    }

    async fn tested(&self, backup: &Backup, ended: Ended) -> Result<(), ApiError> {
        let (server, id) = (&backup.server_id, &backup.id);
        let (found, problem) = match ended {
            Ended::Done(report) => match report.proof {
                Some(found) => (Some(proof(ProofKind::Started, found)), None),
                None => (None, Some("The node did not say how the restore test went.".to_owned())),
            },
            Ended::Failed(why) => (None, Some(format!("It could not be tested. {why}"))),
            Ended::Cancelled => (None, None),
        };
        match &found {
            Some(Proof { ok: true, .. }) => tracing::info!(%server, backup = id, "a restore test went well"),
            Some(Proof { reason, .. }) => {
                tracing::warn!(%server, backup = id, reason, "a restore test failed");
            }
            None => tracing::info!(%server, backup = id, ?problem, "a restore test was not finished"),
        }
        let for_policy = match &found {
            Some(Proof { ok: true, .. }) => Some(None),
            Some(Proof { reason, .. }) => Some(Some(format!("The game did not come up. {reason}"))),
            None => problem.clone().map(Some),
        };
        self.change_record(backup, move |one| {
            one.checks.test_job = None;
            one.problem = problem;
            if found.is_some() {
                one.checks.proof = found;
            }
        })
        .await?;
        match for_policy {
            Some(problem) => self.test_ended(&backup.server_id, problem).await,
            None => Ok(()),
        }
    }
}
