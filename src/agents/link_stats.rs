//! Statistics of the link to an agent: transport, latency and clock skew.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use protocol::{Encoding, Problem, ProblemCode};

/// The weight of the newest ping against those before it.
const WEIGHT: f64 = 0.25;
/// Milliseconds of clock skew from which it is reported as a problem, because users read wrong times.
const SKEW_REPORTED: i64 = 2000;
/// Number of clock samples. A message that was delayed makes the clock look slow, so the sample with the least delay is
/// used.
const SAMPLES: usize = 3;

/// Link statistics at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinkSnapshot {
    /// Smoothed round-trip time in milliseconds; absent before the first ping.
    pub latency_ms: Option<f64>,
    /// How far the agent's clock is ahead of the panel's, in milliseconds; absent before the first sample.
    pub clock_skew_ms: Option<i64>,
    /// Whether the link uses TLS; absent for the agent in this process.
    pub secure: Option<bool>,
    /// Message encoding; absent for the agent in this process.
    pub encoding: Option<&'static str>,
}

/// Link statistics of one session.
#[derive(Default)]
pub(super) struct LinkStats(Mutex<State>);

#[derive(Default)]
struct State {
    current: LinkSnapshot,
    clock: VecDeque<i64>,
    /// The values that followers were last notified of.
    notified: LinkSnapshot,
}

impl LinkStats {
    pub(super) fn snapshot(&self) -> LinkSnapshot {
        self.lock().current
    }

    /// Sets the connection's transport.
    pub(super) fn set_transport(&self, secure: bool, encoding: Encoding) {
        let mut state = self.lock();
        state.current.secure = Some(secure);
        state.current.encoding = Some(encoding.name());
    }

    /// Adds a round-trip time. Returns whether followers have to be notified.
    pub(super) fn note_ping(&self, after: Duration) -> bool {
        let mut state = self.lock();
        let now = after.as_secs_f64() * 1000.0;
        let smoothed = state.current.latency_ms.map_or(now, |before| before + (now - before) * WEIGHT);
        state.current.latency_ms = Some(smoothed);
        state.differs()
    }

    /// Adds a clock sample from a message's timestamp. Returns whether followers have to be notified.
    pub(super) fn note_clock(&self, theirs: Timestamp, ours: Timestamp) -> bool {
        let mut state = self.lock();
        let apart = theirs.as_millisecond().saturating_sub(ours.as_millisecond());
        state.clock.push_back(apart);
        if state.clock.len() > SAMPLES {
            state.clock.pop_front();
        }
        let way = state.current.latency_ms.unwrap_or(0.0) / 2.0;
        let least = state.clock.iter().copied().max().unwrap_or(0);
        state.current.clock_skew_ms = Some(least.saturating_add(way.round() as i64));
        state.differs()
    }

    /// The clock-skew problem, if there is one.
    pub(super) fn problem(&self) -> Option<Problem> {
        let skew = self
            .lock()
            .current
            .clock_skew_ms
            .filter(|skew| skew.unsigned_abs() > SKEW_REPORTED.unsigned_abs())?;
        let (by, way) = (words(skew.unsigned_abs() / 1000), if skew > 0 { "ahead of" } else { "behind" });
        Some(Problem {
            code: ProblemCode::ClockSkew,
            message: format!("The clock of this machine is {by} {way} the panel's."),
            hint: "Turn on time synchronisation there (systemd-timesyncd or chrony). Servers run all the same; times that \
                   are shown may be wrong."
                .to_owned(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the values differ enough for followers to be notified.
    fn differs(&mut self) -> bool {
        let latency = |link: &LinkSnapshot| link.latency_ms.unwrap_or(-1.0);
        let (before, now) = (latency(&self.notified), latency(&self.current));
        let skew = |link: &LinkSnapshot| link.clock_skew_ms.unwrap_or(i64::MIN);
        let moved = before < 0.0 && now >= 0.0 || (now - before).abs() > f64::max(5.0, before / 4.0);
        let drifted = skew(&self.notified).abs_diff(skew(&self.current)) > SKEW_REPORTED.unsigned_abs() / 2;
        if moved || drifted {
            self.notified = self.current;
        }
        moved || drifted
    }
}

fn words(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    #[test]
    fn pings_are_smoothed_and_reported_when_they_change() {
        let stats = LinkStats::default();
        assert!(stats.note_ping(Duration::from_millis(10)));
        assert!(!stats.note_ping(Duration::from_millis(11)));
        assert!(stats.note_ping(Duration::from_millis(300)));
        let latency = stats.snapshot().latency_ms.unwrap();
        assert!(latency > 10.0 && latency < 300.0, "{latency}");
    }

    #[test]
    fn a_clock_that_is_off_is_reported_and_a_late_message_is_not() {
        let stats = LinkStats::default();
        stats.note_ping(Duration::from_millis(200));
        stats.note_clock(at(0), at(100));
        assert_eq!((stats.snapshot().clock_skew_ms, stats.problem()), (Some(0), None));
        stats.note_clock(at(0), at(9000));
        assert_eq!(stats.problem(), None, "it waited somewhere");
        for _ in 0..SAMPLES {
            stats.note_clock(at(0), at(7_200_100));
        }
        let problem = stats.problem().unwrap();
        assert_eq!(problem.code, ProblemCode::ClockSkew);
        assert!(problem.message.contains("2 h behind"), "{}", problem.message);
        stats.note_clock(at(90_000), at(0));
        assert!(stats.problem().unwrap().message.contains("90 s ahead"));
    }
}
