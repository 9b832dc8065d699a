//! Passes an agent's progress reports of jobs to those who wait for them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::FileProgress;
use tokio::sync::watch;

/// The jobs of one session whose progress somebody waits for.
#[derive(Default)]
pub(super) struct JobProgress(Mutex<HashMap<String, watch::Sender<Option<FileProgress>>>>);

/// Subscription to the progress of one job; ends when dropped.
pub(super) struct WatchedJob<'s> {
    jobs: &'s JobProgress,
    id: &'s str,
    told: watch::Receiver<Option<FileProgress>>,
}

impl JobProgress {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Option<FileProgress>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles a progress report. Dropped if nobody waits for that job.
    pub(super) fn note(&self, progress: FileProgress) {
        if let Some(job) = self.lock().get(&progress.job_id) {
            job.send_replace(Some(progress));
        }
    }

    /// Waits for reports of this job from now on.
    pub(super) fn watch<'s>(&'s self, id: &'s str) -> WatchedJob<'s> {
        let (tell, told) = watch::channel(None);
        self.lock().insert(id.to_owned(), tell);
        WatchedJob { jobs: self, id, told }
    }
}

impl WatchedJob<'_> {
    /// The next report; `None` if none came in this time.
    pub(super) async fn next(&mut self, within: Duration) -> Option<FileProgress> {
        match tokio::time::timeout(within, self.told.changed()).await {
            Ok(Ok(())) => self.told.borrow_and_update().clone(),
            Ok(Err(_)) | Err(_) => None,
        }
    }
}

impl Drop for WatchedJob<'_> {
    fn drop(&mut self) {
        self.jobs.lock().remove(self.id);
    }
}
