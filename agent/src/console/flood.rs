//! How fast a game may print before its lines are only counted.

use std::time::Duration;

use tokio::time::Instant;

/// Lines and bytes a second that are taken whole; as much again may come in one burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Lines a second.
    pub lines: u64,
    /// Bytes a second.
    pub bytes: u64,
}

impl Default for Rate {
    fn default() -> Self {
        Self { lines: 100_000, bytes: 16 << 20 }
    }
}

/// Two token buckets, each a second deep.
#[derive(Debug)]
pub(super) struct Flood {
    rate: Rate,
    lines: u64,
    bytes: u64,
    refilled: Instant,
}

impl Flood {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, lines: rate.lines, bytes: rate.bytes, refilled: now }
    }

    /// May a chunk of this size be taken whole?
    pub(super) fn allows(&mut self, lines: u64, bytes: u64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.refilled);
        // Rarely enough that rounding down loses nothing that matters.
        if passed >= Duration::from_millis(5) {
            let share = |rate: u64| {
                let whole = u128::from(rate) * passed.as_micros() / 1_000_000;
                u64::try_from(whole).unwrap_or(u64::MAX)
            };
            self.lines = self.lines.saturating_add(share(self.rate.lines)).min(self.rate.lines);
            self.bytes = self.bytes.saturating_add(share(self.rate.bytes)).min(self.rate.bytes);
            self.refilled = now;
        }
        if self.lines < lines || self.bytes < bytes {
            return false;
        }
        self.lines -= lines;
        self.bytes -= bytes;
        true
    }
}
