//! One reader of a console.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::resume::{Found, Place};
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
/// How long lines that a reader had are waited for: an agent that was just started reads the engine's log.
const LOG_IS_READ: Duration = Duration::from_secs(3);

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
    /// Where the reader stopped before, until it is found, and how long that is tried.
    place: Option<(Place, Instant)>,
    /// The first batch is due, even an empty one.
    first: bool,
    reset: bool,
    sent: Option<Instant>,
}

impl Console {
    /// Reads on from `place`, or from the last 200 where there is none or it is not found.
    #[must_use]
    pub fn follow(&self, place: Option<Place>) -> Follower {
        // Subscribed before the first look, so that no line falls in between.
        let changed = self.changes();
        let cursor = self.read(|ring| ring.before_tail(BACKLOG));
        let place = place.map(|place| (place, Instant::now() + LOG_IS_READ));
        Follower { console: self.clone(), changed, cursor, place, first: true, reset: false, sent: None }
    }
}

impl Follower {
    /// The next lines: at once where the console was idle, about every 10 ms or as a batch fills under load. The
    /// first call answers at once, with no lines where there are none. Nothing is lost when it is cancelled.
    pub async fn next(&mut self) -> Batch {
        loop {
            self.changed.borrow_and_update();
            if !self.found().await {
                continue;
            }
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

    /// Whether the reader knows where to go on; waits for more lines where it does not.
    async fn found(&mut self) -> bool {
        let Some((place, until)) = &self.place else { return true };
        let until = *until;
        match self.console.find(place, Instant::now() >= until) {
            Found::At(seq) => self.cursor = seq,
            Found::Nowhere => {
                self.cursor = self.console.read(|ring| ring.before_tail(BACKLOG));
                self.reset = true;
            }
            Found::NotYet => {
                let more = async {
                    let _ = self.changed.changed().await;
                    tokio::time::sleep(PACE).await;
                };
                let _ = tokio::time::timeout_at(until, more).await;
                return false;
            }
        }
        self.place = None;
        true
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
