//! The jobs of the panel's servers: those that go on, and the last ones that have ended. In memory only.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use protocol::{FileDone, FileProgress, ServerId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::views::{JobError, JobKind, JobState, JobView, ProgressView, SkippedView, TrashedView};
use crate::error::{ApiError, Code};
use crate::system::clock;

/// Jobs that are kept of a server.
const KEPT: usize = 20;
/// Of those, how many may go on at a time …
const RUNNING: usize = 8;
/// … and how many of them may fetch something.
const PULLS: usize = 3;
/// Servers whose ended jobs are remembered.
const SERVERS: usize = 1_000;
/// Between two words of how far a job is.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct JobTable(Arc<Mutex<HashMap<ServerId, ServerJobs>>>);

#[derive(Default)]
struct ServerJobs {
    jobs: VecDeque<Job>,
    /// Counts the changes that followers are told of.
    version: u64,
    told: Option<Instant>,
    followers: Vec<Arc<Notify>>,
}

struct Job {
    view: JobView,
    cancel: CancellationToken,
}

/// What a job is to those who do it and those who wait for it.
#[derive(Clone)]
pub(super) struct JobHandle {
    pub(super) table: JobTable,
    pub(super) server_id: ServerId,
    pub(super) id: String,
    /// Cancelled where somebody calls it off.
    pub(super) cancel: CancellationToken,
    /// Cancelled when it has ended.
    pub(super) over: CancellationToken,
    /// Why it failed.
    failed: Arc<OnceLock<ApiError>>,
}

impl JobTable {
    fn lock(&self) -> MutexGuard<'_, HashMap<ServerId, ServerJobs>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new job, or 503 where enough go on already.
    pub(super) fn begin(
        &self,
        server_id: &ServerId,
        id: String,
        kind: JobKind,
    ) -> Result<JobHandle, ApiError> {
        let mut all = self.lock();
        if all.len() >= SERVERS && !all.contains_key(server_id) {
            all.retain(|_, of| !of.followers.is_empty() || of.running().next().is_some());
        }
        let of = all.entry(server_id.clone()).or_default();
        let pulls = of.running().filter(|job| job.view.kind == JobKind::Pull).count();
        if of.running().count() >= RUNNING || (kind == JobKind::Pull && pulls >= PULLS) {
            let sentence = "Enough work on this server's files goes on. Try again when some of it is done.";
            return Err(ApiError::new(Code::Busy, sentence).retry_after(5));
        }
        while of.jobs.len() >= KEPT {
            let oldest = of.jobs.iter().position(|job| job.view.state != JobState::Running);
            let Some(oldest) = oldest else { break };
            of.jobs.remove(oldest);
        }
        let cancel = CancellationToken::new();
        of.jobs.push_back(Job { view: JobView::begun(id.clone(), kind), cancel: cancel.clone() });
        of.tell(true);
        drop(all);
        let over = CancellationToken::new();
        Ok(JobHandle {
            table: self.clone(),
            server_id: server_id.clone(),
            id,
            cancel,
            over,
            failed: Arc::default(),
        })
    }

    /// The jobs of a server, the newest last.
    pub(super) fn list(&self, server_id: &ServerId) -> Vec<JobView> {
        let all = self.lock();
        all.get(server_id).map(|of| of.jobs.iter().map(|job| job.view.clone()).collect()).unwrap_or_default()
    }

    /// The same where something has changed since.
    pub(super) fn news(&self, server_id: &ServerId, seen: &mut Option<u64>) -> Option<Vec<JobView>> {
        let version = self.lock().get(server_id).map_or(0, |of| of.version);
        if *seen == Some(version) {
            return None;
        }
        *seen = Some(version);
        Some(self.list(server_id))
    }

    /// Notifies `reader` of changes, until [`Self::unfollow`].
    pub(super) fn follow(&self, server_id: &ServerId, reader: Arc<Notify>) {
        self.lock().entry(server_id.clone()).or_default().followers.push(reader);
    }

    pub(super) fn unfollow(&self, server_id: &ServerId, reader: &Arc<Notify>) {
        let mut all = self.lock();
        let Some(of) = all.get_mut(server_id) else { return };
        if let Some(at) = of.followers.iter().position(|one| Arc::ptr_eq(one, reader)) {
            of.followers.swap_remove(at);
        }
        if of.followers.is_empty() && of.jobs.is_empty() {
            all.remove(server_id);
        }
    }

    /// Calls a job off. 404 where there is no such job, 409 where it has ended.
    pub(super) fn cancel(&self, server_id: &ServerId, id: &str) -> Result<(), ApiError> {
        let all = self.lock();
        let job = all.get(server_id).and_then(|of| of.jobs.iter().find(|job| job.view.id == id));
        let job = job.ok_or_else(|| ApiError::not_found("job"))?;
        if job.view.state != JobState::Running {
            return Err(ApiError::new(Code::Conflict, "The job has ended already."));
        }
        job.cancel.cancel();
        Ok(())
    }

    fn change(&self, server_id: &ServerId, id: &str, urgent: bool, change: impl FnOnce(&mut JobView)) {
        let mut all = self.lock();
        let Some(of) = all.get_mut(server_id) else { return };
        if let Some(job) = of.jobs.iter_mut().find(|job| job.view.id == id) {
            change(&mut job.view);
            of.tell(urgent);
        }
    }
}

