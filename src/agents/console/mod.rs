//! One watched console. Its lines are stored once for all readers.
//!
//! Batches are kept in a ring buffer with a byte limit. Each reader has a cursor and takes the next batch when its
//! socket is ready. The first reader to take a batch encodes it for all; a batch is dropped once all readers have taken
//! it. A reader that falls behind the ring is told how many lines it lost and continues with the oldest line still
//! there, so the newest lines are never the ones lost. There is no queue per reader.

mod ring;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use protocol::{ConsoleItem, ConsolePartial, Stream, fingerprint};
use tokio::sync::Notify;

pub(super) use ring::Rings;
use ring::{Batch, Cursor, Last, Ring};

/// How many recent lines a new reader gets first.
pub(super) const FIRST_LINES: usize = 200;
/// How many line fingerprints are kept. The agent uses them to find where a reader stopped.
const FINGERPRINTS: usize = 32;
/// Limits of one batch in lines and bytes of text; a larger batch is split.
const BATCH_LINES: usize = 512;
const BATCH_BYTES: usize = 64 << 10;

/// What comes next for a reader.
pub enum Next {
    /// Nothing new.
    Nothing,
    /// New lines.
    Lines(Lines),
    /// The server was deleted.
    Gone,
}

/// One message for a reader, with its parts already encoded.
#[derive(Debug, Default)]
pub struct Lines {
    /// Lines as comma-separated JSON. A gap is an entry with the number of lines this reader lost.
    pub items: String,
    /// Numbering started over: the reader must drop everything it has.
    pub reset: bool,
    /// The unfinished line after them, as JSON; absent if there is none, or if more lines follow at once.
    pub partial: Option<Arc<str>>,
}

/// Identifies a reader of one console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderId(u64);

/// A watched console.
pub struct ConsoleFeed {
    state: Mutex<State>,
    /// When the last reader left, while a task waits for one to come back; `None` otherwise.
    left: Mutex<Option<Instant>>,
    gone: AtomicBool,
}

/// State of a console that lost its last reader.
pub(super) enum Lingered {
    /// A reader came and left in the meantime: keep waiting.
    Wait,
    /// It has readers again.
    Read,
    /// Nobody came back in time.
    Over,
}

#[derive(Default)]
struct State {
    /// The first lines have arrived, or no agent can send any.
    ready: bool,
    /// Recent lines, for new readers.
    last: Last,
    /// Lines that at least one reader has not taken yet.
    ring: Ring,
    /// The expected number of the next line.
    next_seq: Option<u64>,
    /// Fingerprints of the game's last lines, back to the last gap.
    prints: VecDeque<u32>,
    partial: Partial,
    readers: Vec<Reader>,
    next_reader: u64,
}

/// The unfinished line.
#[derive(Default)]
struct Partial {
    now: Option<ConsolePartial>,
    encoded: Option<Arc<str>>,
    /// Incremented with each change.
    version: u64,
}

struct Reader {
    id: u64,
    notify: Arc<Notify>,
    /// `None` until the reader has received the recent lines.
    cursor: Option<Cursor>,
    /// Version of the unfinished line that the reader has.
    partial: u64,
}

impl ConsoleFeed {
    pub(super) fn new(rings: &Arc<Rings>) -> Arc<Self> {
        let state = State { ring: Ring::new(Arc::clone(rings)), ..State::default() };
        Arc::new(Self { state: Mutex::new(state), left: Mutex::default(), gone: AtomicBool::new(false) })
    }

    /// Drops batches beyond this console's share of the memory.
    pub(super) fn trim(&self) {
        self.lock().ring.trim();
    }

