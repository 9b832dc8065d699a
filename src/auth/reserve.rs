//! A few attempts that are looked at although their address or account was wrong too often.
//!
//! Whoever guesses makes others wait who share his address, or whose account he tries. None of them can be told from him
//! before the password was looked at; so a bounded number is looked at all the same, and a right one is let in.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::net::rate_limit::{MAX_ENTRIES, TokenBucket};

/// What may be looked at in one go.
const BURST: f64 = 5.0;
/// And then each second.
const PER_SECOND: f64 = 1.0;
/// A bucket that was not used for so long is full again, and forgotten.
const FULL_AGAIN: Duration = Duration::from_secs(5);

/// One token bucket for each key.
pub(super) struct Reserve<K>(Mutex<HashMap<K, (TokenBucket, Instant)>>);

impl<K> Default for Reserve<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Reserve<K> {
    /// Takes one token of this key; `false` where there is none.
    pub(super) fn take(&self, key: K) -> bool {
        self.take_at(key, Instant::now())
    }

    fn take_at(&self, key: K, now: Instant) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_ENTRIES {
            buckets.retain(|_, (_, used)| now.duration_since(*used) < FULL_AGAIN);
        }
        // So many keys within seconds: no more of them for now, which keeps the map and the work bounded.
        if buckets.len() >= MAX_ENTRIES && !buckets.contains_key(&key) {
            return false;
        }
        let fresh = || (TokenBucket::new(BURST, PER_SECOND, now), now);
        let (bucket, used) = buckets.entry(key).or_insert_with(fresh);
        *used = now;
        bucket.take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_guesses_every_two_seconds_leaves_room_for_another() {
        let reserve = Reserve::default();
        let start = Instant::now();
        for second in (0..600).step_by(2) {
            let now = start + Duration::from_secs(second);
            assert!(reserve.take_at("home", now), "the guess of second {second}");
            if second % 10 == 0 {
                assert!(reserve.take_at("home", now + Duration::from_secs(1)), "the owner at {second}");
            }
        }
    }

    #[test]
    fn a_flood_gets_one_a_second_and_the_map_stays_bounded() {
        let reserve = Reserve::default();
        let start = Instant::now();
        let looked_at =
            (0..10_000).filter(|n| reserve.take_at(u32::MAX, start + Duration::from_millis(*n))).count();
        assert!((14..=15).contains(&looked_at), "{looked_at} in ten seconds");
        for n in 0..20_000_u32 {
            reserve.take_at(n, start);
        }
        assert!(reserve.0.lock().unwrap().len() <= MAX_ENTRIES);
    }
}
