//! The last lines of a console, numbered.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::protocol::{ConsoleItem, ConsoleLine, Stream};

#[derive(Debug)]
struct Line {
    time: Timestamp,
    stream: Stream,
    truncated: bool,
    text: Box<str>,
}

#[derive(Debug)]
enum What {
    Line(Line),
    Skipped(u64),
}

#[derive(Debug)]
struct Entry {
    /// Of the line, or of the first of those that were skipped.
    seq: u64,
    what: What,
}

impl Entry {
    fn last_seq(&self) -> u64 {
        match self.what {
            What::Line(_) => self.seq,
            What::Skipped(n) => self.seq + n - 1,
        }
    }

    fn bytes(&self) -> usize {
        let text = if let What::Line(line) = &self.what { line.text.len() } else { 0 };
        text + size_of::<Self>()
    }

    fn item(&self) -> ConsoleItem {
        match &self.what {
            What::Skipped(skipped) => ConsoleItem::Skipped { skipped: *skipped },
            What::Line(line) => ConsoleItem::Line(ConsoleLine {
                seq: self.seq,
                time: line.time,
                stream: line.stream,
                text: line.text.as_ref().to_owned(),
                truncated: line.truncated,
            }),
        }
    }
}

/// The last lines, bounded in number and bytes. Numbers begin at 1 and have no gaps: a dropped line has one too.
#[derive(Debug)]
pub struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
    max_lines: usize,
    max_bytes: usize,
    next_seq: u64,
}

impl Ring {
    /// Takes memory only as lines come.
    #[must_use]
    pub fn new(max_lines: usize, max_bytes: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            max_lines: max_lines.max(1),
            max_bytes: max_bytes.max(1),
            next_seq: 1,
        }
    }

    /// The number that the next line gets.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The number of the oldest that is here, or of the next where nothing is.
    #[must_use]
    pub fn first_seq(&self) -> u64 {
        self.entries.front().map_or(self.next_seq, |entry| entry.seq)
    }

    /// The lines that are here: number, stream, text.
    pub fn lines(&self) -> impl Iterator<Item = (u64, Stream, &str)> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            What::Line(line) => Some((entry.seq, line.stream, &*line.text)),
            What::Skipped(_) => None,
        })
    }

    /// Counts on so that what is number `from` becomes number `to`. What would come before number 1 is dropped.
    pub fn renumber(&mut self, from: u64, to: u64) {
        while let Some(front) = self.entries.front()
            && front.seq + to <= from
        {
            self.bytes -= front.bytes();
            self.entries.pop_front();
        }
        for entry in &mut self.entries {
            entry.seq = entry.seq + to - from;
        }
        self.next_seq = (self.next_seq + to).saturating_sub(from).max(1);
    }

    /// Changes how many lines are kept, from the next one on.
    pub fn set_max_lines(&mut self, max_lines: usize) {
        self.max_lines = max_lines.max(1);
    }

    /// Adds a line and returns its number.
    pub fn push(&mut self, time: Timestamp, stream: Stream, text: &str, truncated: bool) -> u64 {
        let line = Line { time, stream, truncated, text: text.into() };
        self.add(What::Line(line), 1)
    }

    /// Counts lines that nobody keeps.
    pub fn skip(&mut self, lines: u64) {
        if lines == 0 {
            return;
        }
        if let Some(Entry { what: What::Skipped(n), .. }) = self.entries.back_mut() {
            *n += lines;
            self.next_seq += lines;
        } else {
            self.add(What::Skipped(lines), lines);
        }
    }

    /// The last `lines` lines, oldest first.
    #[must_use]
    pub fn tail(&self, lines: usize) -> Vec<ConsoleItem> {
        let from = self.entries.len().saturating_sub(lines);
        self.entries.range(from..).map(Entry::item).collect()
    }

    /// The number before the first of the last `lines` lines: where a reader of [`Ring::tail`] would begin.
    #[must_use]
    pub fn before_tail(&self, lines: usize) -> u64 {
        let from = self.entries.len().saturating_sub(lines);
        self.entries.get(from).map_or(self.next_seq, |entry| entry.seq) - 1
    }

    /// What came after line `seq`, at most about `max_lines` and `max_bytes` of it, and the last number that this
    /// covers. Lines that are gone are counted in front.
    #[must_use]
    pub fn after(&self, seq: u64, max_lines: usize, max_bytes: usize) -> (Vec<ConsoleItem>, u64) {
        let from = self.entries.partition_point(|entry| entry.last_seq() <= seq);
        let mut items = Vec::new();
        let mut bytes = 0;
        let mut last = seq;
        for entry in self.entries.range(from..) {
            if items.len() >= max_lines || (bytes >= max_bytes && !items.is_empty()) {
                break;
            }
            // Both lines that were evicted and those of a skip that the reader has partly had.
            let lost = match entry.what {
                What::Line(_) => entry.seq - 1 - last,
                What::Skipped(_) => entry.last_seq() - last,
            };
            if lost > 0 {
                items.push(ConsoleItem::Skipped { skipped: lost });
            }
            if let What::Line(line) = &entry.what {
                bytes += line.text.len();
                items.push(entry.item());
            }
            last = entry.last_seq();
        }
        (items, last)
    }

    /// How many lines after `seq` are waiting, and about how many bytes they are. Cheap.
    #[must_use]
    pub fn waiting(&self, seq: u64) -> usize {
        self.entries.len() - self.entries.partition_point(|entry| entry.last_seq() <= seq)
    }

    fn add(&mut self, what: What, numbers: u64) -> u64 {
        let entry = Entry { seq: self.next_seq, what };
        self.next_seq += numbers;
        self.bytes += entry.bytes();
        let seq = entry.seq;
        self.entries.push_back(entry);
        while self.entries.len() > self.max_lines || (self.bytes > self.max_bytes && self.entries.len() > 1) {
            if let Some(gone) = self.entries.pop_front() {
                self.bytes -= gone.bytes();
            }
        }
        if self.entries.capacity() > 4 * self.entries.len().max(256) {
            self.entries.shrink_to(2 * self.entries.len());
        }
        seq
    }
}
