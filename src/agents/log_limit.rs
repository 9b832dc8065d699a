//! Limits the log lines that one node can cause, because an agent may repeat a fault, or reconnect for it, at any rate.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Lines per kind …
const LINES: u32 = 20;
/// … within this time.
const WITHIN: Duration = Duration::from_secs(60);

/// Log lines of one node, by kind.
#[derive(Debug, Default)]
pub(super) struct LogLimit(HashMap<&'static str, (Instant, u32)>);

impl LogLimit {
    /// Counts a line of this kind; returns whether it may be written.
    pub(super) fn take(&mut self, kind: &'static str, now: Instant) -> bool {
        let (since, lines) = self.0.entry(kind).or_insert((now, 0));
        if now.duration_since(*since) >= WITHIN {
            (*since, *lines) = (now, 0);
        }
        *lines += 1;
        *lines <= LINES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_twenty_lines_of_each_kind() {
        let (mut limit, now) = (LogLimit::default(), Instant::now());
        assert_eq!((0..1000).filter(|_| limit.take("a", now)).count(), 20);
        assert!(limit.take("b", now));
        assert!(!limit.take("a", now + WITHIN / 2) && limit.take("a", now + WITHIN));
    }
}
