//! The steps of a stop: the command or signal, then SIGTERM, then SIGKILL. A stop in progress when the agent exits
//! continues where it was.

use std::collections::VecDeque;
use std::time::Duration;

use protocol::Stop;
use tokio::time::Instant;

/// What to send to the game.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StopStep {
    /// A console line.
    Line(String),
    /// A signal.
    Signal(String),
}

/// A step that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The step's action.
    pub(super) action: StopStep,
    /// Number of the step, counted from 1.
    pub(super) step: u32,
    /// An earlier step did not help.
    pub(super) insists: bool,
}

/// A stop in progress.
#[derive(Debug)]
pub(super) struct Stopping {
    /// The remaining steps and their times. The last one is SIGKILL, which is repeated.
    steps: VecDeque<(Instant, StopStep)>,
    /// Number of steps taken.
    taken: u32,
    grace: Duration,
    /// No step is taken before this time, unless released: the request must be on the disk first.
    held_until: Option<Instant>,
    /// When SIGKILL is due, or was sent.
    kill_at: Instant,
    /// `kill_at` as the time since the stop was requested.
    kill_after: Duration,
    /// SIGKILL was sent, so exit code 137 is ours.
    killed: bool,
}

const TERM: &str = "SIGTERM";
const KILL: &str = "SIGKILL";
/// Maximum time to wait for the disk before the stop begins anyway.
const DISK: Duration = Duration::from_secs(2);

fn is(signal: &str, name: &str) -> bool {
    let bare = |text: &str| text.trim_start_matches("SIG").to_ascii_uppercase();
    bare(signal) == bare(name)
}

/// All steps with their time since the request; only SIGKILL if `stop` is `None`.
fn plan(stop: Option<&Stop>, timeout: Duration, grace: Duration) -> Vec<(Duration, StopStep)> {
    let signal = |name: &str| StopStep::Signal(name.to_owned());
    match stop {
        None => vec![(Duration::ZERO, signal(KILL))],
        Some(Stop::Signal(name)) if is(name, KILL) => plan(None, timeout, grace),
        Some(Stop::Signal(name)) if is(name, TERM) => {
            vec![(Duration::ZERO, signal(name)), (timeout, signal(KILL))]
        }
        Some(stop) => {
            let first = match stop {
                Stop::Command(line) => StopStep::Line(line.clone()),
                Stop::Signal(name) => signal(name),
            };
            vec![(Duration::ZERO, first), (timeout, signal(TERM)), (timeout + grace, signal(KILL))]
        }
    }
}

/// Number of steps taken, from the `known` recorded ones and the signals that were sent: the agent may have exited
/// between sending and recording.
pub(super) fn taken(stop: Option<&Stop>, known: u32, signals: &[String]) -> u32 {
    let plan = plan(stop, Duration::ZERO, Duration::ZERO);
    let sent = |(_, action): &(Duration, StopStep)| match action {
        StopStep::Signal(name) => signals.iter().any(|signal| is(signal, name)),
        StopStep::Line(_) => false,
    };
    let more = plan.iter().skip(usize::try_from(known).unwrap_or(usize::MAX)).take_while(|step| sent(step));
    known.saturating_add(u32::try_from(more.count()).unwrap_or(u32::MAX))
}

impl Stopping {
    /// A stop by `stop`, or a kill if that is `None`. It was requested `elapsed` ago, and `taken` steps were taken.
    /// Those are not repeated; an overdue step is taken now, and the next one follows after its normal delay.
    pub(super) fn resume(
        stop: Option<&Stop>,
        timeout: Duration,
        grace: Duration,
        now: Instant,
        elapsed: Duration,
        taken: u32,
    ) -> Self {
        let plan = plan(stop, timeout, grace);
        let last = u32::try_from(plan.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let (taken, killed) = (taken.min(last), taken > last);
        let apart = grace.min(timeout);
        let mut steps: VecDeque<(Instant, StopStep)> = VecDeque::new();
        for (offset, action) in plan.into_iter().skip(usize::try_from(taken).unwrap_or(usize::MAX)) {
            let planned = now + offset.saturating_sub(elapsed);
            let at = steps.back().map_or(planned, |(before, _)| planned.max(*before + apart));
            steps.push_back((at, action));
        }
        let kill_at = steps.back().map_or(now, |(at, _)| *at);
        let kill_after = if last == 0 { Duration::ZERO } else { elapsed + kill_at.duration_since(now) };
        Self { steps, taken, grace, held_until: None, kill_at, kill_after, killed }
    }

    /// Delays all steps until [`Stopping::release`] or the disk timeout.
    pub(super) fn hold(&mut self, now: Instant) {
        self.held_until = Some(now + DISK);
    }

    /// Releases the hold: the request is on the disk.
    pub(super) fn release(&mut self) {
        self.held_until = None;
    }

    /// When the next step is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let (at, _) = self.steps.front()?;
        Some(self.held_until.map_or(*at, |held| held.max(*at)))
    }

