//! The samples of the last ten minutes.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::Stats;

/// How long a sample is kept.
const KEPT: Duration = Duration::from_secs(600);
/// One a second.
const MOST: usize = 600;

/// Samples of one server, oldest first. Age is told by the steady clock; the samples' own times may jump.
#[derive(Debug, Default)]
pub struct History {
    samples: VecDeque<(Instant, Stats)>,
}

impl History {
    /// Empty, without memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the newest one.
    pub fn push(&mut self, sample: Stats) {
        self.push_at(sample, Instant::now());
    }

    /// Those of the last ten minutes, oldest first, their times never falling.
    #[must_use]
    pub fn samples(&self) -> Vec<Stats> {
        self.samples_at(Instant::now())
    }

    /// The newest one.
    #[must_use]
    pub fn last(&self) -> Option<&Stats> {
        self.samples.back().map(|(_, sample)| sample)
    }

    fn push_at(&mut self, sample: Stats, now: Instant) {
        // The wall clock was set back: what claims to be later than now would draw a chart that runs backwards.
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
