//! The handle that a container's reader and its followers share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use protocol::{ConsoleItem, ConsolePartial, Stream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::clean::Cleaner;
use super::resume::{self, ConsoleMark, ResumePoint};
use super::ring::Ring;

/// Lines and bytes that are kept while nobody looks: what one may ask for.
const AT_REST: (usize, usize) = (1_000, 1 << 20);
/// … and while somebody does: a follower may be 100 ms late at 150,000 lines a second.
const WATCHED: (usize, usize) = (16_384, 2 << 20);
/// An unfinished line stands still after this much silence.
const SILENCE: Duration = Duration::from_millis(500);

/// One game's console. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Console {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    /// Counts changes that followers want to know of.
    changes: watch::Sender<u64>,
}

/// What followers look at.
#[derive(Debug)]
pub(super) struct Inner {
    cleaner: Cleaner,
    pub(super) ring: Ring,
    /// When the last bytes came.
    touched: Timestamp,
    /// The same, while an unfinished line has not been looked at since.
    partial_since: Option<Instant>,
}

impl Default for Console {
    fn default() -> Self {
        let (lines, bytes) = AT_REST;
        let inner = Inner {
            cleaner: Cleaner::new(),
            ring: Ring::new(lines, bytes),
            touched: Timestamp::UNIX_EPOCH,
            partial_since: None,
        };
        Self { shared: Arc::new(Shared { inner: Mutex::new(inner), changes: watch::Sender::new(0) }) }
    }
}

impl Console {
    /// Takes what the game printed. `line` gets each finished clean line. It must not call this console.
    pub fn feed(&self, bytes: &[u8], line: impl FnMut(&str)) {
        self.feed_at(bytes, Timestamp::now(), line);
    }

    /// Takes lines out of the engine's log, with the engine's time.
    pub fn feed_logged(&self, bytes: &[u8], time: Timestamp) {
        self.feed_at(bytes, time, |_| {});
    }

    fn feed_at(&self, bytes: &[u8], time: Timestamp, mut line: impl FnMut(&str)) {
        if bytes.is_empty() {
            return;
        }
        self.change(|inner| {
            let Inner { cleaner, ring, .. } = inner;
            cleaner.push(bytes, |text, truncated| {
                line(text);
                ring.push(time, Stream::Stdout, text, truncated);
            });
            inner.touched = time;
            inner.partial_since = inner.cleaner.has_partial().then(Instant::now);
        });
    }

    /// Resolves when an unfinished line has stood still for 500 ms: [`Console::flush`] it then. For the task that also
    /// calls [`Console::feed`]; while no line is unfinished it never resolves.
    pub async fn silence(&self) {
        let since = self.lock().partial_since;
        match since {
            Some(since) => tokio::time::sleep_until(since + SILENCE).await,
            None => std::future::pending().await,
        }
    }

    /// Gives the unfinished line to `line`, as [`Console::feed`] does with finished ones. It goes on being unfinished.
    pub fn flush(&self, mut line: impl FnMut(&str)) {
        let mut inner = self.lock();
        inner.partial_since = None;
        inner.cleaner.partial(|text, _| line(text));
    }

    /// The game's output is over: what it began to print is a line, and the next game starts at a line's start.
    pub fn finish(&self) {
        let time = Timestamp::now();
        self.change(|inner| {
            inner.partial_since = None;
            let Inner { cleaner, ring, .. } = inner;
            cleaner.finish(|text, truncated| {
                ring.push(time, Stream::Stdout, text, truncated);
            });
        });
    }

    /// A line (or several) of ours, as clean as the game's: it may quote anything.
    pub fn system(&self, text: &str) {
        let time = Timestamp::now();
        self.change(|inner| {
            let ring = &mut inner.ring;
            let mut cleaner = Cleaner::new();
            let mut push = |text: &str, truncated: bool| {
                ring.push(time, Stream::System, text, truncated);
            };
            cleaner.push(text.as_bytes(), &mut push);
            cleaner.finish(&mut push);
        });
    }

    /// Counts lines that were lost on their way here.
    pub fn skip(&self, lines: u64) {
        self.change(|inner| inner.ring.skip(lines));
    }

    /// The last lines, oldest first, and the unfinished one after them.
    #[must_use]
    pub fn tail(&self, lines: usize) -> (Vec<ConsoleItem>, Option<ConsolePartial>) {
        let inner = self.lock();
        (inner.ring.tail(lines), inner.partial())
    }

    /// The number that the next line gets.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.lock().ring.next_seq()
    }

    /// Finds where a reader stopped.
    pub(super) fn find(&self, place: &ConsoleMark, last_look: bool) -> ResumePoint {
        resume::find(&mut self.lock().ring, place, last_look)
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&Inner) -> T) -> T {
        look(&self.lock())
    }

    /// Nobody looks any more but `others`, or all that do have everything: lets go of what was kept for those who lag.
    pub(super) fn rest(&self, others: usize) {
        if self.shared.changes.receiver_count() <= others {
            let (lines, bytes) = AT_REST;
            self.lock().ring.set_limits(lines, bytes);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let watched = self.shared.changes.receiver_count() > 0;
        let mut inner = self.lock();
        let (lines, bytes) = if watched { WATCHED } else { AT_REST };
        inner.ring.set_limits(lines, bytes);
        change(&mut inner);
        drop(inner);
        if watched {
            self.shared.changes.send_modify(|changes| *changes += 1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here is left half done by a panic that would matter more than the next line.
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The unfinished line, where there is something to see in it.
    pub(super) fn partial(&self) -> Option<ConsolePartial> {
        self.cleaner.partial(|text, truncated| ConsolePartial {
            time: self.touched,
            stream: Stream::Stdout,
            text: text.to_owned(),
            truncated,
        })
    }

    /// Whether the unfinished line is this one.
    pub(super) fn is_partial(&self, other: Option<&ConsolePartial>) -> bool {
        let same = |text: &str, cut| other.is_some_and(|other| other.text == text && other.truncated == cut);
        self.cleaner.partial(same).unwrap_or(other.is_none())
    }
}
