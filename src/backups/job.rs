//! A job of a node: asked for, followed to its end, and asked for again after every break, under the same id, by which the node knows
//! what it has done already.

use std::time::Duration;

use protocol::{
    BackupAction, BackupLimits, BackupQuery, BackupReport, BackupRepository, BackupRun, BackupState,
    ErrorCode, NodeId, ServerId, ToAgent, ToPanel,
};
use storage::backups::Backup;
use tokio_util::sync::CancellationToken;

use super::Backups;
use crate::agents::RequestError;
use crate::error::ApiError;

/// How long a node may take to answer what takes no time.
const SOON: Duration = Duration::from_secs(30);
/// Between two questions how far a job is.
pub(super) const POLL: Duration = Duration::from_millis(500);
/// Between two attempts at a node that is away.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// How a job ended.
pub(super) enum Ended {
    Done(Box<BackupReport>),
    Failed(String),
    Cancelled,
}

/// What a node is to do.
pub(super) struct Job {
    pub(super) node_id: NodeId,
    /// The server, where it is about one.
    pub(super) server_id: Option<ServerId>,
    pub(super) job_id: String,
    pub(super) repository: BackupRepository,
    pub(super) action: BackupAction,
    pub(super) limits: BackupLimits,
    /// Under which its progress is kept, and the server whose backups have changed with it; none where nobody follows it.
    pub(super) tracked: Option<(String, Option<ServerId>)>,
}

impl Backups {
    /// Does `work` in the background, until it is done or the panel ends: what is written is where the next run goes on.
    /// `key` is what the tracker knows it by, and the token of the work is cancelled by that key.
    pub(super) fn in_background<W>(
        &self,
        name: &'static str,
        key: String,
        server_id: &ServerId,
        work: impl FnOnce(Self, CancellationToken) -> W,
    ) where
        W: Future<Output = ()> + Send + 'static,
    {
        let (all, end, server_id) = (self.clone(), self.tasks.token(), server_id.clone());
        let work = work(self.clone(), self.tracker.begin(&key));
        self.told(&server_id);
        drop(self.tasks.spawn(name, async move {
            tokio::select! {
                () = end.cancelled() => {}
                () = work => {}
            }
            all.tracker.end(&key);
            all.told(&server_id);
        }));
    }

    /// Has the node do something with a backup.
    pub(super) async fn job(
        &self,
        backup: &Backup,
        action: BackupAction,
        cancel: &CancellationToken,
    ) -> Ended {
        match self.job_of(backup, action).await {
            Ok(job) => self.ask(&job, cancel).await,
            Err(error) => Ended::Failed(error.message().to_owned()),
        }
    }

    /// What the node that works on a backup is to do with it.
    pub(super) async fn job_of(&self, backup: &Backup, action: BackupAction) -> Result<Job, ApiError> {
        let node_id = self.node_for(backup)?;
        let repository = self.repository(&node_id, backup.target_id.as_deref()).await?;
        Ok(Job {
            node_id,
            server_id: (!backup.is_of_panel()).then(|| backup.server_id.clone()),
            job_id: backup.job_id.clone(),
            repository,
            action,
            limits: BackupLimits {
                mib_per_sec: backup.plan.mib_per_sec,
                small_memory: backup.plan.small_memory,
            },
            tracked: Some((backup.id.clone(), Some(backup.server_id.clone()))),
        })
    }

    /// Has the node do it, however often that has to be asked.
    pub(super) async fn ask(&self, job: &Job, cancel: &CancellationToken) -> Ended {
        let run = BackupRun {
            server_id: job.server_id.clone(),
            job_id: job.job_id.clone(),
            repository: job.repository.clone(),
            action: job.action.clone(),
            limits: job.limits,
        };
        let query = BackupQuery { server_id: job.server_id.clone(), job_id: job.job_id.clone() };
        loop {
            if cancel.is_cancelled() && self.agents.session(&job.node_id).is_err() {
                return Ended::Cancelled;
            }
            match self.agents.ask(&job.node_id, ToAgent::BackupRun(Box::new(run.clone())), SOON).await {
                Ok(_) => {
                    if let Some(ended) = self.follow(job, &query, cancel).await {
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
    async fn follow(&self, job: &Job, query: &BackupQuery, cancel: &CancellationToken) -> Option<Ended> {
        let mut told = false;
        loop {
            if cancel.is_cancelled() && !std::mem::replace(&mut told, true) {
                // What it answers is seen in the next report.
                drop(self.agents.ask(&job.node_id, ToAgent::BackupCancel(query.clone()), SOON).await);
            }
            let answer = self.agents.ask(&job.node_id, ToAgent::BackupQuery(query.clone()), SOON).await;
            let Ok(ToPanel::BackupReport(report)) = answer else { return None };
            match report.state {
                BackupState::Unknown => return None,
                BackupState::Waiting | BackupState::Running => {
                    if let Some((key, server_id)) = &job.tracked
                        && self.tracker.note(key, &report)
                        && let Some(server_id) = server_id
                    {
                        self.told(server_id);
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
