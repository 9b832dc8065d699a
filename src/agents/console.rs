//! One console that somebody watches: what came in, kept once for all who look.
//!
//! Batches stand in a ring, bounded in bytes. A reader has a cursor into it and takes the next batch when its socket is
//! ready for more; one that falls behind the ring learns how many lines it lost. So there is no queue per reader.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use agent::protocol::{ConsoleItem, Stream, fingerprint};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Lines that a new reader gets first.
pub(super) const FIRST_LINES: usize = 200;
/// Lines by which an agent recognises where a reader stopped.
const FINGERPRINTS: usize = 32;
/// Bytes of text that the ring holds for slow readers.
const RING_BYTES: usize = 4 << 20;
/// What one line costs beside its text.
const LINE_COST: usize = 64;

/// Lines that came together.
pub struct Batch {
    /// In order.
    pub items: Vec<ConsoleItem>,
    /// Counting began anew with this batch.
    pub reset: bool,
    /// The frame for readers, made by the first of them.
    pub encoded: OnceLock<Utf8Bytes>,
    /// The number of the first line (or of the first that was dropped).
    first_seq: u64,
    /// The number of the line after the last.
    end_seq: u64,
    bytes: usize,
}

/// How far a reader has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The batch that comes next.
    index: u64,
    /// The line that comes next.
    seq: u64,
}

/// What a reader begins with, and where it then stands.
pub struct Snapshot {
    /// The last lines.
    pub items: Vec<ConsoleItem>,
    /// Where to go on.
    pub cursor: Cursor,
}

/// What comes next for a reader.
pub enum Next {
    /// Nothing yet.
    Nothing,
    /// These lines.
    Lines(Arc<Batch>),
    /// This many lines are lost to this reader; with `reset` all that it has is void, too.
    Skipped {
        /// Their number.
        count: u64,
        /// Counting began anew.
        reset: bool,
    },
    /// The server is gone.
    Gone,
}

/// A watched console.
pub struct ConsoleFeed {
    state: Mutex<State>,
    readers: Mutex<Vec<Arc<Notify>>>,
    gone: AtomicBool,
}

#[derive(Default)]
struct State {
    /// The first lines have come, or nobody can send any.
    ready: bool,
    /// The last lines, for those who come later.
    last: VecDeque<ConsoleItem>,
    ring: VecDeque<Arc<Batch>>,
    ring_bytes: usize,
    /// Index of the ring's first batch.
    first: u64,
    /// Index and first line of the newest batch that began anew.
    reset_at: Option<Cursor>,
    /// The number that the next line should have.
    next_seq: Option<u64>,
}

