//! The last lines of a console, numbered.
//!
//! All texts are stored in one buffer: thousands of small allocations that come and go would fragment the program's
//! memory.

use std::collections::VecDeque;

use jiff::Timestamp;
use protocol::{ConsoleItem, ConsoleLine, Stream};

/// A buffer smaller than this many bytes is neither compacted nor shrunk.
const SMALL: usize = 4 * 1024;

#[derive(Clone, Copy, Debug)]
struct Line {
    time: Timestamp,
    stream: Stream,
    truncated: bool,
    /// Length of the text in bytes.
    len: u32,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Line(Line),
    Skipped(u64),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Number of the line, or of the first skipped line.
    seq: u64,
    /// Start of its text, counted over all bytes ever added.
    start: u64,
    what: What,
}

impl Entry {
    fn last_seq(&self) -> u64 {
        match self.what {
            What::Line(_) => self.seq,
            What::Skipped(n) => self.seq + n - 1,
        }
    }

    fn len(&self) -> usize {
        if let What::Line(line) = &self.what { line.len as usize } else { 0 }
    }

    fn bytes(&self) -> usize {
        self.len() + size_of::<Self>()
    }
}

/// The last lines, bounded in number and bytes. Numbers start at 1 and have no gaps: dropped lines are numbered too.
#[derive(Debug)]
pub struct Ring {
    entries: VecDeque<Entry>,
    /// Texts of the entries, preceded by some already removed ones.
    text: String,
    /// Start of `text`, counted like [`Entry::start`].
    base: u64,
    bytes: usize,
    max_lines: usize,
    max_bytes: usize,
    next_seq: u64,
}

