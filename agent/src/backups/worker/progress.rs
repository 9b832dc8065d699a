//! Progress reports of rustic.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustic_core::{Progress, ProgressBars, ProgressType, RusticProgress};

use super::message::{WorkerEvent, say};

/// Between two words of how far it is.
const EVERY: Duration = Duration::from_millis(250);

/// Tells of work that is measured in bytes.
#[derive(Debug)]
pub(super) struct Tellers;

impl ProgressBars for Tellers {
    fn progress(&self, progress_type: ProgressType, _prefix: &str) -> Progress {
        match progress_type {
            ProgressType::Bytes => Progress::new(Teller::default()),
            ProgressType::Spinner | ProgressType::Counter => Progress::hidden(),
        }
    }
}

#[derive(Debug)]
struct Teller {
    began: Instant,
    bytes: AtomicU64,
    total: AtomicU64,
    /// Milliseconds after `began` when it may tell again.
    next: AtomicU64,
    over: AtomicBool,
}

impl Default for Teller {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            bytes: AtomicU64::new(0),
            total: AtomicU64::new(0),
            next: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }
}

impl Teller {
    fn tell(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let next = self.next.load(Ordering::Relaxed);
        let after = now.saturating_add(EVERY.as_millis().try_into().unwrap_or(250));
        let mine = now >= next
            && self.next.compare_exchange(next, after, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if mine && !self.over.load(Ordering::Relaxed) {
            say(&WorkerEvent::Progress {
                bytes: self.bytes.load(Ordering::Relaxed),
                total: self.total.load(Ordering::Relaxed),
            });
        }
    }
}

impl RusticProgress for Teller {
    fn is_hidden(&self) -> bool {
        false
    }

    fn set_length(&self, length: u64) {
        self.total.store(length, Ordering::Relaxed);
    }

    fn set_title(&self, _title: &str) {}

    fn inc(&self, more: u64) {
        self.bytes.fetch_add(more, Ordering::Relaxed);
        self.tell();
    }

    fn finish(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