impl ConsoleFeed {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), readers: Mutex::default(), gone: AtomicBool::new(false) })
    }

    /// Lines came in. Those that are here already (sent again after a reconnect) are passed over.
    pub(super) fn push(&self, mut items: Vec<ConsoleItem>, reset: bool) {
        let mut state = self.lock();
        state.ready = true;
        if reset {
            state.last.clear();
            state.next_seq = None;
        } else if let Some(next) = state.next_seq {
            drop_known(&mut items, next);
        }
        if !items.is_empty() || reset {
            state.append(items, reset);
        }
        drop(state);
        self.wake();
    }

    /// No lines can come at present: readers need not wait for the first ones.
    pub(super) fn set_ready(&self) {
        let before = std::mem::replace(&mut self.lock().ready, true);
        if !before {
            self.wake();
        }
    }

    /// The server is gone.
    pub(super) fn set_gone(&self) {
        self.gone.store(true, Ordering::Release);
        self.wake();
    }

    /// The number after which the agent should go on.
    pub(super) fn after(&self) -> Option<u64> {
        self.lock().next_seq.map(|next| next.saturating_sub(1))
    }

    /// Fingerprints of the game's lines up to that number, as far back as none is missing: an agent that was started
    /// again finds by them where to go on.
    pub(super) fn fingerprints(&self) -> Vec<u32> {
        let state = self.lock();
        let mut last: Vec<u32> = state
            .last
            .iter()
            .rev()
            .map_while(|item| if let ConsoleItem::Line(line) = item { Some(line) } else { None })
            .filter(|line| line.stream != Stream::System)
            .take(FINGERPRINTS)
            .map(|line| fingerprint(&line.text))
            .collect();
        last.reverse();
        last
    }

    /// The last lines, once the first have come.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let state = self.lock();
        let cursor = Cursor { index: state.end(), seq: state.next_seq.unwrap_or(0) };
        state.ready.then(|| Snapshot { items: state.last.iter().cloned().collect(), cursor })
    }

    /// What is new for a reader at `cursor`, which is moved on.
    pub fn next(&self, cursor: &mut Cursor) -> Next {
        if self.gone.load(Ordering::Acquire) {
            return Next::Gone;
        }
        let state = self.lock();
        if cursor.index < state.first {
            return state.skip(cursor);
        }
        let Some(batch) = state.ring.get((cursor.index - state.first) as usize) else { return Next::Nothing };
        *cursor = Cursor { index: cursor.index + 1, seq: batch.end_seq };
        Next::Lines(Arc::clone(batch))
    }

    pub(super) fn add_reader(&self, reader: Arc<Notify>) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
    }

    /// Whether it was the last one.
    pub(super) fn remove_reader(&self, reader: &Arc<Notify>) -> bool {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = readers.iter().position(|other| Arc::ptr_eq(other, reader)) {
            readers.swap_remove(at);
        }
        readers.is_empty()
    }

    fn wake(&self) {
        for reader in self.readers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            reader.notify_one();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The index that the next batch gets.
    fn end(&self) -> u64 {
        self.first + self.ring.len() as u64
    }

    fn append(&mut self, items: Vec<ConsoleItem>, reset: bool) {
        let first_seq = first_seq(&items, self.next_seq);
        let end_seq = end_seq(&items, first_seq);
        self.next_seq = Some(end_seq);
        for item in items.iter().skip(items.len().saturating_sub(FIRST_LINES)) {
            if self.last.len() >= FIRST_LINES {
                self.last.pop_front();
            }
            self.last.push_back(item.clone());
        }
        let bytes = items.iter().map(cost).sum();
        if reset {
            self.reset_at = Some(Cursor { index: self.end(), seq: first_seq });
        }
        self.ring.push_back(Arc::new(Batch {
            items,
            reset,
            encoded: OnceLock::new(),
            first_seq,
            end_seq,
            bytes,
        }));
        self.ring_bytes += bytes;
        while self.ring_bytes > RING_BYTES && self.ring.len() > 1 {
            if let Some(batch) = self.ring.pop_front() {
                self.ring_bytes -= batch.bytes;
                self.first += 1;
            }
        }
    }

    /// The reader's place is no longer in the ring: on to the first that is there.
    fn skip(&self, cursor: &mut Cursor) -> Next {
        let Some(batch) = self.ring.front() else { return Next::Nothing };
        // Where counting began anew in between, what was lost before that no longer matters.
        let reset = self.reset_at.filter(|at| at.index >= cursor.index && at.index < self.first);
        let from = reset.map_or(cursor.seq, |at| at.seq);
        *cursor = Cursor { index: self.first, seq: batch.first_seq };
        Next::Skipped { count: batch.first_seq.saturating_sub(from), reset: reset.is_some() }
    }
}

fn cost(item: &ConsoleItem) -> usize {
    match item {
        ConsoleItem::Line(line) => line.text.len() + LINE_COST,
        ConsoleItem::Skipped { .. } => LINE_COST,
    }
}

/// The number of the first of these, dropped ones in front included.
fn first_seq(items: &[ConsoleItem], expected: Option<u64>) -> u64 {
    let mut dropped = 0;
    for item in items {
        match item {
            ConsoleItem::Skipped { skipped } => dropped += skipped,
            ConsoleItem::Line(line) => return line.seq.saturating_sub(dropped),
        }
    }
    expected.unwrap_or(0)
}

fn end_seq(items: &[ConsoleItem], first: u64) -> u64 {
    items.iter().fold(first, |at, item| match item {
        ConsoleItem::Line(line) => line.seq + 1,
        ConsoleItem::Skipped { skipped } => at + skipped,
    })
}

/// Takes out what has a smaller number than `next`: it was sent before.
fn drop_known(items: &mut Vec<ConsoleItem>, next: u64) {
    let mut at = first_seq(items, Some(next));
    items.retain_mut(|item| match item {
        ConsoleItem::Line(line) => {
            at = line.seq + 1;
            line.seq >= next
        }
        ConsoleItem::Skipped { skipped } => {
            let known = next.saturating_sub(at).min(*skipped);
            at += *skipped;
            *skipped -= known;
            *skipped > 0
        }
    });
}

