//! How much room the files of each server take: measured now and then by a walk, and what was written since then by us.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use protocol::ServerId;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::disk::{Large, measure};

/// Folders that are walked through at once.
const WALKS: usize = 2;

/// What was measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
    pub(crate) at: Timestamp,
    pub(crate) largest: Arc<[Large]>,
    when: Instant,
}

#[derive(Debug, Default)]
struct Known {
    measured: Option<Measured>,
    /// What we wrote since then.
    written: u64,
    /// What it may take.
    limit: Option<u64>,
    walking: bool,
}

/// The same of all servers. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Usages {
    servers_dir: PathBuf,
    tasks: TaskTracker,
    cancel: CancellationToken,
    walks: Arc<Semaphore>,
    servers: Arc<Mutex<HashMap<ServerId, Known>>>,
}

impl Usages {
    pub(crate) fn new(servers_dir: PathBuf, tasks: TaskTracker, cancel: CancellationToken) -> Self {
        Self { servers_dir, tasks, cancel, walks: Arc::new(Semaphore::new(WALKS)), servers: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ServerId, Known>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known, and whether it is being measured.
    pub(crate) fn get(&self, id: &ServerId) -> (Option<Measured>, bool) {
        self.lock().get(id).map_or((None, false), |known| (known.measured.clone(), known.walking))
    }

    /// Bytes on the disk, as far as that is known.
    pub(crate) fn bytes(&self, id: &ServerId) -> Option<u64> {
        let servers = self.lock();
        let known = servers.get(id)?;
        Some(known.measured.as_ref()?.bytes.saturating_add(known.written))
    }

    /// What a server may take; none where that is not bounded.
    pub(crate) fn set_limit(&self, id: &ServerId, limit: Option<u64>) {
        self.lock().entry(id.clone()).or_default().limit = limit;
    }

    /// What a server may take.
    fn limit(&self, id: &ServerId) -> Option<u64> {
        self.lock().get(id)?.limit
    }

    /// What is free of that; none where it is not bounded.
    pub(crate) fn free(&self, id: &ServerId) -> Option<u64> {
        let servers = self.lock();
        let known = servers.get(id)?;
        let measured = known.measured.as_ref().map_or(0, |measured| measured.bytes);
        Some(known.limit?.saturating_sub(measured).saturating_sub(known.written))
    }

    /// It takes most of what it may: it is worth to look more often.
    pub(crate) fn is_near_limit(&self, id: &ServerId) -> bool {
        self.limit(id).is_some_and(|limit| self.bytes(id).unwrap_or(u64::MAX) > limit / 4 * 3)
    }

    /// We wrote so much there.
    pub(crate) fn wrote(&self, id: &ServerId, bytes: u64) {
        let mut servers = self.lock();
        let known = servers.entry(id.clone()).or_default();
        known.written = known.written.saturating_add(bytes);
    }

    /// Forgets the servers that are gone.
    pub(crate) fn retain(&self, is_there: impl Fn(&ServerId) -> bool) {
        self.lock().retain(|id, known| known.walking || is_there(id));
    }

    /// Measures on a thread of its own, where that was not done for so long and nobody does it now; `then` is told the bytes.
    /// False where as many are measured as may be at once.
    pub(crate) fn measure(
        &self,
        id: &ServerId,
        older_than: Duration,
        then: impl FnOnce(u64) + Send + 'static,
    ) -> bool {
        let mut servers = self.lock();
        let known = servers.entry(id.clone()).or_default();
        let fresh = known.measured.as_ref().is_some_and(|measured| measured.when.elapsed() < older_than);
        if known.walking || fresh {
            return true;
        }
        let Ok(turn) = Arc::clone(&self.walks).try_acquire_owned() else { return false };
        known.walking = true;
        let before = known.written;
        drop(servers);
        let (this, id, path) = (self.clone(), id.clone(), self.servers_dir.join(id.as_str()));
        drop(self.tasks.spawn_blocking(move || {
            let measured = measure(&path, &this.cancel);
            drop(turn);
            let mut servers = this.lock();
            let known = servers.entry(id).or_default();
            known.walking = false;
            let Ok((usage, largest)) = measured else { return };
            // What was written meanwhile may have been seen or not.
            known.written = known.written.saturating_sub(before);
            known.measured = Some(Measured {
                bytes: usage.bytes,
                entries: usage.files,
                at: Timestamp::now(),
                largest: largest.into(),
                when: Instant::now(),
            });
            drop(servers);
            then(usage.bytes);
        }));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_measured_and_what_is_written_since() {
        let dir = tempfile::tempdir().unwrap();
        let id = ServerId::from("one".to_owned());
        std::fs::create_dir(dir.path().join("one")).unwrap();
        std::fs::write(dir.path().join("one/file"), vec![1; 100_000]).unwrap();
        let tasks = TaskTracker::new();
        let usages = Usages::new(dir.path().to_owned(), tasks.clone(), CancellationToken::new());
        assert_eq!((usages.bytes(&id), usages.get(&id).1), (None, false));
        usages.wrote(&id, 5);
        let (told, heard) = std::sync::mpsc::channel();
        let again = told.clone();
        assert!(usages.measure(&id, Duration::ZERO, move |bytes| told.send(bytes).unwrap()));
        tasks.close();
        tasks.wait().await;
        let bytes = heard.recv().unwrap();
        assert!((100_000..200_000).contains(&bytes), "{bytes}");
        usages.wrote(&id, 1000);
        assert_eq!(usages.bytes(&id), Some(bytes + 1000), "what came before was seen");
        assert!(usages.measure(&id, Duration::from_secs(60), move |_| again.send(1).unwrap()));
        tasks.wait().await;
        assert!(heard.try_recv().is_err(), "it is fresh");
        assert_eq!(usages.get(&id).0.unwrap().largest[0].path, b"file");
        usages.retain(|_| false);
        assert_eq!(usages.bytes(&id), None);
    }
}