    /// Notes that the last reader has left. Returns true if the caller has to wait for one to come back; false if
    /// another task is already waiting.
    pub(super) fn linger(&self) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.replace(Instant::now()).is_none()
    }

    /// Whether no reader has come back within `long`. If one has, the wait is over.
    pub(super) fn lingered(&self, long: Duration) -> Lingered {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.lock().readers.is_empty() {
            *left = None;
            return Lingered::Read;
        }
        match *left {
            Some(since) if since.elapsed() < long => Lingered::Wait,
            _ => Lingered::Over,
        }
    }

    /// Adds lines and the unfinished line after them. Lines already known (resent after a reconnect) are skipped.
    pub(super) fn push(&self, mut items: Vec<ConsoleItem>, reset: bool, partial: Option<ConsolePartial>) {
        let mut state = self.lock();
        state.ready = true;
        if reset {
            state.last = Last::default();
            state.next_seq = None;
            state.prints.clear();
        } else if let Some(next) = state.next_seq {
            drop_known(&mut items, next);
        }
        if !items.is_empty() || reset {
            let mut reset = reset;
            let mut rest = items.as_slice();
            loop {
                let (batch, after) = rest.split_at(batch_len(rest));
                state.append(batch, std::mem::take(&mut reset));
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
        }
        state.partial.set(partial);
        state.wake();
    }

    /// No lines can arrive at present, so readers do not wait for the first ones.
    pub(super) fn set_ready(&self) {
        let mut state = self.lock();
        if !std::mem::replace(&mut state.ready, true) {
            state.wake();
        }
    }

    /// Tells readers that the server was deleted.
    pub(super) fn set_gone(&self) {
        self.gone.store(true, Ordering::Release);
        self.lock().wake();
    }

    /// Number of the last line received; the agent continues after it. `None` before any line.
    pub(super) fn after(&self) -> Option<u64> {
        self.lock().next_seq.map(|next| next.saturating_sub(1))
    }

    /// Fingerprints of the game's last lines up to that number, back to the last gap. A restarted agent uses them to
    /// find where to continue.
    pub(super) fn fingerprints(&self) -> Vec<u32> {
        self.lock().prints.iter().copied().collect()
    }

    /// Adds a reader. `notify` is woken when there is something new for it.
    pub(super) fn add_reader(&self, notify: Arc<Notify>) -> ReaderId {
        let mut state = self.lock();
        let id = state.next_reader;
        state.next_reader += 1;
        state.readers.push(Reader { id, notify, cursor: None, partial: 0 });
        ReaderId(id)
    }

    /// Removes a reader. Returns whether it was the last one.
    pub(super) fn remove_reader(&self, id: ReaderId) -> bool {
        let mut state = self.lock();
        state.readers.retain(|reader| reader.id != id.0);
        state.release();
        state.readers.is_empty()
    }

    /// What is new for a reader: first the recent lines, as soon as any have arrived, then each new batch.
    pub fn next(&self, id: ReaderId) -> Next {
        if self.gone.load(Ordering::Acquire) {
            return Next::Gone;
        }
        let mut state = self.lock();
        let State { ready, last, ring, next_seq, partial, readers, .. } = &mut *state;
        let Some(reader) = readers.iter_mut().find(|reader| reader.id == id.0) else { return Next::Nothing };
        let Some(cursor) = &mut reader.cursor else {
            if !*ready {
                return Next::Nothing;
            }
            reader.cursor = Some(Cursor { index: ring.end(), seq: next_seq.unwrap_or(0) });
            reader.partial = partial.version;
            let items = last.items(FIRST_LINES);
            return Next::Lines(Lines { items, reset: false, partial: partial.encoded.clone() });
        };
        let taken = ring.take(cursor);
        let at_end = cursor.index == ring.end();
        if taken.is_none() && (!at_end || reader.partial == partial.version) {
            return Next::Nothing;
        }
        let mut lines = Lines::default();
        if at_end {
            reader.partial = partial.version;
            lines.partial.clone_from(&partial.encoded);
        }
        if let Some((items, reset)) = taken {
            (lines.items, lines.reset) = (items, reset);
            state.release();
        }
        Next::Lines(lines)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, items: &[ConsoleItem], reset: bool) {
        let first = first_seq(items, self.next_seq);
        let end = end_seq(items, first);
        self.next_seq = Some(end);
        self.note_fingerprints(items);
        let batch = Arc::new(Batch::new(items, first..end, reset));
        self.last.push(Arc::clone(&batch), FIRST_LINES);
        self.ring.push(batch);
        self.release();
    }

    fn note_fingerprints(&mut self, items: &[ConsoleItem]) {
        let whole = items.iter().rposition(|item| matches!(item, ConsoleItem::Skipped { .. }));
        if whole.is_some() {
            self.prints.clear();
        }
        let since = items.get(whole.map_or(0, |at| at + 1)..).unwrap_or_default();
        let texts = since.iter().filter_map(|item| match item {
            ConsoleItem::Line(line) if line.stream != Stream::System => Some(line.text.as_str()),
            _ => None,
        });
        let mut newest: Vec<u32> = texts.rev().take(FINGERPRINTS).map(fingerprint).collect();
        newest.reverse();
        self.prints.extend(newest);
        while self.prints.len() > FINGERPRINTS {
            self.prints.pop_front();
        }
    }

    /// Drops the batches that all readers have taken.
    fn release(&mut self) {
        let slowest = self.readers.iter().filter_map(|reader| reader.cursor).map(|cursor| cursor.index).min();
        self.ring.release(slowest.unwrap_or(u64::MAX));
    }

    fn wake(&self) {
        for reader in &self.readers {
            reader.notify.notify_one();
        }
    }
}

impl Partial {
    fn set(&mut self, now: Option<ConsolePartial>) {
        let text = |partial: &Option<ConsolePartial>| partial.as_ref().map(|partial| partial.text.clone());
        if text(&now) == text(&self.now) {
            return;
        }
        self.version += 1;
        self.encoded = now.as_ref().and_then(|now| serde_json::to_string(now).ok()).map(Arc::from);
        self.now = now;
    }
}

/// How many of `items` fit into one batch.
fn batch_len(items: &[ConsoleItem]) -> usize {
    let mut bytes = 0;
    let fits = items.iter().take(BATCH_LINES).take_while(|item| {
        let length = if let ConsoleItem::Line(line) = item { line.text.len() } else { 0 };
        let fits = bytes == 0 || bytes + length <= BATCH_BYTES;
        bytes += length.max(1);
        fits
    });
    fits.count()
}

/// Number of the first item, including skipped lines before it.
fn first_seq(items: &[ConsoleItem], expected: Option<u64>) -> u64 {
    let mut dropped: u64 = 0;
    for item in items {
        match item {
            ConsoleItem::Skipped { skipped } => dropped = dropped.saturating_add(*skipped),
            ConsoleItem::Line(line) => return line.seq.saturating_sub(dropped),
        }
    }
    expected.unwrap_or(0)
}

fn end_seq(items: &[ConsoleItem], first: u64) -> u64 {
    items.iter().fold(first, |at, item| match item {
        ConsoleItem::Line(line) => line.seq.saturating_add(1),
        ConsoleItem::Skipped { skipped } => at.saturating_add(*skipped),
    })
}

/// Removes items numbered below `next`: they were sent before.
fn drop_known(items: &mut Vec<ConsoleItem>, next: u64) {
    let mut at = first_seq(items, Some(next));
    items.retain_mut(|item| match item {
        ConsoleItem::Line(line) => {
            at = line.seq.saturating_add(1);
            line.seq >= next
        }
        ConsoleItem::Skipped { skipped } => {
            let known = next.saturating_sub(at).min(*skipped);
            at = at.saturating_add(*skipped);
            *skipped -= known;
            *skipped > 0
        }
    });
}

#[cfg(test)]
mod tests;
