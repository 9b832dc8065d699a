//! Delays between connection attempts.

use std::time::Duration;

/// Longest delay of the first phase, in shortest delays.
const DENSE: u32 = 5;
/// Length of the first phase, in shortest delays: a panel that restarted should be found soon.
const YOUNG: u32 = 20;
/// First delay after that phase, as a fraction of the longest delay.
const OLD: u32 = 3;
/// Smallest random share of a delay: all agents of a panel lose it at the same moment, so delays must vary widely.
const LEAST_SHARE: f64 = 0.2;

/// Frequent attempts at first, because a restarting panel is back within seconds; then the delay doubles up to the
/// longest one. Delays are randomized, so that a thousand agents do not reconnect at the same time.
#[derive(Debug)]
pub(super) struct Backoff {
    shortest: Duration,
    longest: Duration,
    waited: Duration,
    old: Duration,
}

impl Backoff {
    /// With the protocol's times: 0.5 to 2.5 s for the first 10 s, then up to 10, 20, 30 s.
    pub(super) fn new(shortest: Duration, longest: Duration) -> Self {
        Self { shortest, longest, waited: Duration::ZERO, old: longest / OLD }
    }

    pub(super) fn next(&mut self) -> Duration {
        if self.waited < self.shortest * YOUNG {
            let wait = rand::random_range(self.shortest..=self.shortest * DENSE);
            self.waited += wait;
            return wait;
        }
        let wait = self.old;
        self.old = (wait * 2).min(self.longest);
        wait.mul_f64(rand::random_range(LEAST_SHARE..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORTEST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(30);

    #[test]
    fn a_young_break_is_dialled_often_and_an_old_one_seldom() {
        for _ in 0..200 {
            let mut backoff = Backoff::new(SHORTEST, LONGEST);
            let mut passed = Duration::ZERO;
            while passed < Duration::from_secs(10) {
                let wait = backoff.next();
                assert!(wait >= SHORTEST && wait <= SHORTEST * DENSE, "{wait:?} after {passed:?}");
                passed += wait;
            }
            let longer: Vec<Duration> = (0..3).map(|_| backoff.next()).collect();
            assert!(longer[0] >= LONGEST / 15 && longer[0] <= LONGEST / 3, "{longer:?}");
            assert!(longer[2] >= LONGEST / 5 && longer[2] <= LONGEST, "{longer:?}");
            assert!(backoff.next() <= LONGEST);
        }
    }

    #[test]
    fn waits_are_spread() {
        let mut first: Vec<Duration> = (0..100).map(|_| Backoff::new(SHORTEST, LONGEST).next()).collect();
        first.sort_unstable();
        first.dedup();
        assert!(first.len() > 80, "{} different waits", first.len());
        assert!(first[first.len() - 1] - first[0] > Duration::from_secs(1), "{first:?}");
    }
}
