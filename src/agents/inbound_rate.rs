//! Rate limits for the messages of agents: faster than any well-behaved agent sends, but slow enough that a flood
//! leaves the machine usable. Unread messages stay with the sender.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::net::rate_limit::TokenBucket;

/// Fixed cost of a message.
const EACH: f64 = 8.0;
/// Bytes of a message that add 1 to its cost.
const PER: usize = 1024;
/// Refill rate per second: 2,500 small messages, or 20 MB in large ones.
const RATE: f64 = 20_000.0;
/// Capacity of the bucket: enough for a node that reconnects and reports everything.
const SAVED: f64 = 80_000.0;

/// Share of each processor that the messages of all agents together may use.
const SHARE: f64 = 0.5;
/// Estimated seconds for reading one byte.
const READING: f64 = 4e-9;

/// Rate limit of one agent.
#[derive(Debug)]
pub(super) struct InboundRate(TokenBucket);

impl InboundRate {
    /// A full bucket.
    pub(super) fn new() -> Self {
        Self(TokenBucket::new(SAVED, RATE, Instant::now()))
    }

    /// Charges a message of this many bytes.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.0.take_many(EACH + (bytes / PER) as f64, Instant::now());
    }

    /// When the next message may be handled; `None` for now.
    pub(super) fn pause(&self) -> Option<Instant> {
        self.0.due()
    }
}

/// Processor time that the messages of all agents together may use. The rest is left for the panel's users.
#[derive(Debug)]
pub(super) struct Share(Mutex<TokenBucket>);

impl Default for Share {
    fn default() -> Self {
        let rate = share();
        Self(Mutex::new(TokenBucket::new(rate, rate, Instant::now())))
    }
}

/// Allowed processor seconds per second.
fn share() -> f64 {
    SHARE * std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64)
}

impl Share {
    /// Charges a message of this many bytes that was handled in `took`, not counting the time to read it.
    pub(super) fn spend(&self, took: Duration, bytes: usize) {
        self.lock().take_many(took.as_secs_f64() + bytes as f64 * READING, Instant::now());
    }

    /// When the next message may be handled; `None` for now.
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
