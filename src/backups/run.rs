//! One backup, from what is written of it to its end. The node does the work; what it was asked for is asked again after every break,
//! under the same id, by which it knows what it has done already.

use std::time::Duration;

use protocol::{
    BackupAction, BackupLimits, BackupQuery, BackupQuiesce, BackupReport, BackupRun, BackupState, ErrorCode,
    ToAgent, ToPanel,
};
use storage::backups::{self, Backup, Contents, Origin, Stage};
use templates::model;
use tokio_util::sync::CancellationToken;

use super::Backups;
use crate::agents::RequestError;
use crate::error::ApiError;
use crate::system::{clock, ids};

/// How long a node may take to answer what takes no time.
const SOON: Duration = Duration::from_secs(30);
/// Between two questions how far a job is.
const POLL: Duration = Duration::from_millis(500);
/// Between two attempts at a node that is away.
const AGAIN: Duration = Duration::from_secs(1);
/// Backups by restores that are kept.
const KEPT_BEFORE_RESTORE: usize = 3;
/// What one that was called off says.
const CALLED_OFF: &str = "It was cancelled.";

/// How a job ended.
pub(super) enum Ended {
    Done(Box<BackupReport>),
    Failed(String),
    Cancelled,
}

impl Backups {
    /// Does what is left to be done, in the background.
    pub(super) fn drive(&self, backup: &Backup) {
        let (all, end) = (self.clone(), self.tasks.token());
        let (server_id, id) = (backup.server_id.clone(), backup.id.clone());
        let cancel = self.tracker.begin(&id);
        self.told(&server_id);
        drop(self.tasks.spawn("backup", async move {
            let work = async {
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
            };
            tokio::select! {
                // What is written is where the next run goes on.
                () = end.cancelled() => {}
                () = work => {}
            }
            all.tracker.end(&id);
            all.told(&server_id);
        }));
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
            Stage::Creating => {
                let action = BackupAction::Create {
                    backup_id: backup.id.clone(),
                    quiesce: self.quiesce(&backup)?,
                    ignore: Vec::new(),
                };
                let ended = self.job(&backup, action, cancel).await;
                self.created(&backup, ended).await?;
            }
            Stage::Restoring { first: Some(first) } => {
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
                        let job_id = ids::long();
                        self.change_record(&backup, move |one| {
                            one.stage = Stage::Restoring { first: None };
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
            Stage::Restoring { first: None } => {
                let action = BackupAction::Restore { backup_id: backup.id.clone() };
                let ended = self.job(&backup, action, cancel).await;
                if matches!(ended, Ended::Done(_)) {
                    self.thin_out(server_id).await?;
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
            Stage::Deleting => {
                let action = BackupAction::Delete { backup_ids: vec![backup.id.clone()] };
                match self.job(&backup, action, cancel).await {
                    Ended::Done(_) => {
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

    async fn created(&self, backup: &Backup, ended: Ended) -> Result<(), ApiError> {
        let log = |outcome: &str| tracing::info!(server = %backup.server_id, backup = backup.id, "a backup {outcome}");
        match ended {
            Ended::Done(report) => {
                log("is made");
                self.change_record(backup, move |one| {
                    let BackupReport { total, stored, files, changed, changed_names, warning, .. } = *report;
                    one.stage = Stage::Ready;
                    one.finished_at = Some(clock::now());
                    one.contents = Contents { bytes: total, stored, files, changed, changed_names };
                    one.problem = warning;
                })
                .await
            }
            Ended::Failed(why) => {
                log("failed");
                self.failed(backup, why).await
            }
            Ended::Cancelled => {
                log("was cancelled");
                self.failed(backup, CALLED_OFF.to_owned()).await
            }
        }
    }

    async fn failed(&self, backup: &Backup, why: String) -> Result<(), ApiError> {
        self.change_record(backup, move |one| {
            one.stage = Stage::Failed;
            one.problem = Some(why);
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

    /// Deletes what earlier restores have kept, but for the newest of it.
    async fn thin_out(&self, server_id: &protocol::ServerId) -> Result<(), ApiError> {
        let server = server_id.clone();
        let going = self.store.write(move |tx| {
            let old = |backup: &Backup| {
                backup.origin == Origin::BeforeRestore && backup.stage == Stage::Ready && !backup.locked
            };
            let mut old_ids: Vec<_> =
                backups::list(tx, &server)?.into_iter().filter(old).map(|backup| backup.id).collect();
            old_ids.truncate(old_ids.len().saturating_sub(KEPT_BEFORE_RESTORE));
            let mut going = Vec::new();
            for id in old_ids {
                going.push(backups::update(tx, &server, &id, |one| {
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

    async fn change_record(
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
    fn quiesce(&self, backup: &Backup) -> Result<Option<BackupQuiesce>, ApiError> {
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

    /// Has the node do it, however often that has to be asked.
    pub(super) async fn job(
        &self,
        backup: &Backup,
        action: BackupAction,
        cancel: &CancellationToken,
    ) -> Ended {
        let repository = match self.repository(&backup.node_id).await {
            Ok(repository) => repository,
            Err(error) => return Ended::Failed(error.message().to_owned()),
        };
        let run = BackupRun {
            server_id: Some(backup.server_id.clone()),
            job_id: backup.job_id.clone(),
            repository,
            action,
            limits: BackupLimits::default(),
        };
        let query = BackupQuery { server_id: Some(backup.server_id.clone()), job_id: backup.job_id.clone() };
        loop {
            if cancel.is_cancelled() && self.agents.session(&backup.node_id).is_err() {
                return Ended::Cancelled;
            }
            match self.agents.ask(&backup.node_id, ToAgent::BackupRun(Box::new(run.clone())), SOON).await {
                Ok(_) => {
                    if let Some(ended) = self.follow(backup, &query, cancel).await {
                        return ended;
                    }
                }
                Err(RequestError::Refused(report)) if report.code != ErrorCode::Busy => {
                    return Ended::Failed(report.message);
                }
                Err(_) => {}
            }
            tokio::select! {
                () = cancel.cancelled() => {}
                () = tokio::time::sleep(AGAIN) => {}
            }
            if cancel.is_cancelled() {
                tokio::time::sleep(POLL).await;
            }
        }
    }

    /// Asks how far it is until it has ended; none where the node does not know of it, or is away.
    async fn follow(
        &self,
        backup: &Backup,
        query: &BackupQuery,
        cancel: &CancellationToken,
    ) -> Option<Ended> {
        let mut told = false;
        loop {
            if cancel.is_cancelled() && !std::mem::replace(&mut told, true) {
                // What it answers is seen in the next report.
                drop(self.agents.ask(&backup.node_id, ToAgent::BackupCancel(query.clone()), SOON).await);
            }
            let answer = self.agents.ask(&backup.node_id, ToAgent::BackupQuery(query.clone()), SOON).await;
            let Ok(ToPanel::BackupReport(report)) = answer else { return None };
            match report.state {
                BackupState::Unknown => return None,
                BackupState::Waiting | BackupState::Running => {
                    if self.tracker.note(&backup.id, &report) {
                        self.told(&backup.server_id);
                    }
                }
                BackupState::Done => return Some(Ended::Done(report)),
                BackupState::Failed => {
                    return Some(Ended::Failed(report.error.map(|error| error.message).unwrap_or_default()));
                }
                BackupState::Cancelled if cancel.is_cancelled() => return Some(Ended::Cancelled),
                // The agent was told to end.
                BackupState::Cancelled => return None,
            }
            tokio::select! {
                () = cancel.cancelled(), if !told => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }
}
