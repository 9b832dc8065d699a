//! From counters that only grow to "now".

use jiff::Timestamp;

use crate::protocol::{Network, Stats};

/// What the engine counts of one container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Nanoseconds of processor time since its start.
    pub cpu_ns: u64,
    /// When these were read, in nanoseconds of any clock that only this meter sees.
    pub at_ns: u64,
    /// Bytes, with the page cache.
    pub memory: u64,
    /// Bytes of page cache that the kernel would give back at once (`inactive_file`, `total_inactive_file` on v1).
    pub inactive_file: u64,
    /// Bytes received, over all its networks.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
}

/// Turns one container's counters into samples.
#[derive(Debug, Default)]
pub struct Meter {
    last: Option<Counters>,
    cpu: f64,
}

impl Meter {
    /// For one run of one container; a new run needs a new one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The sample that these counters make with the ones before. The first one has no processor time to show.
    pub fn sample(&mut self, now: Counters, disk: u64, timestamp: Timestamp) -> Stats {
        if let Some(last) = self.last {
            let wall = now.at_ns.saturating_sub(last.at_ns);
            // Two readings at one time say nothing new.
            if wall > 0 {
                let used = now.cpu_ns.saturating_sub(last.cpu_ns);
                self.cpu = (used as f64 / wall as f64 * 10_000.0).round() / 100.0;
            }
        }
        self.last = Some(now);
        Stats {
            cpu: self.cpu,
            memory: now.memory.saturating_sub(now.inactive_file),
            disk,
            network: Network { received: now.received, sent: now.sent },
            players: None,
            timestamp,
        }
    }
}
