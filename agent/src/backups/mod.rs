//! Backups of game servers, in repositories of restic's format. The work is done by a child process
//! ([`worker`]); in here are the jobs that the panel asks for, and what a running game is told around a backup.

mod contents;
mod parts;
mod place;
mod process;
mod quiesce;
mod restore_test;
pub mod worker;

pub use self::process::{Ended as WorkerEnded, run as run_worker};
pub use self::worker::PANEL;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::{
    BackupAction, BackupError, BackupLimits, BackupList, BackupQuery, BackupReport, BackupRepository,
    BackupRun, BackupState, ErrorCode, FileSend, ServerId, Status, ToPanel,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::contents::BackupContents;
use self::place::Failed;
use self::process::{Ended, error_code};
use self::worker::{MasterKey, Outcome, Work, WorkerRequest};
use crate::panel::reply_cache::{Answers, Reply};
use crate::server::{Context, Handle, folder};
use crate::streams::StreamOpener;

/// Where the panel of this data folder lays a copy of what it keeps, for a backup of that.
#[must_use]
pub fn panel_source(data_dir: &Path) -> PathBuf {
    data_dir.join(".panel-backup")
}

/// Jobs that may be under way or wait.
const WAITING: usize = 64;
/// How long a job waits for the agent's first look at a server's container.
const LOOKED: Duration = Duration::from_secs(60);
/// Jobs that are remembered after their end.
const REMEMBERED: usize = 200;

/// The jobs of this agent. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Backups {
    context: Arc<Context>,
    answers: Answers,
    contents: BackupContents,
    jobs: Arc<Mutex<Jobs>>,
    /// One works at a time: they share a repository, and the machine's disk.
    turn: Arc<Semaphore>,
    /// Restore tests that run: each has a game.
    testing: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Jobs {
    known: HashMap<String, Job>,
    ended: VecDeque<String>,
}

#[derive(Clone, Debug)]
struct Job {
    server_id: Option<ServerId>,
    report: Arc<Mutex<BackupReport>>,
    cancel: CancellationToken,
}

impl Job {
    fn report(&self) -> MutexGuard<'_, BackupReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backups {
    pub(crate) fn new(
        context: Arc<Context>,
        answers: Answers,
        opener: Option<Arc<dyn StreamOpener>>,
    ) -> Self {
        let contents = BackupContents::new(Arc::clone(&context), opener);
        let one = || Arc::new(Semaphore::new(1));
        let backups = Self { context, answers, contents, jobs: Arc::default(), turn: one(), testing: one() };
        let (context, testing) = (Arc::clone(&backups.context), Arc::clone(&backups.testing));
        let sweep = async move {
            let _turn = testing.acquire().await;
            tokio::select! {
                () = context.cancel.cancelled() => {}
                () = crate::server::restore_test::sweep(&context) => {}
            }
        };
        drop(backups.context.tasks.spawn(sweep));
        backups
    }

    /// Answers with a page of a folder in a backup.
    pub(crate) fn list(&self, asked: BackupList, reply: Reply) {
        self.contents.list(asked, reply);
    }

    /// Sends files of a backup as an archive.
    pub(crate) fn send(&self, asked: FileSend, reply: Reply) {
        self.contents.send(asked, reply);
    }

    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job on; one that is known already goes on as it does.
    pub(crate) fn run(&self, handle: Option<Handle>, run: BackupRun, reply: Reply) {
        let job = {
            let mut jobs = self.lock();
            if jobs.known.contains_key(&run.job_id) {
                return reply.ack(None);
            }
            if jobs.known.len() - jobs.ended.len() >= WAITING {
                return reply
                    .refuse(ErrorCode::Busy, "The node has too many backups to make. Try again later.");
            }
            let report = BackupReport {
                job_id: run.job_id.clone(),
                state: BackupState::Waiting,
                ..BackupReport::default()
            };
            let job = Job {
                server_id: run.server_id.clone(),
                report: Arc::new(Mutex::new(report)),
                cancel: self.context.cancel.child_token(),
            };
            jobs.known.insert(run.job_id.clone(), job.clone());
            job
        };
        reply.ack(None);
        let all = self.clone();
        drop(self.context.tasks.spawn(async move {
            let server = run.server_id.as_ref().map_or_else(String::new, ToString::to_string);
            let id = run.job_id.clone();
            let done = all.work(&job, handle.as_ref(), run).await;
            {
                let mut report = job.report();
                match done {
                    Ok(Some(outcome)) => {
                        report.state = BackupState::Done;
                        report.total = outcome.bytes;
                        report.bytes = outcome.bytes;
                        report.stored = outcome.stored;
                        report.files = outcome.files;
                        report.changed = outcome.changed;
                        report.changed_names = outcome.changed_names;
                        report.host_key = outcome.host_key;
                        report.space = outcome.space;
                        report.damaged = outcome.damaged;
                        if report.warning.is_none() {
                            report.warning = outcome.warning;
                        }
                        report.proof = outcome.proof;
                        report.found = outcome.found;
                        tracing::info!(%server, job = id, peak_memory = outcome.peak_memory, "a job on backups is done");
                    }
                    Ok(None) => report.state = BackupState::Cancelled,
                    Err((code, message)) => {
                        tracing::warn!(%server, job = id, %code, message, "a job on backups failed");
                        report.state = BackupState::Failed;
                        report.error = Some(BackupError { code, message });
                    }
                }
            }
            let mut jobs = all.lock();
            jobs.ended.push_back(id);
            if jobs.ended.len() > REMEMBERED
                && let Some(oldest) = jobs.ended.pop_front()
            {
                jobs.known.remove(&oldest);
            }
        }));
    }

    /// The job of this id, where it is about this server.
    fn find(&self, query: &BackupQuery) -> Option<Job> {
        self.lock().known.get(&query.job_id).filter(|job| job.server_id == query.server_id).cloned()
    }

    /// Tells how far a job is.
    pub(crate) fn report(&self, query: &BackupQuery, reply: Reply) {
        let report = match self.find(query) {
            Some(job) => job.report().clone(),
            None => BackupReport { job_id: query.job_id.clone(), ..BackupReport::default() },
        };
        reply.answer(ToPanel::BackupReport(Box::new(report)));
    }

    /// Breaks a job off.
    pub(crate) fn cancel(&self, query: &BackupQuery, reply: Reply) {
        match self.find(query) {
            Some(job) => {
                job.cancel.cancel();
                reply.ack(None);
            }
            None => reply.refuse(ErrorCode::NotFound, "There is no such backup job on this node."),
        }
    }

    /// Waits for its turn and does it; none where it was broken off.
    async fn work(
        &self,
        job: &Job,
        handle: Option<&Handle>,
        run: BackupRun,
    ) -> Result<Option<Outcome>, Failed> {
        if matches!(run.action, BackupAction::Test {}) {
            // Somebody waits for it.
            job.report().state = BackupState::Running;
            return self.child(job, &run.repository, run.limits, Work::Test).await;
        }
        if let BackupAction::Adopt { open } = run.action {
            job.report().state = BackupState::Running;
            return self.child(job, &run.repository, run.limits, Work::Adopt { open }).await;
        }
        if let (BackupAction::RestoreTest { backup_id }, Some(handle)) = (&run.action, handle) {
            return self.restore_test(job, handle, &run, backup_id).await;
        }
        let turn = tokio::select! {
            () = job.cancel.cancelled() => return Ok(None),
            turn = self.turn.acquire() => turn,
        };
        let Ok(_turn) = turn else { return Ok(None) };
        job.report().state = BackupState::Running;
        let BackupRun { server_id, repository, action, limits, .. } = run;
        let child = async |work| self.child(job, &repository, limits, work).await;
        let (action, handle) = match (action, handle) {
            (BackupAction::Delete { backup_ids }, _) => {
                return child(Work::Delete { backup_ids }).await;
            }
            (BackupAction::Check { share }, _) => return child(Work::Check { share }).await,
            (BackupAction::Prune {}, _) => return child(Work::Prune).await,
            (BackupAction::CreatePanel { backup_id }, _) => {
                let source = panel_source(&self.context.data_dir);
                let server_id = PANEL.to_owned();
                return child(Work::Create { backup_id, server_id, source, ignore: Vec::new() }).await;
            }
            (BackupAction::RestoreNew { backup_id }, None) => {
                return self.restore_new(job, server_id.as_ref(), (&repository, limits), backup_id).await;
            }
            (action, Some(handle)) => (action, handle),
            (_, None) => return Err((ErrorCode::NotFound, "There is no such server on this node.".into())),
        };
        let Some(server_id) = server_id else {
            return Err((ErrorCode::Invalid, "The job names no server.".into()));
        };
        // After its start, an agent looks at each container first; what goes on after a kill is asked for before that.
        let known = state_known(handle, &job.cancel).await;
        if job.cancel.is_cancelled() {
            return Ok(None);
        }
        match action {
            BackupAction::Create { backup_id, quiesce, ignore } => {
                if handle.status.borrow().status == Status::Installing {
                    return Err((ErrorCode::Installing, "The server is being installed.".into()));
                }
                let source = folder::of(&self.context.data_dir, &server_id);
                let work = Work::Create { backup_id, server_id: server_id.to_string(), source, ignore };
                let runs = handle.status.borrow().status == Status::Running;
                let quiesce = quiesce.filter(|_| runs);
                if let Some(quiesce) = &quiesce
                    && let Err(warning) = quiesce::before(&self.answers, handle, quiesce, &job.cancel).await
                {
                    job.report().warning = Some(warning);
                }
                let done = child(work).await;
                // Whatever became of it, and of the one that asked.
                if let Some(quiesce) = &quiesce
                    && let Err(warning) = quiesce::after(&self.answers, handle, quiesce).await
                {
                    job.report().warning = Some(warning);
                }
                done
            }
            BackupAction::Restore { backup_id, paths } => {
                let Some(_still) = place::Still::hold(&self.context, &server_id) else {
                    return Err((ErrorCode::Busy, "Another backup of this server is being restored.".into()));
                };
                if paths.is_empty() && !known {
                    let sentence = "It is not known whether the server runs: the engine does not answer.";
                    return Err((ErrorCode::EngineUnavailable, sentence.into()));
                }
                if paths.is_empty() {
                    may_be_replaced(handle)?;
                }
                let destination = folder::restoring(&self.context.data_dir, &server_id);
                place::clear(&self.context, &server_id).await?;
                let work = Work::Restore { backup_id, destination, paths: paths.clone() };
                let done = child(work).await;
                if matches!(done, Ok(Some(_))) {
                    if handle.is_gone() {
                        place::clear(&self.context, &server_id).await?;
                        return Err((ErrorCode::NotFound, "The server was deleted meanwhile.".into()));
                    }
                    if paths.is_empty() {
                        place::put(&self.context, &server_id).await?;
                    } else {
                        parts::put(&self.context, &server_id, paths).await?;
                    }
                } else if let Err((_, error)) = place::clear(&self.context, &server_id).await {
                    tracing::warn!(server = %server_id, error, "what a restore left could not be removed");
                }
                done
            }
            _ => Ok(None),
        }
    }

    /// Writes a backup to where a new server's folder will be.
    async fn restore_new(
        &self,
        job: &Job,
        server_id: Option<&ServerId>,
        (repository, limits): (&BackupRepository, BackupLimits),
        backup_id: String,
    ) -> Result<Option<Outcome>, Failed> {
        let Some(server_id) = server_id.filter(|id| id.is_valid()) else {
            return Err((ErrorCode::Invalid, "The job names no server.".into()));
        };
        let Some(_still) = place::Still::hold(&self.context, server_id) else {
            return Err((ErrorCode::Busy, "A backup is being restored to this server already.".into()));
        };
        place::clear(&self.context, server_id).await?;
        let destination = folder::restoring(&self.context.data_dir, server_id);
        let work = Work::Restore { backup_id, destination, paths: Vec::new() };
        let done = self.child(job, repository, limits, work).await;
        if matches!(done, Ok(Some(_))) {
            place::arrive(&self.context, server_id).await?;
        } else if let Err((_, error)) = place::clear(&self.context, server_id).await {
            tracing::warn!(server = %server_id, error, "what a restore left could not be removed");
        }
        done
    }

    /// Has a worker do it.
    async fn child(
        &self,
        job: &Job,
        repository: &BackupRepository,
        limits: BackupLimits,
        work: Work,
    ) -> Result<Option<Outcome>, Failed> {
        let bytes = STANDARD.decode(&repository.key).ok().and_then(|bytes| bytes.try_into().ok());
        let Some(bytes) = bytes else {
            return Err((ErrorCode::Invalid, "The repository's key is none.".into()));
        };
        let request = WorkerRequest {
            node: self.context.data_dir.join("backups"),
            id: repository.id.clone(),
            location: repository.location.clone(),
            limits,
            key: MasterKey::from_bytes(&bytes),
            password: repository.password.clone(),
            work,
        };
        let told = |bytes, total| {
            let mut report = job.report();
            (report.bytes, report.total) = (bytes, total);
        };
        match process::run(&request, &job.cancel, told).await {
            Ok(Ended::Done(outcome)) => Ok(Some(*outcome)),
            Ok(Ended::BrokenOff) => Ok(None),
            Ok(Ended::Failed(code, message)) => Err((error_code(code), message)),
            Err(error) => Err((
                ErrorCode::AgentFailed,
                format!("The process that makes backups could not be run: {error}."),
            )),
        }
    }
}

/// Waits until it is known what the server does, for [`LOOKED`] at most. Whether it is.
async fn state_known(handle: &Handle, cancel: &CancellationToken) -> bool {
    let mut status = handle.status.clone();
    tokio::select! {
        () = cancel.cancelled() => false,
        known = tokio::time::timeout(LOOKED, status.wait_for(|status| status.status != Status::Unknown)) => matches!(known, Ok(Ok(_))),
    }
}

/// Whether the server stands still, so that its files may be replaced.
fn may_be_replaced(handle: &Handle) -> Result<(), Failed> {
    let status = handle.status.borrow();
    let still = matches!(
        status.status,
        Status::Stopped | Status::Created | Status::Crashed | Status::InstallFailed | Status::Suspended
    );
    if still && status.restart_at.is_none() {
        return Ok(());
    }
    Err((ErrorCode::Conflict, "Stop the server before a backup is restored.".into()))
}
