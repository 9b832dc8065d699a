//! One job on a server's files, as the work sees it.

use std::time::{Duration, Instant};

use protocol::{Envelope, FileDone, FileProgress, PATHS, SKIPPED, ServerId, Skipped, ToPanel, Trashed};
use templates::file_denylist::FileDenylist;
use tokio_util::sync::CancellationToken;

use super::context::over_quota;
use super::store::Store;
use crate::fs::{FileError, RootDir, text_below};
use crate::link::Outbox;

/// Between two reports of progress.
const SAY_EVERY: Duration = Duration::from_millis(250);
/// Entries that are done between two looks at the clock.
const LOOK_EVERY: u32 = 32;
/// Bytes that are done between two looks at the clock.
const LOOK_BYTES: u64 = 4 << 20;

/// One job on a server's files.
pub(crate) struct Job<'j> {
    /// The server's folder.
    pub(crate) root: &'j RootDir,
    /// What is kept beside it.
    pub(crate) store: &'j Store,
    /// Nobody wants it any more.
    pub(crate) cancel: &'j CancellationToken,
    /// Bytes that are free of the server's limit; none where that is not bounded.
    pub(crate) free: Option<u64>,
    /// Files that the caller may not access.
    pub(crate) denied: FileDenylist,
    /// How far it is.
    pub(crate) progress: Progress,
}

impl Job<'_> {
    /// An error where the server may not take so many bytes more.
    pub(super) fn afford(&self, bytes: u64) -> Result<(), FileError> {
        match self.free {
            Some(free) if free < bytes => Err(over_quota(free)),
            _ => Ok(()),
        }
    }

    /// An error where nobody wants it any more.
    pub(crate) fn wanted(&self) -> Result<(), FileError> {
        if self.cancel.is_cancelled() { Err(FileError::Cancelled) } else { Ok(()) }
    }
}

/// How far a job is; the panel is told at most four times a second.
pub(crate) struct Progress {
    out: Outbox<ToPanel>,
    done: FileDone,
    total_bytes: Option<u64>,
    said: Instant,
    unseen: u32,
    unseen_bytes: u64,
}

impl Progress {
    pub(crate) fn new(out: Outbox<ToPanel>, server_id: ServerId, job_id: String) -> Self {
        let done = FileDone {
            server_id,
            job_id,
            entries: 0,
            bytes: 0,
            skipped: Vec::new(),
            skipped_count: 0,
            trashed: Vec::new(),
        };
        Self { out, done, total_bytes: None, said: Instant::now(), unseen: 0, unseen_bytes: 0 }
    }

    /// So many bytes there are.
    pub(crate) fn expect(&mut self, bytes: u64) {
        self.total_bytes = Some(bytes);
    }

    /// So much more is done; `path` is below the server's folder.
    pub(crate) fn add(&mut self, entries: u64, bytes: u64, path: &[u8]) {
        self.done.entries += entries;
        self.done.bytes += bytes;
        self.unseen += 1;
        self.unseen_bytes += bytes;
        if self.unseen < LOOK_EVERY && self.unseen_bytes < LOOK_BYTES {
            return;
        }
        (self.unseen, self.unseen_bytes) = (0, 0);
        if self.said.elapsed() < SAY_EVERY {
            return;
        }
        self.said = Instant::now();
        let FileDone { server_id, job_id, entries, bytes, .. } = &self.done;
        let progress = FileProgress {
            server_id: server_id.clone(),
            job_id: job_id.clone(),
            entries: *entries,
            bytes: *bytes,
            total_bytes: self.total_bytes,
            path: text_below(path),
        };
        // Where there is no room the next one says it.
        let _ = self.out.try_send(Envelope::new(ToPanel::FileProgress(progress)));
    }

    /// Something is passed over.
    pub(crate) fn skip(&mut self, path: &[u8], reason: impl Into<String>) {
        self.done.skipped_count += 1;
        if self.done.skipped.len() < SKIPPED {
            self.done.skipped.push(Skipped { path: text_below(path), reason: reason.into() });
        }
    }

    /// More is passed over than is named.
    pub(super) fn skip_unnamed(&mut self, more: u64) {
        self.done.skipped_count += more;
    }

    /// So much it was in the end.
    pub(super) fn came_to(&mut self, entries: u64, bytes: u64) {
        (self.done.entries, self.done.bytes) = (entries, bytes);
    }

    /// Bytes that are done.
    pub(super) fn bytes(&self) -> u64 {
        self.done.bytes
    }

    /// Something is in the trash now.
    pub(super) fn trashed(&mut self, id: String, path: String) {
        if self.done.trashed.len() < PATHS {
            self.done.trashed.push(Trashed { id, path });
        }
    }

    /// Files and folders that are done.
    pub(super) fn entries(&self) -> u64 {
        self.done.entries
    }

    /// How it ended.
    pub(super) fn finish(self) -> FileDone {
        self.done
    }
}
