//! Disk usage of each server's files: measured from time to time by a walk, plus what the agent wrote since.

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

/// Folders measured in parallel.
const WALKS: usize = 2;

/// A measurement.
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
    /// Bytes written by the agent since the measurement.
    written: u64,
    /// The disk limit in bytes; `None` for unlimited.
    limit: Option<u64>,
    walking: bool,
}

/// The disk usage of all servers. Cheap to clone.
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

    /// The last measurement, and whether a new one is in progress.
    pub(crate) fn get(&self, id: &ServerId) -> (Option<Measured>, bool) {
        self.lock().get(id).map_or((None, false), |known| (known.measured.clone(), known.walking))
    }

    /// Bytes used on the disk, if known.
    pub(crate) fn bytes(&self, id: &ServerId) -> Option<u64> {
        let servers = self.lock();
        let known = servers.get(id)?;
        Some(known.measured.as_ref()?.bytes.saturating_add(known.written))
    }

    /// Sets the disk limit of a server in bytes; `None` for unlimited.
    pub(crate) fn set_limit(&self, id: &ServerId, limit: Option<u64>) {
        self.lock().entry(id.clone()).or_default().limit = limit;
    }

    /// The disk limit of a server.
    fn limit(&self, id: &ServerId) -> Option<u64> {
        self.lock().get(id)?.limit
    }

    /// Bytes left within the limit; `None` if there is no limit.
    pub(crate) fn free(&self, id: &ServerId) -> Option<u64> {
        let servers = self.lock();
        let known = servers.get(id)?;
        let measured = known.measured.as_ref().map_or(0, |measured| measured.bytes);
        Some(known.limit?.saturating_sub(measured).saturating_sub(known.written))
    }

    /// Whether the usage is near the limit, so that it should be measured more often.
    pub(crate) fn is_near_limit(&self, id: &ServerId) -> bool {
        self.limit(id).is_some_and(|limit| self.bytes(id).unwrap_or(u64::MAX) > limit / 4 * 3)
    }

    /// Adds bytes written by the agent.
    pub(crate) fn wrote(&self, id: &ServerId, bytes: u64) {
        let mut servers = self.lock();
        let known = servers.entry(id.clone()).or_default();
        known.written = known.written.saturating_add(bytes);
    }

    /// Drops deleted servers.
    pub(crate) fn retain(&self, is_there: impl Fn(&ServerId) -> bool) {
        self.lock().retain(|id, known| known.walking || is_there(id));
    }

    /// Measures a server on a separate thread, unless the last result is newer than `older_than` or a measurement is in
    /// progress; `then` gets the bytes. False if too many measurements are running.
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
            // The walk may or may not have seen what was written meanwhile.
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
