//! The handle that a container's reader and its followers share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::clean::Cleaner;
use super::flood::{Flood, Rate};
use super::resume::{self, Found, Place};
use super::ring::Ring;
use crate::protocol::{ConsoleItem, Stream};

/// Lines that are kept while nobody looks: what one may ask for.
const LINES_AT_REST: usize = 1_000;
/// Lines that are kept while somebody looks, so that a follower may be 80 ms late at 50,000 lines/s.
const LINES_WATCHED: usize = 4_096;
/// Bytes that are kept.
const BYTES: usize = 512 * 1024;
/// An unfinished line is shown after this much silence.
const SILENCE: Duration = Duration::from_millis(500);
/// A line this long is shown even in a flood: it is what the flood is about.
const LONG: usize = 4 * 1024;

/// One game's console. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Console {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    /// The next line's number.
    next: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    cleaner: Cleaner,
    ring: Ring,
    flood: Flood,
    /// When the last bytes came, while a line is unfinished.
    partial_since: Option<Instant>,
}

impl Default for Console {
    fn default() -> Self {
        Self::new(Rate::default())
    }
}

impl Console {
    /// An empty one, which takes `rate` before it only counts.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let inner = Inner {
            cleaner: Cleaner::new(),
            ring: Ring::new(LINES_AT_REST, BYTES),
            flood: Flood::new(rate, Instant::now()),
            partial_since: None,
        };
        let next = watch::Sender::new(inner.ring.next_seq());
        Self { shared: Arc::new(Shared { inner: Mutex::new(inner), next }) }
    }

    /// Takes what the game printed. `line` gets each finished clean line, to look for the ready line in it; in a
    /// flood it gets only some. It must not call this console.
    pub fn feed(&self, bytes: &[u8], line: impl FnMut(&str)) {
        self.feed_at(bytes, Instant::now(), Timestamp::now(), line);
    }

    pub(super) fn feed_at(&self, bytes: &[u8], now: Instant, time: Timestamp, mut line: impl FnMut(&str)) {
        if bytes.is_empty() {
            return;
        }
        self.change(|inner| {
            let Inner { cleaner, ring, flood, .. } = inner;
            let mut take = |ring: &mut Ring, text: &str, truncated: bool| {
                line(text);
                ring.push(time, Stream::Stdout, text, truncated);
            };
            let lines = memchr::memchr_iter(b'\n', bytes).count() as u64;
            let (first, last) = (memchr::memchr(b'\n', bytes), memchr::memrchr(b'\n', bytes));
            match (first, last) {
                (Some(first), Some(last)) if !flood.allows(lines, bytes.len() as u64, now) => {
                    // The line that was begun before, and the one that goes on after this chunk, are cleaned as
                    // ever, so that the next chunk fits on; all between them are counted by their ends.
                    let mut dropped = lines - 1;
                    cleaner.push(&bytes[..=first], |text, truncated| {
                        if truncated || text.len() >= LONG {
                            take(ring, text, truncated);
                        } else {
                            dropped += 1;
                        }
                    });
                    ring.skip(dropped);
                    cleaner.push(&bytes[last + 1..], |_, _| {});
                }
                // Within one line the cleaner is at its cheapest, and has its own bound.
                _ => cleaner.push(bytes, |text, truncated| take(ring, text, truncated)),
            }
            inner.partial_since = inner.cleaner.has_partial().then_some(now);
        });
    }

    /// Resolves when an unfinished line has stood for 500 ms: [`Console::flush`] it then. For the task that also
    /// calls [`Console::feed`]; while no line is unfinished it never resolves.
    pub async fn silence(&self) {
        let since = self.lock().partial_since;
        match since {
            Some(since) => tokio::time::sleep_until(since + SILENCE).await,
            None => std::future::pending().await,
        }
    }

    /// Shows the unfinished line.
    pub fn flush(&self, mut line: impl FnMut(&str)) {
        let time = Timestamp::now();
        self.change(|inner| {
            inner.partial_since = None;
            let Inner { cleaner, ring, .. } = inner;
            cleaner.flush(|text, truncated| {
                line(text);
                ring.push(time, Stream::Stdout, text, truncated);
            });
        });
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

    /// The last lines, oldest first.
    #[must_use]
    pub fn tail(&self, lines: usize) -> Vec<ConsoleItem> {
        self.lock().ring.tail(lines)
    }

    /// The number that the next line gets.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.lock().ring.next_seq()
    }

    /// Finds where a reader stopped.
    pub(super) fn find(&self, place: &Place, last_look: bool) -> Found {
        resume::find(&mut self.lock().ring, place, last_look)
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.next.subscribe()
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&Ring) -> T) -> T {
        look(&self.lock().ring)
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let watched = self.shared.next.receiver_count() > 0;
        let mut inner = self.lock();
        inner.ring.set_max_lines(if watched { LINES_WATCHED } else { LINES_AT_REST });
        let before = inner.ring.next_seq();
        change(&mut inner);
        let next = inner.ring.next_seq();
        drop(inner);
        if watched && next != before {
            self.shared.next.send_replace(next);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here is left half done by a panic that would matter more than the next line.
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
