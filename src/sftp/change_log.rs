//! Logs changes to files. Logging each of a thousand files a second would fill the disk and wear out an SD card, so only
//! the first changes of a minute are named and the rest are counted.

use std::time::Duration;

use tokio::time::Instant;

use protocol::ServerId;
use protocol::file_paths::text_of;

/// Changes that are named, of one client in [`PERIOD`].
const NAMED: u32 = 30;
const PERIOD: Duration = Duration::from_secs(60);

/// What one client changes.
pub(super) struct ChangeLog {
    by: String,
    since: Instant,
    named: u32,
    unnamed: u64,
}

impl ChangeLog {
    pub(super) fn new(by: String) -> Self {
        Self { by, since: Instant::now(), named: 0, unnamed: 0 }
    }

    /// A change that was asked for.
    pub(super) fn note(&mut self, server: &ServerId, what: &str, path: &[u8]) {
        if self.since.elapsed() >= PERIOD {
            self.tell_unnamed();
            (self.since, self.named) = (Instant::now(), 0);
        }
        if self.named < NAMED {
            self.named += 1;
            tracing::info!(%server, by = self.by, path = text_of(path), "{what}");
        } else {
            self.unnamed += 1;
        }
    }

    fn tell_unnamed(&mut self) {
        if self.unnamed > 0 {
            tracing::info!(by = self.by, changes = self.unnamed, "more files were changed");
            self.unnamed = 0;
        }
    }
}

impl Drop for ChangeLog {
    fn drop(&mut self) {
        self.tell_unnamed();
    }
}