#[cfg(test)]
mod tests {
    use agent::protocol::ConsoleLine;
    use jiff::Timestamp;

    use super::*;

    fn line(seq: u64, text: &str) -> ConsoleItem {
        ConsoleItem::Line(ConsoleLine {
            seq,
            time: Timestamp::UNIX_EPOCH,
            stream: Stream::Stdout,
            text: text.to_owned(),
            truncated: false,
        })
    }

    fn lines(range: std::ops::Range<u64>) -> Vec<ConsoleItem> {
        range.map(|seq| line(seq, "x")).collect()
    }

    fn numbers(items: &[ConsoleItem]) -> Vec<u64> {
        items
            .iter()
            .filter_map(|item| if let ConsoleItem::Line(line) = item { Some(line.seq) } else { None })
            .collect()
    }

    #[test]
    fn a_reader_begins_with_the_last_lines_and_goes_on_without_gap() {
        let feed = ConsoleFeed::new();
        assert!(feed.snapshot().is_none(), "nothing came yet");
        feed.push(lines(0..500), false);
        let Snapshot { items, mut cursor } = feed.snapshot().unwrap();
        assert_eq!(numbers(&items), (300..500).collect::<Vec<_>>());
        assert!(matches!(feed.next(&mut cursor), Next::Nothing));
        feed.push(lines(500..503), false);
        let Next::Lines(batch) = feed.next(&mut cursor) else { panic!() };
        assert_eq!(numbers(&batch.items), [500, 501, 502]);
        assert!(matches!(feed.next(&mut cursor), Next::Nothing));
    }

    #[test]
    fn lines_that_come_again_are_passed_over() {
        let feed = ConsoleFeed::new();
        feed.push(lines(0..10), false);
        let mut cursor = feed.snapshot().unwrap().cursor;
        feed.push(lines(5..10), false);
        assert!(matches!(feed.next(&mut cursor), Next::Nothing));
        feed.push(vec![ConsoleItem::Skipped { skipped: 4 }, line(12, "y")], false);
        let Next::Lines(batch) = feed.next(&mut cursor) else { panic!() };
        assert_eq!(batch.items, [ConsoleItem::Skipped { skipped: 2 }, line(12, "y")]);
        assert_eq!(feed.after(), Some(12));
    }

    #[test]
    fn the_ring_is_bounded_and_a_slow_reader_learns_how_much_it_lost() {
        let feed = ConsoleFeed::new();
        feed.push(lines(0..1), false);
        let mut slow = feed.snapshot().unwrap().cursor;
        let text = "x".repeat(16 << 10);
        for seq in 1..2000 {
            feed.push(vec![line(seq, &text)], false);
        }
        assert!(feed.lock().ring_bytes <= RING_BYTES);
        let mut seen = 0;
        loop {
            match feed.next(&mut slow) {
                Next::Skipped { count, reset } => {
                    assert!(!reset);
                    seen += count;
                }
                Next::Lines(batch) => seen += batch.items.len() as u64,
                Next::Nothing => break,
                Next::Gone => panic!(),
            }
        }
        assert_eq!(seen, 1999, "every line is either shown or counted");
    }

    #[test]
    fn counting_anew_voids_what_was_before() {
        let feed = ConsoleFeed::new();
        feed.push(lines(100..110), false);
        let mut reader = feed.snapshot().unwrap().cursor;
        feed.push(lines(0..3), true);
        let Next::Lines(batch) = feed.next(&mut reader) else { panic!() };
        assert!(batch.reset);
        assert_eq!(numbers(&batch.items), [0, 1, 2]);
        assert_eq!(numbers(&feed.snapshot().unwrap().items), [0, 1, 2]);

        let mut slow = feed.snapshot().unwrap().cursor;
        feed.push(lines(0..5), true);
        let text = "x".repeat(16 << 10);
        for seq in 5..1000 {
            feed.push(vec![line(seq, &text)], false);
        }
        let Next::Skipped { count, reset: true } = feed.next(&mut slow) else { panic!() };
        let Next::Lines(batch) = feed.next(&mut slow) else { panic!() };
        assert_eq!(numbers(&batch.items)[0], count, "counted from the new beginning");
    }

    #[test]
    fn a_gone_server_says_so() {
        let feed = ConsoleFeed::new();
        feed.set_ready();
        let mut cursor = feed.snapshot().unwrap().cursor;
        feed.set_gone();
        assert!(matches!(feed.next(&mut cursor), Next::Gone));
    }
}
