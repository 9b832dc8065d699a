//! Who waits for the progress of which job of an agent.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::FileProgress;
use tokio::sync::watch;

/// The jobs of one session that somebody waits for.
#[derive(Default)]
pub(super) struct JobProgress(Mutex<HashMap<String, watch::Sender<Option<FileProgress>>>>);

/// One that is waited for, until this is dropped.
pub(super) struct WatchedJob<'s> {
    jobs: &'s JobProgress,
    id: &'s str,
    told: watch::Receiver<Option<FileProgress>>,
}

impl JobProgress {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Option<FileProgress>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The agent has told of a job. Of one that nobody waits for it is dropped.
    pub(super) fn note(&self, progress: FileProgress) {
        if let Some(job) = self.lock().get(&progress.job_id) {
            job.send_replace(Some(progress));
        }
    }

    /// Waits for word of this job from now on.
    pub(super) fn watch<'s>(&'s self, id: &'s str) -> WatchedJob<'s> {
        let (tell, told) = watch::channel(None);
        self.lock().insert(id.to_owned(), tell);
        WatchedJob { jobs: self, id, told }
    }
}

impl WatchedJob<'_> {
    /// The next word; `None` where nothing came for this long.
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
