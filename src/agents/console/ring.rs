//! Batches of console lines: those that some reader has not taken yet, and the last ones.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use protocol::{ConsoleItem, ConsoleLine, Stream};
use serde::Serialize;

/// Bytes that are kept for slow readers.
pub(super) const RING_BYTES: usize = 4 << 20;
/// Bytes that are kept for the slow readers of all consoles; each has its share where that is not enough.
const RINGS_BYTES: usize = 16 << 20;
/// Bytes of the last lines that are kept for those who come later.
const LAST_BYTES: usize = 1 << 20;
/// Bytes of lines in one frame, about.
const FRAME_BYTES: usize = 128 << 10;
/// What a line takes beside its text, about: enough room that the buffer is made once.
const LINE_ROOM: usize = 112;

/// What the rings of all consoles take together.
#[derive(Debug, Default)]
pub(in crate::agents) struct Rings {
    bytes: AtomicUsize,
    count: AtomicUsize,
}

impl Rings {
    /// What one of them may take now.
    fn room(&self) -> usize {
        if self.bytes.load(Ordering::Relaxed) <= RINGS_BYTES {
            return RING_BYTES;
        }
        (RINGS_BYTES / self.count.load(Ordering::Relaxed).max(1)).min(RING_BYTES)
    }

    /// Those that are at rest hold more than they may by now.
    pub(in crate::agents) fn are_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > RINGS_BYTES + RINGS_BYTES / 16
    }
}

/// Lines that came together: their texts in one piece, and once a reader has taken them, encoded for all.
#[derive(Debug)]
pub(super) struct Batch {
    texts: Box<str>,
    parts: Box<[Part]>,
    encoded: OnceLock<Encoded>,
    /// The number of the first line (or of the first that was dropped), and that after the last.
    numbers: Range<u64>,
    /// Counting began anew with this batch.
    reset: bool,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Line { seq: u64, time: Timestamp, stream: Stream, truncated: bool, len: usize },
    Skipped { skipped: u64 },
}

/// As [`ConsoleItem`] is sent.
#[derive(Serialize)]
#[serde(untagged)]
enum Item<'t> {
    Line {
        seq: u64,
        time: Timestamp,
        stream: Stream,
        text: &'t str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        truncated: bool,
    },
    Skipped {
        skipped: u64,
    },
}

#[derive(Debug)]
struct Encoded {
    /// Commas between them.
    json: Box<str>,
    /// Where each of them ends in it.
    ends: Box<[usize]>,
}

impl Batch {
    pub(super) fn new(items: &[ConsoleItem], numbers: Range<u64>, reset: bool) -> Self {
        let length =
            |item: &ConsoleItem| if let ConsoleItem::Line(line) = item { line.text.len() } else { 0 };
        let mut texts = String::with_capacity(items.iter().map(length).sum());
        let parts = items
            .iter()
            .map(|item| match item {
                ConsoleItem::Skipped { skipped } => Part::Skipped { skipped: *skipped },
                ConsoleItem::Line(line) => {
                    texts.push_str(&line.text);
                    let ConsoleLine { seq, time, stream, truncated, .. } = *line;
                    Part::Line { seq, time, stream, truncated, len: line.text.len() }
                }
            })
            .collect();
        Self { texts: texts.into_boxed_str(), parts, encoded: OnceLock::new(), numbers, reset }
    }

    /// What it takes at most, encoded.
    fn bytes(&self) -> usize {
        size_of::<Self>() + 2 * self.texts.len() + self.parts.len() * (size_of::<Part>() + LINE_ROOM)
    }

    fn encoded(&self) -> &Encoded {
        self.encoded.get_or_init(|| {
            let mut json = Vec::with_capacity(self.texts.len() + self.parts.len() * LINE_ROOM);
            let mut ends = Vec::with_capacity(self.parts.len());
            let mut rest = &*self.texts;
            for part in &self.parts {
                if !json.is_empty() {
                    json.push(b',');
                }
                let item = match *part {
                    Part::Skipped { skipped } => Item::Skipped { skipped },
                    Part::Line { seq, time, stream, truncated, len } => {
                        let (text, after) = rest.split_at_checked(len).unwrap_or((rest, ""));
                        rest = after;
                        Item::Line { seq, time, stream, text, truncated }
                    }
                };
                if let Err(cause) = serde_json::to_writer(&mut json, &item) {
                    tracing::error!(%cause, "a console line could not be written as JSON");
                    json.extend_from_slice(b"{\"skipped\":1}");
                }
                ends.push(json.len());
            }
            let json = String::from_utf8(json).unwrap_or_default().into_boxed_str();
            Encoded { json, ends: ends.into_boxed_slice() }
        })
    }

    fn json(&self) -> &str {
        &self.encoded().json
    }

    /// What follows the first `count` lines.
    fn without(&self, count: usize) -> &str {
        let Encoded { json, ends } = self.encoded();
        match count.checked_sub(1).map(|last| ends.get(last)) {
            None => json,
            Some(end) => end.and_then(|end| json.get(end + 1..)).unwrap_or_default(),
        }
    }
}

