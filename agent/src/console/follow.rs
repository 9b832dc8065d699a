//! One reader of a console.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::shared::Console;
use crate::protocol::ConsoleItem;

/// Lines that a new reader gets at once.
const BACKLOG: usize = 200;
/// Lines in a batch.
const BATCH_LINES: usize = 200;
/// Bytes in a batch, about.
const BATCH_BYTES: usize = 64 * 1024;
/// Under load a batch that is not full goes out this long after the last one.
const PACE: Duration = Duration::from_millis(10);

/// What a reader gets at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// In order.
    pub lines: Vec<ConsoleItem>,
    /// They replace everything that the reader has.
    pub reset: bool,
}

/// Reads a console from some line on. A slow one misses lines and is told how many; it holds nothing up.
#[derive(Debug)]
pub struct Follower {
    console: Console,
    changed: watch::Receiver<u64>,
    cursor: u64,
    /// The first batch is due, even an empty one.
    first: bool,
    reset: bool,
    sent: Option<Instant>,
}

impl Console {
    /// Reads on from line `after`, or from the last 200 where it is `None` or not a number of ours.
    #[must_use]
    pub fn follow(&self, after: Option<u64>) -> Follower {
        // Subscribed before the first look, so that no line falls in between.
        let changed = self.changes();
        let (cursor, reset) = self.read(|ring| match after {
            Some(after) if after < ring.next_seq() => (after, false),
            after => (ring.before_tail(BACKLOG), after.is_some()),
        });
        Follower { console: self.clone(), changed, cursor, first: true, reset, sent: None }
    }
}

impl Follower {
    /// The next lines: at once where the console was idle, about every 10 ms or as a batch fills under load. The
    /// first call answers at once, with no lines where there are none. Nothing is lost when it is cancelled.
    pub async fn next(&mut self) -> Batch {
        loop {
            self.changed.borrow_and_update();
            let waiting = self.console.read(|ring| ring.waiting(self.cursor));
            if waiting == 0 && !self.first {
                // The sender lives in the console that we hold.
                let _ = self.changed.changed().await;
                continue;
            }
            if waiting < BATCH_LINES
                && let Some(due) = self.sent.map(|sent| sent + PACE)
                && Instant::now() < due
            {
                tokio::select! {
                    () = tokio::time::sleep_until(due) => {}
                    _ = self.changed.changed() => {}
                }
                continue;
            }
            return self.take();
        }
    }

    /// What is there now, without waiting.
    fn take(&mut self) -> Batch {
        let (lines, cursor) = self.console.read(|ring| ring.after(self.cursor, BATCH_LINES, BATCH_BYTES));
        self.cursor = cursor;
        self.first = false;
        self.sent = Some(Instant::now());
        Batch { lines, reset: std::mem::take(&mut self.reset) }
    }
}
