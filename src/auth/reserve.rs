//! A few attempts that are looked at although their address or account was wrong too often.
//!
//! Whoever guesses makes others wait who share his address, or whose account he tries. None of them can be told from him
//! before the password was looked at; so a bounded number is looked at all the same, and a right one is let in.

use std::hash::Hash;

use crate::net::rate_limit::Buckets;

/// What may be looked at in one go.
const BURST: f64 = 5.0;
/// And then each second.
const PER_SECOND: f64 = 1.0;

/// One token bucket for each key.
pub(super) struct Reserve<K>(Buckets<K>);

impl<K: Eq + Hash> Default for Reserve<K> {
    fn default() -> Self {
        Self(Buckets::strict(BURST, PER_SECOND))
    }
}

impl<K: Eq + Hash> Reserve<K> {
    /// Takes one token of this key; `false` where there is none, or where too many keys came within seconds.
    pub(super) fn take(&self, key: K) -> bool {
        self.0.take(key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::net::rate_limit::MAX_ENTRIES;

    #[test]
    fn one_that_guesses_every_two_seconds_leaves_room_for_another() {
        let reserve = Reserve::default();
        let start = Instant::now();
        for second in (0..600).step_by(2) {
            let now = start + Duration::from_secs(second);
            assert!(reserve.0.take_at("home", now), "the guess of second {second}");
            if second % 10 == 0 {
                assert!(reserve.0.take_at("home", now + Duration::from_secs(1)), "the owner at {second}");
            }
        }
    }

    #[test]
    fn a_flood_gets_one_a_second_and_the_map_stays_bounded() {
        let reserve = Reserve::default();
        let start = Instant::now();
        let looked_at =
            (0..10_000).filter(|n| reserve.0.take_at(u32::MAX, start + Duration::from_millis(*n))).count();
        assert!((14..=15).contains(&looked_at), "{looked_at} in ten seconds");
        for n in 0..20_000_u32 {
            reserve.0.take_at(n, start);
        }
        assert!(reserve.0.len() <= MAX_ENTRIES);
    }
}
