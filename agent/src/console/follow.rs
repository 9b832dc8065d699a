//! A reader of a console.

use std::time::Duration;

use protocol::{ConsoleItem, ConsolePartial};
use tokio::sync::watch;
use tokio::time::Instant;

use super::resume::{ConsoleMark, ResumePoint};
use super::shared::Console;

/// Lines that a new reader gets first.
const BACKLOG: usize = 200;
/// Maximum lines in a batch.
const BATCH_LINES: usize = 500;
/// Approximate maximum bytes in a batch.
const BATCH_BYTES: usize = 64 * 1024;
/// Batches sent at once, whatever their size; one more is allowed every [`PACE`]. Beyond that a batch is delayed and
/// collects lines meanwhile, so that a game that writes lines one by one does not cause a message per line.
const AT_ONCE: u32 = 32;
/// Time between batches under load.
const PACE: Duration = Duration::from_millis(2);
/// An unfinished line is reported after this time, since most are completed at once …
const SETTLED: Duration = Duration::from_millis(10);
/// … and at most this often.
const PARTIAL_PACE: Duration = Duration::from_millis(100);
/// How long to wait for lines that a reader had: an agent that just started is still reading the engine's log.
const LOG_IS_READ: Duration = Duration::from_secs(3);
/// Time between attempts to find them.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// A console that was quiet for this long reduces its buffer as if it had no readers.
const QUIET: Duration = Duration::from_secs(2);

/// The lines a reader gets together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The lines, in order.
    pub lines: Vec<ConsoleItem>,
    /// Whether they replace everything the reader has.
    pub reset: bool,
    /// The unfinished line after them; also absent if more lines follow at once.
    pub partial: Option<ConsolePartial>,
}

/// Reads a console from some line on. A slow reader misses lines and is told how many; it never blocks the game.
#[derive(Debug)]
pub struct Follower {
    console: Console,
    changed: watch::Receiver<u64>,
    cursor: u64,
    /// Where the reader stopped before, until that is found, and until when to try.
    place: Option<(ConsoleMark, Instant)>,
    /// The first batch is due, even if it is empty.
    first: bool,
    reset: bool,
    pace: Pace,
    /// Set if the reader wants unfinished lines.
    partial: Option<Partial>,
}

/// The reader's state of the unfinished line.
#[derive(Debug, Default)]
struct Partial {
    told: Option<ConsolePartial>,
    /// When it was last sent without lines.
    told_at: Option<Instant>,
    /// Since when it has differed from what was sent.
    differs: Option<Instant>,
}

/// Limits the rate of batches.
#[derive(Debug)]
struct Pace {
    saved: u32,
    filled: Instant,
}

impl Console {
    /// Continues at `place`; without one, or if it is not found, starts with the last 200 lines.
    #[must_use]
    pub fn follow(&self, place: Option<ConsoleMark>) -> Follower {
        // Subscribe before the first read, so that no line is missed.
        let changed = self.changes();
        let cursor = self.read(|inner| inner.ring.before_tail(BACKLOG));
        let place = place.map(|place| (place, Instant::now() + LOG_IS_READ));
        let pace = Pace { saved: AT_ONCE, filled: Instant::now() };
        let console = self.clone();
        Follower { console, changed, cursor, place, first: true, reset: false, pace, partial: None }
    }
}

impl Follower {
    /// Also reports the unfinished line if `wanted`.
    #[must_use]
    pub fn with_partial(mut self, wanted: bool) -> Self {
        self.partial = wanted.then(Partial::default);
        self
    }

    /// Waits for the next lines; under load, until a batch is full or for a few milliseconds. The first call returns at
    /// once, possibly without lines. Cancel safe.
    pub async fn next(&mut self) -> Batch {
        loop {
            self.changed.borrow_and_update();
            if !self.found().await {
                continue;
            }
            let now = Instant::now();
            let waiting = self.console.read(|inner| inner.ring.waiting(self.cursor));
            let due = if self.first || waiting >= BATCH_LINES {
                Some(now)
            } else if waiting > 0 {
                Some(self.pace.due(now))
            } else {
                self.partial_due(now)
            };
            match due {
                Some(due) if due <= now => return self.take(now),
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(due) => {}
                    _ = self.changed.changed() => {}
                },
                // The sender lives in the console, which we hold.
                None => tokio::select! {
                    _ = self.changed.changed() => {}
                    () = tokio::time::sleep(QUIET) => {
                        self.console.rest(1);
                        let _ = self.changed.changed().await;
                    }
                },
            }
        }
    }

    /// Whether the reader's position is known; waits for more lines if it is not.
    async fn found(&mut self) -> bool {
        let Some((place, until)) = &self.place else { return true };
        let until = *until;
        match self.console.find(place, Instant::now() >= until) {
            ResumePoint::At(seq) => self.cursor = seq,
            ResumePoint::Nowhere => {
                self.cursor = self.console.read(|inner| inner.ring.before_tail(BACKLOG));
                self.reset = true;
            }
            ResumePoint::NotYet => {
                let more = async {
                    let _ = self.changed.changed().await;
                    tokio::time::sleep(LOOK_AGAIN).await;
                };
                let _ = tokio::time::timeout_at(until, more).await;
                return false;
            }
        }
        self.place = None;
        true
    }

    /// When to send the unfinished line, if it differs from what was sent.
    fn partial_due(&mut self, now: Instant) -> Option<Instant> {
        let partial = self.partial.as_mut()?;
        let same = self.console.read(|inner| inner.is_partial(partial.told.as_ref()));
        if same {
            partial.differs = None;
            return None;
        }
        let settled = *partial.differs.get_or_insert(now) + SETTLED;
        Some(partial.told_at.map_or(settled, |at| settled.max(at + PARTIAL_PACE)))
    }

    /// Returns what is available now.
    fn take(&mut self, now: Instant) -> Batch {
        let wanted = self.partial.is_some();
        let (lines, cursor, partial) = self.console.read(|inner| {
            let (lines, cursor) = inner.ring.after(self.cursor, BATCH_LINES, BATCH_BYTES);
            let last = cursor + 1 >= inner.ring.next_seq();
            (lines, cursor, if wanted && last { inner.partial() } else { None })
        });
        self.cursor = cursor;
        self.pace.spend(now);
        if let Some(told) = &mut self.partial {
            told.told.clone_from(&partial);
            told.differs = None;
            if lines.is_empty() && !self.first {
                told.told_at = Some(now);
            }
        }
        self.first = false;
        Batch { lines, reset: std::mem::take(&mut self.reset), partial }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // We are the last reader.
        self.console.rest(1);
    }
}

impl Pace {
    fn fill(&mut self, now: Instant) {
        let earned = now.saturating_duration_since(self.filled).as_nanos() / PACE.as_nanos();
        let earned = u32::try_from(earned).unwrap_or(AT_ONCE);
        if self.saved.saturating_add(earned) >= AT_ONCE {
            (self.saved, self.filled) = (AT_ONCE, now);
        } else {
            self.saved += earned;
            self.filled += PACE * earned;
        }
    }

    /// When the next batch may go out.
    fn due(&mut self, now: Instant) -> Instant {
        self.fill(now);
        if self.saved > 0 { now } else { self.filled + PACE }
    }

    fn spend(&mut self, now: Instant) {
        self.fill(now);
        self.saved = self.saved.saturating_sub(1);
    }
}
