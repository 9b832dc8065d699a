//! A small allowance of attempts that are checked although their address or account has had too many wrong ones.
//!
//! A person guessing passwords causes delays for everyone with the same address, or with the account being guessed.
//! They cannot be told apart before the password was checked, so a limited number of attempts is checked anyway, and a
//! right password is accepted.

use std::hash::Hash;

use crate::net::rate_limit::Buckets;

/// Capacity of a token bucket.
const BURST: f64 = 5.0;
/// Tokens added per second.
const PER_SECOND: f64 = 1.0;

/// One token bucket per key.
pub(super) struct Reserve<K>(Buckets<K>);

impl<K: Eq + Hash> Default for Reserve<K> {
    fn default() -> Self {
        Self(Buckets::strict(BURST, PER_SECOND))
    }
}

impl<K: Eq + Hash> Reserve<K> {
    /// Takes a token of this key. `false` if there is none, or if too many keys were used within seconds.
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
