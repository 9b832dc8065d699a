//! Recent console lines of servers on legacy agents. Such an agent sends each line only once, so the panel numbers and
//! keeps them for later readers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::{ConsoleItem, ConsoleLine, ServerId};

/// Lines kept per server.
const LINES: usize = 200;
/// Bytes of lines kept per server.
const BYTES: usize = 256 << 10;
/// Bytes of lines kept for all servers together.
const ALL_BYTES: usize = 8 << 20;
/// Memory that one line takes in addition to its text, in bytes.
const LINE_COST: usize = 96;

/// The lines of each server.
#[derive(Default)]
pub(super) struct KeptLines(Mutex<All>);

#[derive(Default)]
struct All {
    servers: HashMap<ServerId, Kept>,
    bytes: usize,
    /// Incremented with each output, to find the server that has been silent for longest.
    clock: u64,
}

#[derive(Default)]
struct Kept {
    /// Number of the next line; 0 stands for 1.
    next: u64,
    lines: VecDeque<ConsoleLine>,
    bytes: usize,
    used: u64,
}

impl KeptLines {
    /// Numbers and stores lines; returns them in the form for readers.
    pub(super) fn note(&self, server_id: &ServerId, lines: Vec<ConsoleLine>) -> Vec<ConsoleItem> {
        let mut all = self.lock();
        all.clock += 1;
        let clock = all.clock;
        let kept = all.servers.entry(server_id.to_owned()).or_default();
        kept.used = clock;
        let before = kept.bytes;
        let mut numbered = Vec::with_capacity(lines.len());
        for mut line in lines {
            kept.next = kept.next.max(1);
            line.seq = kept.next;
            kept.next += 1;
            kept.push(line.clone());
            numbered.push(ConsoleItem::Line(line));
        }
        let after = kept.bytes;
        all.bytes = all.bytes + after - before;
        all.shrink(server_id);
        numbered
    }

    /// The last `most` lines, oldest first.
    pub(super) fn tail(&self, server_id: &ServerId, most: usize) -> Vec<ConsoleItem> {
        let all = self.lock();
        let Some(kept) = all.servers.get(server_id) else { return Vec::new() };
        let from = kept.lines.len().saturating_sub(most);
        kept.lines.range(from..).cloned().map(ConsoleItem::Line).collect()
    }

    /// Drops the lines of a deleted server.
    pub(super) fn forget(&self, server_id: &ServerId) {
        let mut all = self.lock();
        if let Some(kept) = all.servers.remove(server_id) {
            all.bytes -= kept.bytes;
        }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    /// While the total exceeds its limit, drops the lines of the servers that have been silent for longest. Their
    /// numbering continues.
    fn shrink(&mut self, but: &str) {
        while self.bytes > ALL_BYTES {
            let others = self.servers.iter_mut().filter(|(id, kept)| *id != but && kept.bytes > 0);
            let Some((_, oldest)) = others.min_by_key(|(_, kept)| kept.used) else { return };
            self.bytes -= oldest.bytes;
            oldest.bytes = 0;
            oldest.lines = VecDeque::new();
        }
    }
}

impl Kept {
    fn push(&mut self, line: ConsoleLine) {
        self.bytes += line.text.len() + LINE_COST;
        self.lines.push_back(line);
        while self.lines.len() > LINES || (self.bytes > BYTES && self.lines.len() > 1) {
            let Some(gone) = self.lines.pop_front() else { return };
            self.bytes -= gone.text.len() + LINE_COST;
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use protocol::Stream;

    use super::*;

    fn line(text: String) -> ConsoleLine {
        ConsoleLine { seq: 0, time: Timestamp::UNIX_EPOCH, stream: Stream::Stdout, text, truncated: false }
    }

    fn numbers(items: &[ConsoleItem]) -> Vec<u64> {
        let number = |item: &ConsoleItem| match item {
            ConsoleItem::Line(line) => line.seq,
            ConsoleItem::Skipped { .. } => 0,
        };
        items.iter().map(number).collect()
    }

    #[test]
    fn the_last_lines_are_there_with_numbers_that_go_on() {
        let kept = KeptLines::default();
        assert!(kept.tail(&"a".into(), 10).is_empty());
        let first = kept.note(&"a".into(), vec![line("x".into()), line("y".into())]);
        assert_eq!(numbers(&first), [1, 2]);
        for _ in 0..300 {
            kept.note(&"a".into(), vec![line("z".into())]);
        }
        assert_eq!(numbers(&kept.tail(&"a".into(), 3)), [300, 301, 302]);
        assert_eq!(kept.tail(&"a".into(), 1000).len(), LINES);
        kept.forget(&"a".into());
        assert!(kept.tail(&"a".into(), 10).is_empty() && kept.lock().bytes == 0);
    }

    #[test]
    fn long_lines_and_many_servers_stay_bounded() {
        let kept = KeptLines::default();
        for server in 0..100 {
            for _ in 0..40 {
                kept.note(&server.to_string().as_str().into(), vec![line("x".repeat(16 << 10))]);
            }
        }
        let held: usize = kept.lock().servers.values().map(|kept| kept.bytes).sum();
        assert!(held <= ALL_BYTES && held == kept.lock().bytes, "{held}");
        assert!(kept.tail(&"0".into(), 10).is_empty(), "the one without output for longest");
        assert!(!kept.tail(&"99".into(), 10).is_empty());
        assert_eq!(numbers(&kept.note(&"0".into(), vec![line("again".into())])), [41]);
    }
}
