//! How long to wait before dialling again.

use std::time::Duration;

use crate::pace::paced;

/// The least and the most of a wait while the break is young.
const DENSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(2_500));
/// A break is young until it has been waited out for this long: a panel that was restarted meets us within 2.5 s.
const YOUNG: Duration = Duration::from_secs(10);
const FIRST_LONG: Duration = Duration::from_secs(10);
const MOST: Duration = Duration::from_secs(30);
/// All agents of a panel lost it at the same moment: a wide draw, or they would stay together.
const LEAST_SHARE: f64 = 0.2;

/// Dense tries at first, because a panel that is restarted is away for seconds; then doubled up to 30 s. Each wait is
/// drawn, so that a thousand agents do not come back in one moment.
#[derive(Debug)]
pub(super) struct Backoff {
    waited: Duration,
    long: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { waited: Duration::ZERO, long: FIRST_LONG }
    }
}

impl Backoff {
    pub(super) fn next(&mut self) -> Duration {
        if self.waited < YOUNG {
            let wait = rand::random_range(DENSE.0..=DENSE.1);
            self.waited += wait;
            return wait;
        }
        let wait = self.long;
        self.long = (wait * 2).min(MOST);
        paced(wait.mul_f64(rand::random_range(LEAST_SHARE..=1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_young_break_is_dialled_often_and_an_old_one_seldom() {
        for _ in 0..200 {
            let mut backoff = Backoff::default();
            let mut passed = Duration::ZERO;
            while passed < YOUNG {
                let wait = backoff.next();
                assert!(wait >= DENSE.0 && wait <= DENSE.1, "{wait:?} after {passed:?}");
                passed += wait;
            }
            let longer: Vec<Duration> = (0..3).map(|_| backoff.next()).collect();
            assert!(longer[0] >= FIRST_LONG / 5 && longer[0] <= FIRST_LONG, "{longer:?}");
            assert!(longer[2] >= MOST / 5 && longer[2] <= MOST, "{longer:?}");
            assert!(backoff.next() <= MOST);
        }
    }

    #[test]
    fn waits_are_spread() {
        let mut first: Vec<Duration> = (0..100).map(|_| Backoff::default().next()).collect();
        first.sort_unstable();
        first.dedup();
        assert!(first.len() > 80, "{} different waits", first.len());
        assert!(first[first.len() - 1] - first[0] > Duration::from_secs(1), "{first:?}");
    }
}
