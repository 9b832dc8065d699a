//! Batches of console lines: the ring of those that some reader has not taken yet, and the recent lines for new
//! readers.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use protocol::{ConsoleItem, ConsoleLine, Stream};
use serde::Serialize;

/// Most bytes that one console keeps for slow readers.
pub(super) const RING_BYTES: usize = 4 << 20;
/// Bytes that all consoles together keep for slow readers. When exceeded, each console gets an equal share.
const RINGS_BYTES: usize = 16 << 20;
/// Bytes of recent lines that one console keeps for new readers.
const LAST_BYTES: usize = 1 << 20;
/// Approximate bytes of lines in one frame.
const FRAME_BYTES: usize = 128 << 10;
/// Approximate bytes of a line's JSON without its text, so that the buffer is allocated once.
const LINE_ROOM: usize = 112;

/// Memory used by the rings of all consoles.
#[derive(Debug, Default)]
pub(in crate::agents) struct Rings {
    bytes: AtomicUsize,
    count: AtomicUsize,
}

impl Rings {
    /// How many bytes one ring may use at the moment.
    fn room(&self) -> usize {
        if self.bytes.load(Ordering::Relaxed) <= RINGS_BYTES {
            return RING_BYTES;
        }
        (RINGS_BYTES / self.count.load(Ordering::Relaxed).max(1)).min(RING_BYTES)
    }

    /// Whether idle rings hold more than their current share and should be trimmed.
    pub(in crate::agents) fn are_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > RINGS_BYTES + RINGS_BYTES / 16
    }
}

/// Lines that arrived together. Their texts are stored as one string, and encoded once for all readers when the first
/// of them takes the batch.
#[derive(Debug)]
pub(super) struct Batch {
    texts: Box<str>,
    parts: Box<[Part]>,
    encoded: OnceLock<Encoded>,
    /// From the number of the first line (or first skipped line) to that after the last.
    numbers: Range<u64>,
    /// Numbering started over with this batch.
    reset: bool,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Line { seq: u64, time: Timestamp, stream: Stream, truncated: bool, len: usize },
    Skipped { skipped: u64 },
}

/// A [`ConsoleItem`] as it is sent to readers.
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
    /// JSON of all lines, separated by commas.
    json: Box<str>,
    /// End offset of each line in `json`.
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

    /// Upper bound of its size when encoded.
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

    /// The JSON that follows the first `count` lines.
    fn without(&self, count: usize) -> &str {
        let Encoded { json, ends } = self.encoded();
        match count.checked_sub(1).map(|last| ends.get(last)) {
            None => json,
            Some(end) => end.and_then(|end| json.get(end + 1..)).unwrap_or_default(),
        }
    }
}

/// Position of a reader in the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Index of the next batch.
    pub(super) index: u64,
    /// Number of the next line.
    pub(super) seq: u64,
}

/// Batches that some reader has not taken yet, limited in bytes.
#[derive(Debug, Default)]
pub(super) struct Ring {
    all: Arc<Rings>,
    counted: bool,
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    /// Index of the first batch.
    first: u64,
    /// Index and first line of the newest batch at which numbering started over.
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

    /// Drops batches beyond the ring's share.
    pub(super) fn trim(&mut self) {
        while self.bytes > self.all.room() && self.batches.len() > 1 {
            self.pop();
        }
    }

    /// Index that the next batch will get.
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

    /// Drops all batches before this index.
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

    /// As many lines after `cursor` as fit into one frame, and whether they replace everything sent before. Advances
    /// `cursor`; `None` if there is nothing new.
    pub(super) fn take(&self, cursor: &mut Cursor) -> Option<(String, bool)> {
        let mut taken = self.skip(cursor);
        while let Some(batch) =
            cursor.index.checked_sub(self.first).and_then(|at| self.batches.get(at as usize))
        {
            match &mut taken {
                None => taken = Some((batch.json().to_owned(), batch.reset)),
                // A batch at which numbering started over goes into a frame of its own.
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

    /// If the reader's position was dropped, moves `cursor` to the first batch still there, and returns an entry with
    /// the number of lines lost.
    fn skip(&self, cursor: &mut Cursor) -> Option<(String, bool)> {
        let front = self.batches.front().filter(|_| cursor.index < self.first)?;
        // If numbering started over in the gap, lines lost before that no longer matter.
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

/// Recent lines, for new readers.
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

    /// The last `count` lines as JSON.
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