/// How far a reader has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The batch that comes next.
    pub(super) index: u64,
    /// The line that comes next.
    pub(super) seq: u64,
}

/// What some reader has not taken yet, bounded in bytes.
#[derive(Debug, Default)]
pub(super) struct Ring {
    all: Arc<Rings>,
    counted: bool,
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    /// Index of the first batch.
    first: u64,
    /// Index and first line of the newest batch that began anew.
    reset_at: Option<Cursor>,
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.all.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        if self.counted {
            self.all.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Ring {
    pub(super) fn new(all: Arc<Rings>) -> Self {
        all.count.fetch_add(1, Ordering::Relaxed);
        Self { all, counted: true, batches: VecDeque::new(), bytes: 0, first: 0, reset_at: None }
    }

    /// Gives back what is more than its share.
    pub(super) fn trim(&mut self) {
        while self.bytes > self.all.room() && self.batches.len() > 1 {
            self.pop();
        }
    }

    /// The index that the next batch gets.
    pub(super) fn end(&self) -> u64 {
        self.first + self.batches.len() as u64
    }

    pub(super) fn push(&mut self, batch: Arc<Batch>) {
        if batch.reset {
            self.reset_at = Some(Cursor { index: self.end(), seq: batch.numbers.start });
        }
        self.bytes += batch.bytes();
        self.all.bytes.fetch_add(batch.bytes(), Ordering::Relaxed);
        self.batches.push_back(batch);
        self.trim();
    }

    /// Lets go of what comes before this batch.
    pub(super) fn release(&mut self, before: u64) {
        while self.first < before && !self.batches.is_empty() {
            self.pop();
        }
        if self.batches.capacity() > 4 * self.batches.len().max(16) {
            self.batches.shrink_to(2 * self.batches.len());
        }
    }

    fn pop(&mut self) {
        if let Some(batch) = self.batches.pop_front() {
            self.bytes -= batch.bytes();
            self.all.bytes.fetch_sub(batch.bytes(), Ordering::Relaxed);
            self.first += 1;
        }
    }

    /// As much as fits into a frame of what follows `cursor`, which is moved on; and whether it voids what was before.
    pub(super) fn take(&self, cursor: &mut Cursor) -> Option<(String, bool)> {
        let mut taken = self.skip(cursor);
        while let Some(batch) =
            cursor.index.checked_sub(self.first).and_then(|at| self.batches.get(at as usize))
        {
            match &mut taken {
                None => taken = Some((batch.json().to_owned(), batch.reset)),
                // What begins anew is a frame of its own.
                Some((text, _)) if batch.reset || text.len() + batch.texts.len() > FRAME_BYTES => break,
                Some((text, _)) => {
                    let json = batch.json();
                    if !text.is_empty() && !json.is_empty() {
                        text.push(',');
                    }
                    text.push_str(json);
                }
            }
            *cursor = Cursor { index: cursor.index + 1, seq: batch.numbers.end };
        }
        taken
    }

    /// Where the reader's place is no longer here: on to the first that is, and how many were lost.
    fn skip(&self, cursor: &mut Cursor) -> Option<(String, bool)> {
        let front = self.batches.front().filter(|_| cursor.index < self.first)?;
        // Where counting began anew in between, what was lost before that no longer matters.
        let reset = self.reset_at.filter(|at| at.index >= cursor.index && at.index <= self.first);
        let from = reset.map_or(cursor.seq, |at| at.seq);
        *cursor = Cursor { index: self.first, seq: front.numbers.start };
        if front.reset {
            return None;
        }
        let text = match front.numbers.start.saturating_sub(from) {
            0 => String::new(),
            count => format!("{{\"skipped\":{count}}}"),
        };
        (reset.is_some() || !text.is_empty()).then_some((text, reset.is_some()))
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The last lines.
#[derive(Debug, Default)]
pub(super) struct Last {
    batches: VecDeque<Arc<Batch>>,
    lines: usize,
    bytes: usize,
}

impl Last {
    pub(super) fn push(&mut self, batch: Arc<Batch>, keep: usize) {
        self.lines += batch.parts.len();
        self.bytes += batch.bytes();
        self.batches.push_back(batch);
        while let Some(front) = self.batches.front()
            && (self.lines - front.parts.len() >= keep || (self.bytes > LAST_BYTES && self.batches.len() > 1))
        {
            self.lines -= front.parts.len();
            self.bytes -= front.bytes();
            self.batches.pop_front();
        }
    }

    /// The last `count` of them.
    pub(super) fn items(&self, count: usize) -> String {
        let mut over = self.lines.saturating_sub(count);
        let mut text = String::with_capacity(self.bytes.min(FRAME_BYTES));
        for batch in &self.batches {
            let rest = batch.without(over);
            over = over.saturating_sub(batch.parts.len());
            if !text.is_empty() && !rest.is_empty() {
                text.push(',');
            }
            text.push_str(rest);
        }
        text.shrink_to_fit();
        text
    }
}
