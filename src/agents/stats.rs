//! Stats of one server while somebody watches: the latest sample, encoded once for all readers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use protocol::Stats;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// One sample.
pub struct Sample {
    /// The sample.
    pub stats: Stats,
    /// The frame for readers, encoded by the first of them.
    pub encoded: OnceLock<Utf8Bytes>,
    number: u64,
}

/// Latest sample of a watched server. A slow reader skips samples and never gets old ones.
pub struct StatsFeed {
    latest: Mutex<Option<Arc<Sample>>>,
    readers: Mutex<Vec<Arc<Notify>>>,
    gone: AtomicBool,
}

impl StatsFeed {
    pub(super) fn new(latest: Option<Stats>) -> Arc<Self> {
        let latest = latest.map(|stats| Arc::new(Sample { stats, encoded: OnceLock::new(), number: 1 }));
        Arc::new(Self { latest: Mutex::new(latest), readers: Mutex::default(), gone: AtomicBool::new(false) })
    }

    pub(super) fn push(&self, stats: Stats) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let number = latest.as_ref().map_or(0, |sample| sample.number) + 1;
        *latest = Some(Arc::new(Sample { stats, encoded: OnceLock::new(), number }));
        drop(latest);
        self.wake();
    }

    pub(super) fn set_gone(&self) {
        self.gone.store(true, Ordering::Release);
        self.wake();
    }

    /// Whether the server was deleted.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// The latest sample if it is newer than `seen`, which is advanced.
    pub fn next(&self, seen: &mut u64) -> Option<Arc<Sample>> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let sample = latest.as_ref().filter(|sample| sample.number > *seen)?;
        *seen = sample.number;
        Some(Arc::clone(sample))
    }

    pub(super) fn add_reader(&self, reader: Arc<Notify>) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
    }

    /// Removes a reader. Returns whether it was the last one.
    pub(super) fn remove_reader(&self, reader: &Arc<Notify>) -> bool {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = readers.iter().position(|other| Arc::ptr_eq(other, reader)) {
            readers.swap_remove(at);
        }
        readers.is_empty()
    }

    fn wake(&self) {
        for reader in self.readers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            reader.notify_one();
        }
    }
}