impl Ring {
    /// Allocates memory only as lines are added.
    #[must_use]
    pub fn new(max_lines: usize, max_bytes: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            text: String::new(),
            base: 0,
            bytes: 0,
            max_lines: max_lines.max(1),
            max_bytes: max_bytes.max(1),
            next_seq: 1,
        }
    }

    /// The number of the next line.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The number of the oldest stored line, or of the next one if the ring is empty.
    #[must_use]
    pub fn first_seq(&self) -> u64 {
        self.entries.front().map_or(self.next_seq, |entry| entry.seq)
    }

    /// The stored lines: number, stream, text.
    pub fn lines(&self) -> impl Iterator<Item = (u64, Stream, &str)> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            What::Line(line) => Some((entry.seq, line.stream, self.text_of(entry))),
            What::Skipped(_) => None,
        })
    }

    /// Renumbers so that line `from` becomes line `to`. Lines that would get a number below 1 are dropped.
    pub fn renumber(&mut self, from: u64, to: u64) {
        while let Some(front) = self.entries.front()
            && front.seq + to <= from
        {
            self.drop_oldest();
        }
        for entry in &mut self.entries {
            entry.seq = entry.seq + to - from;
        }
        self.next_seq = (self.next_seq + to).saturating_sub(from).max(1);
    }

    /// Changes the limits; drops lines beyond them at once.
    pub fn set_limits(&mut self, max_lines: usize, max_bytes: usize) {
        (self.max_lines, self.max_bytes) = (max_lines.max(1), max_bytes.max(1));
        self.keep_limits();
    }

    /// Adds a line and returns its number.
    pub fn push(&mut self, time: Timestamp, stream: Stream, text: &str, truncated: bool) -> u64 {
        // No line is nearly that long.
        let len = u32::try_from(text.len()).unwrap_or(0);
        let start = self.base + self.text.len() as u64;
        self.text.push_str(&text[..len as usize]);
        let entry =
            Entry { seq: self.next_seq, start, what: What::Line(Line { time, stream, truncated, len }) };
        self.add(entry, 1)
    }

    /// Counts lines that are not stored.
    pub fn skip(&mut self, lines: u64) {
        if lines == 0 {
            return;
        }
        if let Some(Entry { what: What::Skipped(n), .. }) = self.entries.back_mut() {
            *n += lines;
            self.next_seq += lines;
        } else {
            let start = self.base + self.text.len() as u64;
            self.add(Entry { seq: self.next_seq, start, what: What::Skipped(lines) }, lines);
        }
    }

    /// The last `lines` lines, oldest first.
    #[must_use]
    pub fn tail(&self, lines: usize) -> Vec<ConsoleItem> {
        let from = self.entries.len().saturating_sub(lines);
        self.entries.range(from..).map(|entry| self.item(entry)).collect()
    }

    /// The number before the first of the last `lines` lines, where a reader of [`Ring::tail`] starts.
    #[must_use]
    pub fn before_tail(&self, lines: usize) -> u64 {
        let from = self.entries.len().saturating_sub(lines);
        self.entries.get(from).map_or(self.next_seq, |entry| entry.seq) - 1
    }

    /// The lines after `seq`, limited to about `max_lines` and `max_bytes`, and the last number covered. Lines that are
    /// gone are counted at the front.
    #[must_use]
    pub fn after(&self, seq: u64, max_lines: usize, max_bytes: usize) -> (Vec<ConsoleItem>, u64) {
        let from = self.entries.partition_point(|entry| entry.last_seq() <= seq);
        let mut items = Vec::with_capacity((self.entries.len() - from).min(max_lines) + 1);
        let mut bytes = 0;
        let mut last = seq;
        for entry in self.entries.range(from..) {
            if items.len() >= max_lines || (bytes >= max_bytes && !items.is_empty()) {
                break;
            }
            // Includes evicted lines and a partly read skip.
            let lost = match entry.what {
                What::Line(_) => entry.seq - 1 - last,
                What::Skipped(_) => entry.last_seq() - last,
            };
            if lost > 0 {
                items.push(ConsoleItem::Skipped { skipped: lost });
            }
            if let What::Line(_) = &entry.what {
                bytes += entry.len();
                items.push(self.item(entry));
            }
            last = entry.last_seq();
        }
        (items, last)
    }

    /// Number of lines after `seq`. Cheap.
    #[must_use]
    pub fn waiting(&self, seq: u64) -> usize {
        self.entries.len() - self.entries.partition_point(|entry| entry.last_seq() <= seq)
    }

    /// Allocated bytes of the texts.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    fn text_of(&self, entry: &Entry) -> &str {
        let start = usize::try_from(entry.start - self.base).unwrap_or(usize::MAX);
        self.text.get(start..start.saturating_add(entry.len())).unwrap_or_default()
    }

    fn item(&self, entry: &Entry) -> ConsoleItem {
        match entry.what {
            What::Skipped(skipped) => ConsoleItem::Skipped { skipped },
            What::Line(line) => ConsoleItem::Line(ConsoleLine {
                seq: entry.seq,
                time: line.time,
                stream: line.stream,
                text: self.text_of(entry).to_owned(),
                truncated: line.truncated,
            }),
        }
    }

    fn add(&mut self, entry: Entry, numbers: u64) -> u64 {
        self.next_seq += numbers;
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
        self.keep_limits();
        entry.seq
    }

    fn drop_oldest(&mut self) {
        if let Some(gone) = self.entries.pop_front() {
            self.bytes -= gone.bytes();
        }
    }

    fn keep_limits(&mut self) {
        while self.entries.len() > self.max_lines || (self.bytes > self.max_bytes && self.entries.len() > 1) {
            self.drop_oldest();
        }
        let end = self.base + self.text.len() as u64;
        let first = self.entries.front().map_or(end, |entry| entry.start);
        let gone = usize::try_from(first - self.base).unwrap_or(0);
        // Compacted when more is removed than left, so each byte moves about once.
        if gone >= SMALL && gone >= self.text.len() - gone {
            self.text.drain(..gone);
            self.base = first;
        }
        if self.text.capacity() > 4 * self.text.len().max(SMALL) {
            self.text.shrink_to(2 * self.text.len());
        }
        if self.entries.capacity() > 4 * self.entries.len().max(64) {
            self.entries.shrink_to(2 * self.entries.len());
        }
    }
}
