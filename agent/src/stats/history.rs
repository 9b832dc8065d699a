//! Stats of the last ten minutes.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use protocol::Stats;
use tokio::time::Instant;

/// Maximum age of a sample.
pub(super) const KEPT: Duration = Duration::from_secs(600);
/// Maximum number of samples: one a second.
pub(super) const MOST: usize = 600;

/// Samples of one server, oldest first. Ages are measured with the monotonic clock, since the samples' own times may
/// jump.
#[derive(Debug, Default)]
pub struct History {
    samples: VecDeque<(Instant, Stats)>,
}

impl History {
    /// An empty history, without allocation.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a new sample.
    pub fn push(&mut self, sample: Stats) {
        self.push_at(sample, Instant::now());
    }

    /// A history with the samples of an earlier run of the agent, oldest first.
    #[must_use]
    pub fn before(samples: Vec<Stats>) -> Self {
        let (mut this, now, clock) = (Self::new(), Instant::now(), Timestamp::now());
        for sample in samples {
            let age = Duration::try_from(clock.duration_since(sample.timestamp)).unwrap_or_default();
            // The monotonic clock may be younger than the sample.
            if let Some(at) = now.checked_sub(age) {
                this.push_at(sample, at);
            }
        }
        this
    }

    /// The samples of the last ten minutes, oldest first, with non-decreasing times.
    #[must_use]
    pub fn samples(&self) -> Vec<Stats> {
        self.samples_at(Instant::now())
    }

    /// The newest sample.
    #[must_use]
    pub fn last(&self) -> Option<&Stats> {
        self.samples.back().map(|(_, sample)| sample)
    }

    fn push_at(&mut self, sample: Stats, now: Instant) {
        // The wall clock was set back: drop samples from the future, which would make a chart run backwards.
        while self.samples.back().is_some_and(|(_, last)| last.timestamp > sample.timestamp) {
            self.samples.pop_back();
        }
        while self.samples.len() >= MOST || self.samples.front().is_some_and(|(at, _)| now - *at > KEPT) {
            self.samples.pop_front();
        }
        self.samples.push_back((now, sample));
        if self.samples.capacity() > 4 * self.samples.len().max(16) {
            self.samples.shrink_to(2 * self.samples.len());
        }
    }

    fn samples_at(&self, now: Instant) -> Vec<Stats> {
        self.samples.iter().filter(|(at, _)| now - *at <= KEPT).map(|(_, sample)| sample.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Network;

    fn sample(second: i64) -> Stats {
        Stats {
            cpu: 1.0,
            memory: 2,
            disk: 3,
            network: Network::default(),
            players: None,
            timestamp: Timestamp::from_second(second).unwrap(),
        }
    }

    fn seconds(history: &History, now: Instant) -> Vec<i64> {
        history.samples_at(now).iter().map(|sample| sample.timestamp.as_second()).collect()
    }

    #[test]
    fn ten_minutes_are_kept_at_any_pace() {
        let start = Instant::now();
        let (mut fast, mut slow) = (History::new(), History::new());
        for second in 0..2_000_u64 {
            let now = start + Duration::from_secs(second);
            fast.push_at(sample(i64::try_from(second).unwrap()), now);
            if second % 10 == 0 {
                slow.push_at(sample(i64::try_from(second).unwrap()), now);
            }
        }
        let now = start + Duration::from_secs(1_999);
        assert_eq!(seconds(&fast, now), (1_400..2_000).collect::<Vec<i64>>());
        assert_eq!(seconds(&slow, now), (1_400..2_000).step_by(10).collect::<Vec<i64>>());
        assert_eq!(
            seconds(&slow, now + Duration::from_secs(595)),
            Vec::<i64>::new(),
            "a stopped server's grow old"
        );
        assert!(fast.samples.capacity() <= 1_200, "{}", fast.samples.capacity());
    }

    #[test]
    fn a_clock_that_jumps_leaves_times_that_never_fall() {
        let start = Instant::now();
        let mut history = History::new();
        for (passed, second) in [(0, 100), (1, 101), (2, 5_000), (3, 5_001), (4, 103), (5, 104)] {
            history.push_at(sample(second), start + Duration::from_secs(passed));
        }
        assert_eq!(seconds(&history, start + Duration::from_secs(5)), [100, 101, 103, 104]);
        assert_eq!(history.last().map(|sample| sample.timestamp.as_second()), Some(104));
    }
}
