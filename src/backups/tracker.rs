//! What is known of the jobs at this moment and not worth a write.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use protocol::{BackupReport, ServerId};
use tokio_util::sync::CancellationToken;

/// The key of a backup's restore test.
pub(super) fn test_key(backup_id: &str) -> String {
    format!("test:{backup_id}")
}

/// The key of a server that is being made of a backup.
pub(super) fn copy_key(backup_id: &str) -> String {
    format!("copy:{backup_id}")
}

/// Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Tracker(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// By backup.
    jobs: HashMap<String, Live>,
    /// Counts the changes of a server's backups.
    revisions: HashMap<ServerId, u64>,
}

struct Live {
    progress: Option<Progress>,
    cancel: CancellationToken,
}

/// How far a job is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) bytes: u64,
    pub(super) total: u64,
    since: Instant,
}

impl Progress {
    /// Bytes in a second.
    pub(super) fn rate(&self) -> u64 {
        let milliseconds = self.since.elapsed().as_millis().max(1);
        u64::try_from(u128::from(self.bytes) * 1000 / milliseconds).unwrap_or(u64::MAX)
    }
}

impl Tracker {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job begins, or goes on: what calls it off.
    pub(super) fn begin(&self, backup_id: &str) -> CancellationToken {
        let cancel = CancellationToken::new();
        let live = Live { progress: None, cancel: cancel.clone() };
        self.lock().jobs.insert(backup_id.to_owned(), live);
        cancel
    }

    /// It is over.
    pub(super) fn end(&self, backup_id: &str) {
        self.lock().jobs.remove(backup_id);
    }

    /// Whether it is under way.
    pub(super) fn is_known(&self, key: &str) -> bool {
        self.lock().jobs.contains_key(key)
    }

    /// Calls it off; false where there is none.
    pub(super) fn cancel(&self, backup_id: &str) -> bool {
        let state = self.lock();
        let live = state.jobs.get(backup_id);
        if let Some(live) = live {
            live.cancel.cancel();
        }
        live.is_some()
    }

    pub(super) fn progress(&self, backup_id: &str) -> Option<Progress> {
        self.lock().jobs.get(backup_id)?.progress
    }

    /// Notes how far a job is; false where that is no news.
    pub(super) fn note(&self, backup_id: &str, report: &BackupReport) -> bool {
        let mut state = self.lock();
        let Some(live) = state.jobs.get_mut(backup_id) else { return false };
        let before = live.progress.map(|before| (before.bytes, before.total));
        if before == Some((report.bytes, report.total)) {
            return false;
        }
        let since = live.progress.map_or_else(Instant::now, |before| before.since);
        live.progress = Some(Progress { bytes: report.bytes, total: report.total, since });
        true
    }

    /// Something of a server's backups has changed.
    pub(super) fn changed(&self, server_id: &ServerId) {
        *self.lock().revisions.entry(server_id.clone()).or_default() += 1;
    }

    /// Which state of a server's backups this is.
    pub(super) fn revision(&self, server_id: &ServerId) -> u64 {
        self.lock().revisions.get(server_id).copied().unwrap_or(0)
    }
}
