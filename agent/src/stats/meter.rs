//! Turns growing counters into current values.

use jiff::Timestamp;
use protocol::{Network, Stats};

/// The counters of one container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// CPU time since its start, in nanoseconds.
    pub cpu_ns: u64,
    /// When these were read, in nanoseconds of any clock; only differences are used.
    pub at_ns: u64,
    /// Memory in bytes, including the page cache.
    pub memory: u64,
    /// Bytes of page cache that the kernel can reclaim at once (`inactive_file`, `total_inactive_file` on v1).
    pub inactive_file: u64,
    /// Bytes received over all its networks.
    pub received: u64,
    /// Bytes sent over all its networks.
    pub sent: u64,
}

/// Turns one container's counters into samples.
#[derive(Debug, Default)]
pub struct Meter {
    last: Option<Counters>,
    cpu: f64,
}

impl Meter {
    /// A meter for one run of one container.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The sample from these counters and the previous ones. The first one has no CPU value.
    pub fn sample(&mut self, now: Counters, disk: u64, timestamp: Timestamp) -> Stats {
        if let Some(last) = self.last {
            let wall = now.at_ns.saturating_sub(last.at_ns);
            // Two readings at the same time have no new information.
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

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(seconds: u64, cpu_ns: u64) -> Counters {
        Counters { cpu_ns, at_ns: seconds * SECOND, ..Counters::default() }
    }

    #[test]
    fn percent_of_one_core_between_two_readings() {
        let mut meter = Meter::new();
        let mut cpu = |counters| meter.sample(counters, 0, Timestamp::UNIX_EPOCH).cpu;
        assert_eq!(cpu(at(10, 5 * SECOND)), 0.0, "the first has nothing to compare with");
        assert_eq!(cpu(at(11, 5 * SECOND + SECOND / 4)), 25.0);
        assert_eq!(cpu(at(13, 9 * SECOND + SECOND / 4)), 200.0, "two cores");
        assert_eq!(cpu(at(13, 9 * SECOND + SECOND / 4)), 200.0, "the same reading again");
        assert_eq!(cpu(at(14, SECOND)), 0.0, "a counter that went back");
        assert_eq!(cpu(at(13, 3 * SECOND)), 0.0, "a clock that went back");
    }

    #[test]
    fn memory_is_without_what_the_kernel_would_give_back() {
        let counters =
            Counters { memory: 100, inactive_file: 30, received: 7, sent: 8, ..Counters::default() };
        let sample = Meter::new().sample(counters, 42, Timestamp::UNIX_EPOCH);
        assert_eq!((sample.memory, sample.disk), (70, 42));
        assert_eq!(sample.network, Network { received: 7, sent: 8 });
        let odd = Counters { memory: 10, inactive_file: 30, ..Counters::default() };
        assert_eq!(Meter::new().sample(odd, 0, Timestamp::UNIX_EPOCH).memory, 0);
    }
}
