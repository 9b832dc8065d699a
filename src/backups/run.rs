//! One backup, from what is written of it to its end. The node does the work.

use protocol::{BackupAction, BackupQuiesce, BackupReport};
use storage::backups::{self, Backup, Contents, Halt, Origin, ProofKind, Stage};
use templates::model;
use tokio_util::sync::CancellationToken;

use super::job::{AGAIN, Ended, POLL};
use super::{Backups, verify};
use crate::error::ApiError;
use crate::system::{clock, ids};

/// Backups before restores that are kept, and as many before other acts.
const KEPT_BEFORE: usize = 3;
/// What one that was called off says.
const CALLED_OFF: &str = "It was cancelled.";

impl Backups {
    /// Does what is left to be done, in the background.
    pub(super) fn drive(&self, backup: &Backup) {
        let (server_id, id) = (backup.server_id.clone(), backup.id.clone());
        self.in_background("backup", id.clone(), &backup.server_id, |all, cancel| async move {
            loop {
                match all.step(&server_id, &id, &cancel).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(server = %server_id, backup = id, %error, "a backup could not be gone on with");
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            }
        });
    }

    /// Does the next thing; false when there is nothing more to do.
    async fn step(
        &self,
        server_id: &protocol::ServerId,
        id: &str,
        cancel: &CancellationToken,
    ) -> Result<bool, ApiError> {
        let Some(backup) = self.store.read_now(|tx| backups::get(tx, server_id, id))? else {
            return Ok(false);
        };
        match &backup.stage {
            Stage::Ready | Stage::Failed => return Ok(false),
            Stage::Creating if backup.is_of_panel() => {
                let ended = self.make_of_panel(&backup, cancel).await;
                self.created(&backup, ended, None).await?;
            }
            Stage::Creating => {
                if backup.plan.halt == Some(Halt::Stop) {
                    return self.stop_for(&backup, cancel).await;
                }
                let action = BackupAction::Create {
                    backup_id: backup.id.clone(),
                    quiesce: self.quiesce(&backup)?,
                    ignore: ignored(&backup),
                };
                let ended = self.job(&backup, action, cancel).await;
                let problem = match backup.plan.halt {
                    Some(_) => self.start_after(&backup).await,
                    None => None,
                };
                self.created(&backup, ended, problem).await?;
            }
            Stage::FollowUp => self.follow_up(&backup).await?,
            Stage::Restoring { first: Some(first), paths } => {
                let saved = self.store.read_now(|tx| backups::get(tx, server_id, first))?;
                match saved.as_ref().map(|saved| &saved.stage) {
                    Some(Stage::Creating) => {
                        tokio::select! {
                            () = cancel.cancelled() => drop(self.tracker.cancel(first)),
                            () = tokio::time::sleep(POLL) => {}
                        }
                        // Called off, it waits for that one's end.
                        tokio::time::sleep(POLL).await;
                    }
                    Some(Stage::Ready | Stage::Restoring { .. }) => {
                        let (job_id, paths) = (ids::long(), paths.clone());
                        self.change_record(&backup, move |one| {
                            one.stage = Stage::Restoring { first: None, paths };
                            one.job_id = job_id;
                        })
                        .await?;
                    }
                    _ => {
                        let why = saved.and_then(|saved| saved.problem).unwrap_or_default();
                        let why = format!(
                            "Nothing was restored, since the present files could not be saved first. {why}"
                        );
                        self.restored(&backup, Some(why)).await?;
                    }
                }
            }
            Stage::Restoring { first: None, paths } => {
                let action = BackupAction::Restore { backup_id: backup.id.clone(), paths: paths.clone() };
                let ended = self.job(&backup, action, cancel).await;
                if let Ended::Done(report) = &ended {
                    self.keep_space(&backup, report).await?;
                    self.thin_out(server_id, Origin::BeforeRestore).await?;
                }
                let problem = match ended {
                    Ended::Done(_) => None,
                    Ended::Failed(why) => Some(format!("Restoring it failed. {why}")),
                    Ended::Cancelled => {
                        Some("Restoring it was cancelled. The server's files are as they were.".to_owned())
                    }
                };
                self.restored(&backup, problem).await?;
            }
            // Nobody can reach it any more.
            Stage::Deleting if self.is_out_of_reach(&backup)? => {
                let (server, id) = (backup.server_id.clone(), backup.id.clone());
                self.store.write(move |tx| backups::remove(tx, &server, &id)).await?;
                tracing::info!(server = %backup.server_id, backup = backup.id, "a backup on a removed node is forgotten");
            }
            Stage::Deleting => {
                let action = BackupAction::Delete { backup_ids: vec![backup.id.clone()] };
                match self.job(&backup, action, cancel).await {
                    Ended::Done(report) => {
                        self.keep_space(&backup, &report).await?;
                        let (server, id) = (backup.server_id.clone(), backup.id.clone());
                        self.store.write(move |tx| backups::remove(tx, &server, &id)).await?;
                        tracing::info!(server = %backup.server_id, backup = backup.id, "a backup is deleted");
                    }
                    Ended::Failed(why) => {
                        self.change_record(&backup, move |one| {
                            one.stage = if one.finished_at.is_some() { Stage::Ready } else { Stage::Failed };
                            one.problem = Some(format!("Deleting it failed. {why}"));
                        })
                        .await?;
                    }
                    Ended::Cancelled => return Ok(false),
                }
            }
        }
        self.told(server_id);
        Ok(true)
    }