    /// Takes the next step if it is due.
    pub(super) fn due(&mut self, now: Instant) -> Option<Due> {
        self.next_at().filter(|at| *at <= now)?;
        self.held_until = None;
        let (_, action) = self.steps.pop_front()?;
        let insists = self.taken > 0 || self.killed;
        if self.steps.is_empty() {
            // SIGKILL cannot be ignored, but the engine call may fail: it is repeated until the game is gone.
            self.steps.push_back((now + self.grace, action.clone()));
            self.killed = true;
            return Some(Due { action, step: self.taken + 1, insists });
        }
        self.taken += 1;
        Some(Due { action, step: self.taken, insists })
    }

    /// The command could not be typed: the signal after it is due at once; the time until SIGKILL stays. False if there
    /// is no such signal left.
    pub(super) fn without_line(&mut self, now: Instant) -> bool {
        match self.steps.front_mut() {
            Some((at, StopStep::Signal(_))) if self.taken == 1 && !self.killed => {
                *at = now.min(*at);
                self.steps.len() > 1
            }
            _ => false,
        }
    }

    /// When the game is killed at the latest; `None` once SIGKILL was sent.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.killed).then_some(self.kill_at)
    }

    /// Time from the request to SIGKILL.
    pub(super) fn kill_after(&self) -> Duration {
        self.kill_after
    }

    /// Time from the request to SIGKILL, if it was sent.
    pub(super) fn killed_after(&self) -> Option<Duration> {
        self.killed.then_some(self.kill_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn signal(name: &str, step: u32) -> Option<Due> {
        Some(Due { action: StopStep::Signal(name.into()), step, insists: step > 1 })
    }

    fn line(text: &str) -> Option<Due> {
        Some(Due { action: StopStep::Line(text.into()), step: 1, insists: false })
    }

    fn begin(stop: Option<&Stop>, timeout: Duration, grace: Duration, now: Instant) -> Stopping {
        Stopping::resume(stop, timeout, grace, now, Duration::ZERO, 0)
    }

    fn quit() -> Stop {
        Stop::Command("quit".into())
    }

    #[test]
    fn a_command_then_term_then_kill() {
        let t = Instant::now();
        let mut stop = begin(Some(&quit()), 30 * S, 10 * S, t);
        assert_eq!((stop.next_at(), stop.due(t)), (Some(t), line("quit")));
        assert_eq!(stop.deadline(), Some(t + 40 * S));
        assert_eq!(stop.due(t + 29 * S), None);
        assert_eq!(stop.due(t + 30 * S), signal("SIGTERM", 2));
        assert_eq!(stop.due(t + 39 * S), None);
        assert_eq!(stop.killed_after(), None);
        assert_eq!(stop.due(t + 40 * S), signal("SIGKILL", 3));
        assert_eq!((stop.killed_after(), stop.deadline()), (Some(40 * S), None));
        assert_eq!(stop.due(t + 49 * S), None);
        assert_eq!(stop.due(t + 50 * S), signal("SIGKILL", 3));
    }

    #[test]
    fn a_stop_by_term_goes_straight_to_kill() {
        let t = Instant::now();
        let mut stop = begin(Some(&Stop::Signal("TERM".into())), 5 * S, 10 * S, t);
        assert_eq!((stop.due(t), stop.deadline()), (signal("TERM", 1), Some(t + 5 * S)));
        assert_eq!(stop.due(t + 5 * S), signal("SIGKILL", 2));
        let mut stop = begin(Some(&Stop::Signal("SIGINT".into())), 5 * S, 10 * S, t);
        assert_eq!((stop.due(t), stop.due(t + 5 * S)), (signal("SIGINT", 1), signal("SIGTERM", 2)));
    }

    #[test]
    fn a_line_that_cannot_be_typed_is_a_signal_at_once() {
        let t = Instant::now();
        let mut stop = begin(Some(&quit()), 30 * S, 10 * S, t);
        assert!(!stop.without_line(t), "nothing was tried");
        assert_eq!(stop.due(t), line("quit"));
        assert!(stop.without_line(t + 2 * S));
        assert_eq!(stop.due(t + 2 * S), signal("SIGTERM", 2));
        assert!(!stop.without_line(t + 3 * S), "it was sent");
        assert_eq!((stop.due(t + 39 * S), stop.due(t + 40 * S)), (None, signal("SIGKILL", 3)));
    }

    #[test]
    fn a_kill_waits_for_nothing() {
        let t = Instant::now();
        for stop in [None, Some(Stop::Signal("SIGKILL".into()))] {
            let mut stop = begin(stop.as_ref(), 5 * S, S, t);
            assert_eq!(stop.due(t), signal("SIGKILL", 1));
            assert_eq!((stop.deadline(), stop.next_at()), (None, Some(t + S)));
            assert_eq!(stop.killed_after(), Some(Duration::ZERO));
        }
    }

    #[test]
    fn nothing_is_done_before_it_is_on_the_disk_unless_that_hangs() {
        let t = Instant::now();
        let mut stop = begin(None, S, S, t);
        stop.hold(t);
        assert_eq!((stop.due(t), stop.next_at()), (None, Some(t + DISK)));
        stop.release();
        assert_eq!(stop.due(t), signal("SIGKILL", 1));
        let mut stop = begin(Some(&quit()), 30 * S, 10 * S, t);
        stop.hold(t);
        assert_eq!((stop.due(t + DISK), stop.deadline()), (line("quit"), Some(t + 40 * S)));
    }

    #[test]
    fn a_signal_that_was_sent_is_a_step_that_was_taken() {
        let signals = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let term = Stop::Signal("TERM".into());
        assert_eq!(taken(Some(&term), 0, &signals(&[])), 0);
        assert_eq!(taken(Some(&term), 0, &signals(&["SIGHUP", "SIGTERM"])), 1);
        assert_eq!(taken(Some(&term), 1, &signals(&["SIGTERM"])), 1);
        assert_eq!(taken(Some(&term), 1, &signals(&["SIGTERM", "SIGKILL"])), 2);
        // The engine does not know whether a line was typed.
        assert_eq!(taken(Some(&quit()), 0, &signals(&["SIGTERM"])), 0);
        assert_eq!(taken(Some(&quit()), 1, &signals(&["SIGTERM"])), 2);
        assert_eq!(taken(None, 0, &signals(&["SIGTERM"])), 0);
    }

    #[test]
    fn one_that_was_broken_off_goes_on_where_it_was() {
        let t = Instant::now();
        let resume =
            |elapsed: Duration, taken| Stopping::resume(Some(&quit()), 30 * S, 10 * S, t, elapsed, taken);
        // The command was typed: the next step comes at its planned time.
        let mut stop = resume(12 * S, 1);
        assert_eq!((stop.due(t), stop.deadline()), (None, Some(t + 28 * S)));
        assert_eq!(stop.due(t + 18 * S), signal("SIGTERM", 2));
        assert_eq!(stop.due(t + 28 * S), signal("SIGKILL", 3));
        assert_eq!(stop.killed_after(), Some(40 * S));
        // No step was taken yet.
        let mut stop = resume(12 * S, 0);
        assert_eq!((stop.due(t), stop.deadline()), (line("quit"), Some(t + 28 * S)));
        // SIGTERM is overdue: then the game has its grace before SIGKILL.
        let mut stop = resume(500 * S, 1);
        assert_eq!((stop.due(t), stop.due(t + 9 * S)), (signal("SIGTERM", 2), None));
        assert_eq!(stop.due(t + 10 * S), signal("SIGKILL", 3));
        // SIGKILL is overdue and may have been lost: it is sent again.
        assert_eq!(resume(500 * S, 2).due(t), signal("SIGKILL", 3));
        let mut stop = resume(500 * S, 3);
        assert_eq!((stop.deadline(), stop.killed_after().is_some()), (None, true));
        assert_eq!(stop.due(t), signal("SIGKILL", 3));
        // Long after every step.
        assert_eq!(resume(Duration::MAX / 4, 0).due(t), line("quit"));
    }
}
