//! One reader of a console.

use std::time::Duration;

use protocol::{ConsoleItem, ConsolePartial};
use tokio::sync::watch;
use tokio::time::Instant;

use super::resume::{ConsoleMark, ResumePoint};
use super::shared::Console;

/// Lines that a new reader gets at once.
const BACKLOG: usize = 200;
/// Lines in a batch.
const BATCH_LINES: usize = 500;
/// Bytes in a batch, about.
const BATCH_BYTES: usize = 64 * 1024;
/// Batches that go out at once, whatever they hold; one more each [`PACE`]. Past that a batch waits for the next, and
/// gathers what comes meanwhile: a game that writes each line by itself costs no message a line.
const AT_ONCE: u32 = 32;
/// Between two batches where many come.
const PACE: Duration = Duration::from_millis(2);
/// An unfinished line is told of when it has stood for this long: most are finished at once …
const SETTLED: Duration = Duration::from_millis(10);
/// … and no oftener than this, however often it changes.
const PARTIAL_PACE: Duration = Duration::from_millis(100);
/// How long lines that a reader had are waited for: an agent that was just started reads the engine's log.
const LOG_IS_READ: Duration = Duration::from_secs(3);
/// Between two looks for them.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// A console that was quiet for this long keeps no more than one that nobody reads.
const QUIET: Duration = Duration::from_secs(2);

/// What a reader gets at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// In order.
    pub lines: Vec<ConsoleItem>,
    /// They replace everything that the reader has.
    pub reset: bool,
    /// The line after them that is not finished yet. Absent where more lines follow at once, too.
    pub partial: Option<ConsolePartial>,
}

/// Reads a console from some line on. A slow one misses lines and is told how many; it holds nothing up.
#[derive(Debug)]
pub struct Follower {
    console: Console,
    changed: watch::Receiver<u64>,
    cursor: u64,
    /// Where the reader stopped before, until it is found, and how long that is tried.
    place: Option<(ConsoleMark, Instant)>,
    /// The first batch is due, even an empty one.
    first: bool,
    reset: bool,
    pace: Pace,
    /// It wants the unfinished line too.
    partial: Option<Partial>,
}

/// What a reader has of the unfinished line.
#[derive(Debug, Default)]
struct Partial {
    told: Option<ConsolePartial>,
    /// When it was last told of without lines.
    told_at: Option<Instant>,
    /// Since when it has been another one.
    differs: Option<Instant>,
}

/// Batches that may go out at once.
#[derive(Debug)]
struct Pace {
    saved: u32,
    filled: Instant,
}

impl Console {
    /// Reads on from `place`, or from the last 200 where there is none or it is not found.
    #[must_use]
    pub fn follow(&self, place: Option<ConsoleMark>) -> Follower {
        // Subscribed before the first look, so that no line falls in between.
        let changed = self.changes();
        let cursor = self.read(|inner| inner.ring.before_tail(BACKLOG));
        let place = place.map(|place| (place, Instant::now() + LOG_IS_READ));
        let pace = Pace { saved: AT_ONCE, filled: Instant::now() };
        let console = self.clone();
        Follower { console, changed, cursor, place, first: true, reset: false, pace, partial: None }
    }
}

impl Follower {
    /// Tells of the unfinished line as well.
    #[must_use]
    pub fn with_partial(mut self, wanted: bool) -> Self {
        self.partial = wanted.then(Partial::default);
        self
    }

    /// The next lines, as soon as there are any; under load as a batch fills, or every few milliseconds. The first call
    /// answers at once, with no lines where there are none. Nothing is lost when it is cancelled.
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
                // The sender lives in the console that we hold.
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

    /// Whether the reader knows where to go on; waits for more lines where it does not.
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

    /// When the unfinished line is told of, where it is not what was told.
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

    /// What is there now, without waiting.
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
        // We are the last one.
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
