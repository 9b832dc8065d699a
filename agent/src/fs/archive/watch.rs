//! Whoever waits for an archive: hears how far it is, and may call it off.

use tokio_util::sync::CancellationToken;

use super::error::ArchiveError;

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    /// Entries that are done.
    pub(crate) entries: u64,
    /// Bytes that are done, unpacked.
    pub(crate) bytes: u64,
    /// All of them, where that is known or was claimed.
    pub(crate) total: Option<u64>,
    /// The entry that is under way.
    pub(crate) path: &'a [u8],
}

/// What is called with each step. It is called often, and has to be cheap.
pub(crate) type OnStep<'w> = Box<dyn FnMut(Step<'_>) + 'w>;

/// Whoever waits for an archive.
pub(crate) struct Watch<'w> {
    stop: CancellationToken,
    on_step: OnStep<'w>,
}

impl<'w> Watch<'w> {
    pub(crate) fn new(stop: CancellationToken, on_step: OnStep<'w>) -> Self {
        Self { stop, on_step }
    }

    /// Nobody wants to hear of the steps.
    pub(crate) fn silent(stop: CancellationToken) -> Self {
        Self::new(stop, Box::new(|_| {}))
    }

    /// Tells of a step; an error where it is no longer wanted.
    pub(super) fn step(&mut self, step: Step<'_>) -> Result<(), ArchiveError> {
        (self.on_step)(step);
        if self.stop.is_cancelled() { Err(ArchiveError::Cancelled) } else { Ok(()) }
    }

    pub(super) fn token(&self) -> &CancellationToken {
        &self.stop
    }
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Watch").field("stop", &self.stop).finish_non_exhaustive()
    }
}

/// Entries that are named of those that were left out.
const NAMED: usize = 100;

/// What was done, and what was left out of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Files, folders and links.
    pub(crate) entries: u64,
    /// Bytes of files, unpacked.
    pub(crate) bytes: u64,
    /// What was left out and why; the first hundred of it.
    pub(crate) skipped: Vec<(Vec<u8>, String)>,
    /// How much was left out.
    pub(crate) skipped_count: u64,
}

impl Outcome {
    pub(super) fn skip(&mut self, path: &[u8], why: impl Into<String>) {
        self.skipped_count += 1;
        if self.skipped.len() < NAMED {
            self.skipped.push((path.to_owned(), why.into()));
        }
    }
}
