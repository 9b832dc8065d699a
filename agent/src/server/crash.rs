//! When a crashed game is started again, and when it is given up on.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::RestartPolicy;

/// What to do about a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Start again after this, for the n-th time.
    After(Duration, usize),
    /// It would only crash again.
    GiveUp,
}

/// The restarts of one server.
#[derive(Debug, Default)]
pub(super) struct Crashes {
    restarts: VecDeque<Instant>,
}

impl Crashes {
    /// It crashed after running this long.
    pub(super) fn crashed(&mut self, now: Instant, ran: Duration, patience: &RestartPolicy) -> Next {
        if ran >= patience.good_run {
            self.restarts.clear();
        }
        while self.restarts.front().is_some_and(|at| now.duration_since(*at) > patience.window) {
            self.restarts.pop_front();
        }
        let before = self.restarts.len();
        if before >= patience.restarts {
            return Next::GiveUp;
        }
        let delay = patience.delays.get(before).or(patience.delays.last()).copied().unwrap_or_default();
        self.restarts.push_back(now + delay);
        Next::After(delay, before + 1)
    }

    /// Somebody asked for a start: their patience is new.
    pub(super) fn forget(&mut self) {
        self.restarts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn three_restarts_and_no_more() {
        let patience = RestartPolicy::default();
        let mut crashes = Crashes::default();
        let mut now = Instant::now();
        let mut next = |ran: Duration, crashes: &mut Crashes| {
            now += ran;
            let next = crashes.crashed(now, ran, &patience);
            if let Next::After(delay, _) = next {
                now += delay;
            }
            next
        };
        assert_eq!(next(S, &mut crashes), Next::After(2 * S, 1));
        assert_eq!(next(S, &mut crashes), Next::After(10 * S, 2));
        assert_eq!(next(S, &mut crashes), Next::After(30 * S, 3));
        assert_eq!(next(S, &mut crashes), Next::GiveUp);
        crashes.forget();
        assert_eq!(next(S, &mut crashes), Next::After(2 * S, 1));
        // A run of ten minutes is a good one.
        assert_eq!(next(600 * S, &mut crashes), Next::After(2 * S, 1));
        // Crashes that are far apart never add up.
        for _ in 0..10 {
            assert!(matches!(next(590 * S, &mut crashes), Next::After(..)));
        }
    }
}
