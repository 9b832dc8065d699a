//! Automatic starts: of crashed games, until it gives up, and after a reboot.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::config::RestartPolicy;

/// What to do about a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Restart after this delay, as the n-th attempt.
    After(Duration, usize),
    /// Give up: it would only crash again.
    GiveUp,
}

/// Restart history of one server.
#[derive(Debug, Default)]
pub(super) struct Crashes {
    restarts: VecDeque<Instant>,
}

impl Crashes {
    /// Records a crash after this running time.
    pub(super) fn crashed(&mut self, now: Instant, ran: Duration, policy: &RestartPolicy) -> Next {
        if ran >= policy.good_run {
            self.restarts.clear();
        }
        while self.restarts.front().is_some_and(|at| now.duration_since(*at) > policy.window) {
            self.restarts.pop_front();
        }
        let before = self.restarts.len();
        if before >= policy.restarts {
            return Next::GiveUp;
        }
        let delay = policy.delays.get(before).or(policy.delays.last()).copied().unwrap_or_default();
        self.restarts.push_back(now + delay);
        Next::After(delay, before + 1)
    }

    /// A user requested a start: resets the count.
    pub(super) fn forget(&mut self) {
        self.restarts.clear();
    }
}

/// A scheduled start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// A start of a server that should be running; staggered among servers.
    Start(Instant),
    /// A restart after a crash; the timestamp is the time shown to users.
    Restart(Instant, Timestamp),
}

/// The scheduled start of a server.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    due: Option<Due>,
    pub(super) crashes: Crashes,
    /// When the last run ended.
    pub(super) ended: Option<Instant>,
}

impl Schedule {
    /// Schedules a start.
    pub(super) fn start(&mut self, at: Instant) {
        self.due = Some(Due::Start(at));
    }

    /// Schedules a restart after this delay.
    pub(super) fn restart_in(&mut self, delay: Duration) {
        let span = SignedDuration::try_from(delay).unwrap_or_default();
        let at = Timestamp::now().checked_add(span).unwrap_or_default();
        self.due = Some(Due::Restart(Instant::now() + delay, at));
    }

    /// Cancels everything.
    pub(super) fn clear(&mut self) {
        self.due = None;
    }

    /// Cancels the scheduled start; false if there was none.
    pub(super) fn cancel_start(&mut self) -> bool {
        self.due.take_if(|due| matches!(due, Due::Start(_))).is_some()
    }

    /// Cancels the scheduled restart; false if there was none.
    pub(super) fn cancel_restart(&mut self) -> bool {
        self.due.take_if(|due| matches!(due, Due::Restart(..))).is_some()
    }

    /// Wall-clock time of the scheduled restart.
    pub(super) fn restart_at(&self) -> Option<Timestamp> {
        match self.due {
            Some(Due::Restart(_, at)) => Some(at),
            Some(Due::Start(_)) | None => None,
        }
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.due.map(|due| match due {
            Due::Start(at) | Due::Restart(at, _) => at,
        })
    }

    /// Whether a start is due.
    pub(super) fn start_is_due(&self, now: Instant) -> bool {
        matches!(self.due, Some(Due::Start(at)) if at <= now)
    }

    /// Whether a restart is due.
    pub(super) fn restart_is_due(&self, now: Instant) -> bool {
        matches!(self.due, Some(Due::Restart(at, _)) if at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn three_restarts_and_no_more() {
        let policy = RestartPolicy::default();
        let mut crashes = Crashes::default();
        let mut now = Instant::now();
        let mut next = |ran: Duration, crashes: &mut Crashes| {
            now += ran;
            let next = crashes.crashed(now, ran, &policy);
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
        // A run of ten minutes resets the count.
        assert_eq!(next(600 * S, &mut crashes), Next::After(2 * S, 1));
        // Crashes far apart do not add up.
        for _ in 0..10 {
            assert!(matches!(next(590 * S, &mut crashes), Next::After(..)));
        }
    }
}