    /// What became of a backup that was to be made; `problem` is what else should be known of it.
    async fn created(&self, backup: &Backup, ended: Ended, problem: Option<String>) -> Result<(), ApiError> {
        let log = |outcome: &str| tracing::info!(server = %backup.server_id, backup = backup.id, "a backup {outcome}");
        let with = |why: String| problem.clone().map_or_else(|| why.clone(), |more| format!("{why} {more}"));
        match ended {
            Ended::Done(report) => {
                log("is made");
                self.keep_space(backup, &report).await?;
                let warning = problem.or(report.warning.clone());
                let changed = self.change_record(backup, move |one| {
                    let BackupReport { total, stored, files, changed, changed_names, proof, .. } = *report;
                    one.checks.proof = proof.map(|found| verify::proof(ProofKind::Checked, found));
                    one.stage = if one.plan.follow_up.is_some() { Stage::FollowUp } else { Stage::Ready };
                    one.finished_at = Some(clock::now());
                    let servers = one.contents.servers;
                    one.contents = Contents { bytes: total, stored, files, changed, changed_names, servers };
                    one.problem = warning;
                    one.plan.halt = None;
                });
                changed.await?;
                self.after_success(backup).await
            }
            Ended::Failed(why) => {
                log("failed");
                self.policy_failed(backup, &why).await?;
                self.failed(backup, with(why)).await
            }
            Ended::Cancelled => {
                log("was cancelled");
                self.failed(backup, with(CALLED_OFF.to_owned())).await
            }
        }
    }

    async fn failed(&self, backup: &Backup, why: String) -> Result<(), ApiError> {
        self.change_record(backup, move |one| {
            one.stage = Stage::Failed;
            one.plan.halt = None;
            one.problem = Some(match one.plan.follow_up.take() {
                Some(_) => format!("{why} What it was made for was not done."),
                None => why,
            });
        })
        .await
    }

    async fn restored(&self, backup: &Backup, problem: Option<String>) -> Result<(), ApiError> {
        match &problem {
            None => tracing::info!(server = %backup.server_id, backup = backup.id, "a backup is restored"),
            Some(why) => {
                tracing::warn!(server = %backup.server_id, backup = backup.id, why, "a backup was not restored");
            }
        }
        self.change_record(backup, move |one| {
            one.stage = Stage::Ready;
            one.problem = problem;
        })
        .await
    }

    /// Deletes what was made before earlier restores, or before other acts, but for the newest of it.
    pub(super) async fn thin_out(
        &self,
        server_id: &protocol::ServerId,
        origin: Origin,
    ) -> Result<(), ApiError> {
        let all = self.store.read_now(|tx| backups::list(tx, server_id))?;
        let old = |backup: &Backup| backup.origin == origin && backup.stage == Stage::Ready && !backup.locked;
        let mut old_ids: Vec<_> = all.into_iter().filter(old).map(|backup| backup.id).collect();
        old_ids.truncate(old_ids.len().saturating_sub(KEPT_BEFORE));
        self.delete_old(server_id, old_ids).await
    }

    /// Deletes these where they are still whole and not locked.
    pub(super) async fn delete_old(
        &self,
        server_id: &protocol::ServerId,
        old_ids: Vec<String>,
    ) -> Result<(), ApiError> {
        if old_ids.is_empty() {
            return Ok(());
        }
        let server = server_id.clone();
        let going = self.store.write(move |tx| {
            let mut going = Vec::new();
            for backup in backups::list(tx, &server)? {
                let held = backup.locked || backup.checks.is_used();
                if held || backup.stage != Stage::Ready || !old_ids.contains(&backup.id) {
                    continue;
                }
                going.push(backups::update(tx, &server, &backup.id, |one| {
                    one.stage = Stage::Deleting;
                    one.job_id = ids::long();
                })?);
            }
            Ok::<_, storage::Error>(going)
        });
        for backup in going.await? {
            self.drive(&backup);
        }
        Ok(())
    }

    pub(super) async fn change_record(
        &self,
        backup: &Backup,
        change: impl FnOnce(&mut Backup) + Send + 'static,
    ) -> Result<(), ApiError> {
        let (server, id) = (backup.server_id.clone(), backup.id.clone());
        match self.store.write(move |tx| backups::update(tx, &server, &id, change)).await {
            // Its server is gone.
            Ok(_) | Err(storage::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What the game is told, by the server's template.
    pub(super) fn quiesce(&self, backup: &Backup) -> Result<Option<BackupQuiesce>, ApiError> {
        let server = self.store.read_now(|tx| storage::servers::get(tx, &backup.server_id))?;
        let template = server.and_then(|server| server.template);
        let template = template.and_then(|text| serde_json::from_str::<model::Template>(&text).ok());
        let commands = template.and_then(|template| template.backup);
        Ok(commands.map(|model::BackupCommands { before, saved, after }| BackupQuiesce {
            before,
            saved,
            after,
        }))
    }
}

/// What a backup leaves out. One by which a restore or a change can be undone leaves out nothing, whatever an ignore file
/// of the server says: later lines take precedence.
fn ignored(backup: &Backup) -> Vec<String> {
    match backup.origin {
        Origin::BeforeRestore | Origin::BeforeChange => vec!["!*".to_owned()],
        Origin::Manual | Origin::Scheduled => backup.plan.ignore.clone(),
    }
}