impl ServerJobs {
    fn running(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| job.view.state == JobState::Running)
    }

    /// Tells followers, four times a second at most: of what is left out the next word tells.
    fn tell(&mut self, urgent: bool) {
        if !urgent && self.told.is_some_and(|told| told.elapsed() < TELL_EVERY) {
            return;
        }
        self.told = Some(Instant::now());
        self.version += 1;
        self.followers.iter().for_each(|follower| follower.notify_one());
    }
}

impl JobHandle {
    /// How far it is.
    pub(super) fn progress(&self, told: FileProgress) {
        self.table.change(&self.server_id, &self.id, false, |view| {
            view.progress = ProgressView {
                entries: told.entries,
                bytes: told.bytes,
                total_bytes: told.total_bytes,
                path: Some(told.path).filter(|path| !path.is_empty()),
            };
        });
    }

    /// The same of one whose bytes pass through here.
    pub(super) fn at(&self, bytes: u64, total_bytes: Option<u64>, path: &str) {
        self.table.change(&self.server_id, &self.id, false, |view| {
            view.progress.bytes = bytes;
            view.progress.total_bytes = total_bytes;
            if view.progress.path.is_none() {
                view.progress.path = Some(path.to_owned());
            }
        });
    }

    /// It has ended.
    pub(super) fn end(&self, outcome: &Result<FileDone, ApiError>) {
        let called_off = self.cancel.is_cancelled();
        self.table.change(&self.server_id, &self.id, true, |view| {
            view.ended_at = Some(clock::rfc3339(clock::now()));
            view.progress.path = None;
            match outcome {
                Ok(done) => {
                    view.state = JobState::Done;
                    view.progress.entries = done.entries;
                    view.progress.bytes = done.bytes;
                    view.skipped = done.skipped.iter().cloned().map(SkippedView::from).collect();
                    view.skipped_count = done.skipped_count;
                    view.trashed = done.trashed.iter().cloned().map(TrashedView::from).collect();
                }
                Err(_) if called_off => view.state = JobState::Cancelled,
                Err(error) => {
                    view.state = JobState::Failed;
                    view.error = Some(JobError::from(error));
                }
            }
        });
        if let Err(error) = outcome {
            // It ends once.
            let _ = self.failed.set(error.clone());
        }
        self.over.cancel();
    }

    /// Why it failed, or was called off.
    pub(super) fn failure(&self) -> Option<ApiError> {
        self.failed.get().cloned()
    }

    /// How it is; `None` where it was forgotten.
    pub(super) fn view(&self) -> Option<JobView> {
        self.table.list(&self.server_id).into_iter().find(|view| view.id == self.id)
    }
}

impl JobView {
    fn begun(id: String, kind: JobKind) -> Self {
        Self {
            id,
            kind,
            state: JobState::Running,
            progress: ProgressView::default(),
            started_at: clock::rfc3339(clock::now()),
            ended_at: None,
            error: None,
            skipped: Vec::new(),
            skipped_count: 0,
            trashed: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended() -> Result<FileDone, ApiError> {
        Err(ApiError::new(Code::DiskFull, "Full."))
    }

    #[test]
    fn the_last_jobs_are_kept_and_few_go_on() {
        let (table, server) = (JobTable::default(), ServerId::from("a"));
        let begin = |id: usize, kind| table.begin(&server, format!("j{id}"), kind);
        let running: Vec<_> = (0..RUNNING).map(|id| begin(id, JobKind::Copy).ok().unwrap()).collect();
        assert_eq!(begin(99, JobKind::Copy).err().map(|error| error.code()), Some(Code::Busy));
        running[0].cancel.cancel();
        running.iter().for_each(|job| job.end(&ended()));
        let states: Vec<_> = table.list(&server).iter().map(|job| job.state).collect();
        assert_eq!((states[0], states[1]), (JobState::Cancelled, JobState::Failed));
        assert!(table.cancel(&server, "j0").is_err() && table.cancel(&server, "none").is_err());
        for id in 100..150 {
            begin(id, JobKind::Delete).ok().unwrap().end(&ended());
        }
        let list = table.list(&server);
        assert_eq!((list.len(), list.last().map(|job| job.id.as_str())), (KEPT, Some("j149")));
        let pulls: Vec<_> = (0..PULLS).map(|id| begin(200 + id, JobKind::Pull).ok().unwrap()).collect();
        assert!(begin(300, JobKind::Pull).is_err() && begin(301, JobKind::Copy).is_ok());
        drop(pulls);
    }

    #[tokio::test]
    async fn followers_hear_of_changes_but_not_of_each_step() {
        let (table, server) = (JobTable::default(), ServerId::from("a"));
        let reader = Arc::new(Notify::new());
        let mut seen = None;
        table.follow(&server, Arc::clone(&reader));
        assert!(table.news(&server, &mut seen).is_some_and(|jobs| jobs.is_empty()));
        let job = table.begin(&server, "j".into(), JobKind::Copy).ok().unwrap();
        reader.notified().await;
        assert!(table.news(&server, &mut seen).is_some());
        let step = FileProgress {
            server_id: server.clone(),
            job_id: "j".into(),
            entries: 1,
            bytes: 1,
            total_bytes: None,
            path: String::new(),
        };
        (0..100).for_each(|_| job.progress(step.clone()));
        assert!(table.news(&server, &mut seen).is_none(), "too soon after the last word");
        job.end(&ended());
        reader.notified().await;
        assert_eq!(table.news(&server, &mut seen).unwrap()[0].state, JobState::Failed);
        table.unfollow(&server, &reader);
        assert!(table.lock()[&server].followers.is_empty());
    }
}
