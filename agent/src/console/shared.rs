//! The handle shared by a container's reader and its followers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use protocol::{ConsoleItem, ConsolePartial, Stream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::clean::Cleaner;
use super::resume::{self, ConsoleMark, ResumePoint};
use super::ring::Ring;

/// Lines and bytes kept without readers: the most that can be requested.
const AT_REST: (usize, usize) = (1_000, 1 << 20);
/// … and with readers: one may be 100 ms late at 150,000 lines a second.
const WATCHED: (usize, usize) = (16_384, 2 << 20);
/// An unfinished line is considered settled after this much silence.
const SILENCE: Duration = Duration::from_millis(500);

/// The console of a game. Cheap to clone; clones share it.
#[derive(Clone, Debug)]
pub struct Console {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    /// Counts changes, for followers.
    changes: watch::Sender<u64>,
}

/// The state shared with followers.
#[derive(Debug)]
pub(super) struct Inner {
    cleaner: Cleaner,
    pub(super) ring: Ring,
    /// When the last bytes arrived.
    touched: Timestamp,
    /// Like `touched`, while there is an unfinished line that was not flushed since.
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
    /// Adds output of the game. `line` gets each finished clean line; it must not call this console.
    pub fn feed(&self, bytes: &[u8], line: impl FnMut(&str)) {
        self.feed_at(bytes, Timestamp::now(), line);
    }

    /// Adds lines from the engine's log, with the engine's time.
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

    /// Resolves when an unfinished line has not changed for 500 ms; then call [`Console::flush`]. For the task that
    /// also calls [`Console::feed`]; never resolves while no line is unfinished.
    pub async fn silence(&self) {
        let since = self.lock().partial_since;
        match since {
            Some(since) => tokio::time::sleep_until(since + SILENCE).await,
            None => std::future::pending().await,
        }
    }

    /// Passes the unfinished line to `line`, as [`Console::feed`] does with finished ones. It stays unfinished.
    pub fn flush(&self, mut line: impl FnMut(&str)) {
        let mut inner = self.lock();
        inner.partial_since = None;
        inner.cleaner.partial(|text, _| line(text));
    }

    /// Ends the game's output: the unfinished line becomes a line, and the next game starts on a new one.
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

    /// Adds one or more lines of the agent. They are cleaned like the game's, since they may quote anything.
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

    /// Counts lines that were lost before they arrived here.
    pub fn skip(&self, lines: u64) {
        self.change(|inner| inner.ring.skip(lines));
    }

    /// The last lines, oldest first, and the unfinished line after them.
    #[must_use]
    pub fn tail(&self, lines: usize) -> (Vec<ConsoleItem>, Option<ConsolePartial>) {
        let inner = self.lock();
        (inner.ring.tail(lines), inner.partial())
    }

    /// The number of the next line.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.lock().ring.next_seq()
    }

    /// Finds the position of a returning reader.
    pub(super) fn find(&self, place: &ConsoleMark, last_look: bool) -> ResumePoint {
        resume::find(&mut self.lock().ring, place, last_look)
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&Inner) -> T) -> T {
        look(&self.lock())
    }

    /// Reduces the buffer if there are at most `others` other readers, or all have read everything.
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
        // A panic leaves nothing inconsistent here that matters more than the next line.
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The unfinished line, if there is anything visible in it.
    pub(super) fn partial(&self) -> Option<ConsolePartial> {
        self.cleaner.partial(|text, truncated| ConsolePartial {
            time: self.touched,
            stream: Stream::Stdout,
            text: text.to_owned(),
            truncated,
        })
    }

    /// Whether the unfinished line equals `other`.
    pub(super) fn is_partial(&self, other: Option<&ConsolePartial>) -> bool {
        let same = |text: &str, cut| other.is_some_and(|other| other.text == text && other.truncated == cut);
        self.cleaner.partial(same).unwrap_or(other.is_none())
    }
}
