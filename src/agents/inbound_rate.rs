//! How fast the messages of one agent are taken: quicker than any honest one speaks, and slow enough that a flood leaves
//! the machine to the others. What is not read yet stays with the sender.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::net::rate_limit::TokenBucket;

/// What a message costs beside its length.
const EACH: f64 = 8.0;
/// Bytes of a message that cost one more.
const PER: usize = 1024;
/// What may be spent each second: 2,500 small messages, or 20 MB in large ones.
const RATE: f64 = 20_000.0;
/// What may be saved up, for a node that comes back and tells of everything.
const SAVED: f64 = 80_000.0;

/// Of each second, how much all of them together may keep a processor busy, for each processor that there is.
const SHARE: f64 = 0.5;
/// Seconds that it takes to read a byte.
const READING: f64 = 4e-9;

/// What the messages of one agent may cost.
#[derive(Debug)]
pub(super) struct InboundRate(TokenBucket);

impl InboundRate {
    /// For the messages of one agent.
    pub(super) fn new() -> Self {
        Self(TokenBucket::new(SAVED, RATE, Instant::now()))
    }

    /// A message was taken.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.0.take_many(EACH + (bytes / PER) as f64, Instant::now());
    }

    /// When the next one may be taken; nothing where at once.
    pub(super) fn pause(&self) -> Option<Instant> {
        self.0.due()
    }
}

/// The time that the messages of all agents together may take: the rest belongs to those who use the panel.
#[derive(Debug)]
pub(super) struct Share(Mutex<TokenBucket>);

impl Default for Share {
    fn default() -> Self {
        let rate = share();
        Self(Mutex::new(TokenBucket::new(rate, rate, Instant::now())))
    }
}

/// Seconds of processors a second.
fn share() -> f64 {
    SHARE * std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64)
}

impl Share {
    /// A message of so many bytes took so long, once it was read.
    pub(super) fn spend(&self, took: Duration, bytes: usize) {
        self.lock().take_many(took.as_secs_f64() + bytes as f64 * READING, Instant::now());
    }

    /// When the next one may be taken; nothing where at once.
    pub(super) fn pause(&self) -> Option<Instant> {
        self.lock().due()
    }

    fn lock(&self) -> MutexGuard<'_, TokenBucket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_slowed_down_and_a_burst_is_not() {
        let mut limit = InboundRate::new();
        let began = Instant::now();
        let mut taken = 0;
        while began.elapsed() < Duration::from_secs(10) {
            match limit.pause() {
                Some(until) => tokio::time::sleep_until(until + Duration::from_millis(1)).await,
                None => {
                    limit.spend(100);
                    taken += 1;
                }
            }
            if taken == 9_000 {
                assert!(began.elapsed().is_zero(), "a burst");
            }
        }
        assert!((30_000..40_000).contains(&taken), "{taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn all_together_leave_some_time() {
        let share = Share::default();
        let mut worked = Duration::ZERO;
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            match share.pause() {
                Some(until) => tokio::time::sleep_until(until + Duration::from_millis(1)).await,
                None => {
                    share.spend(Duration::from_millis(20), 0);
                    worked += Duration::from_millis(20);
                }
            }
        }
        let of = worked.as_secs_f64() / super::share();
        assert!((19.0..22.0).contains(&of), "{of}");
    }
}
