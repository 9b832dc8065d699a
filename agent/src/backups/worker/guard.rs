//! What went wrong while files were read and written. The library logs what it could not read and goes on, which would leave
//! a backup without these files: so its log is listened to, and no snapshot is written once it has said such a thing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::message::Failure;

/// Names that are kept.
const NAMES: usize = 20;
/// Bytes of a sentence that is kept.
const SENTENCE: usize = 500;
/// What the error of a file says that was there when its folder was listed, and is not any more.
pub(super) const VANISHED: &str = "vanished while the backup was made";
/// What does no harm: the files are read again then.
const HARMLESS: [&str; 7] = [
    "Error reading snapshot",
    "ignoring error when loading parent tree",
    "Note: additional entries",
    "missing blobs in index for unchanged file",
    "ignoring error reading parent snapshot",
    "ignoring parent node",
    "ignoring Datetime error",
];

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    problem: Option<String>,
    changed: u64,
    names: Vec<String>,
    failed: Option<Failure>,
}

impl Guard {
    /// One that hears what the library logs.
    pub(super) fn install() -> Self {
        let guard = Self::default();
        if log::set_boxed_logger(Box::new(Ear(guard.clone()))).is_ok() {
            log::set_max_level(LevelFilter::Warn);
        }
        guard
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file changed or vanished while it was read.
    pub(super) fn changed(&self, path: &str) {
        let mut seen = self.lock();
        seen.changed += 1;
        if seen.names.len() < NAMES {
            seen.names.push(path.chars().take(SENTENCE).collect());
        }
    }

    /// Something could not be read or written.
    pub(super) fn problem(&self, sentence: &str) {
        self.lock().problem.get_or_insert_with(|| sentence.chars().take(SENTENCE).collect());
    }

    /// Records a failed store operation. rustic decides whether it is fatal.
    pub(super) fn failed(&self, failure: Failure) {
        self.lock().failed = Some(failure);
    }

    /// Takes the last failure of a store operation.
    pub(super) fn last_failure(&self) -> Option<Failure> {
        self.lock().failed.take()
    }

    /// The first problem.
    pub(super) fn first_problem(&self) -> Option<String> {
        self.lock().problem.clone()
    }

    /// How many files changed, and the first of them.
    pub(super) fn changes(&self) -> (u64, Vec<String>) {
        let seen = self.lock();
        (seen.changed, seen.names.clone())
    }
}

struct Ear(Guard);

impl Log for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn && metadata.target().starts_with("rustic")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let sentence = record.args().to_string();
        if !sentence.contains(VANISHED) && !HARMLESS.iter().any(|harmless| sentence.contains(harmless)) {
            self.0.problem(&sentence);
        }
    }

    fn flush(&self) {}
}
