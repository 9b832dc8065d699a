//! How a stop goes on when the game does not: the command or signal, then SIGTERM, then SIGKILL.

use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::Stop;

/// What to do to the game.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// A line on its console.
    Line(String),
    /// A signal.
    Signal(String),
}

/// A stop under way.
#[derive(Debug)]
pub(super) struct Stopping {
    began: Instant,
    /// The next blow, and when.
    next: Option<(Instant, &'static str)>,
    grace: Duration,
    /// When SIGKILL comes, or came.
    kill_at: Instant,
    /// SIGKILL was sent, so a 137 is ours.
    killed: bool,
}

const TERM: &str = "SIGTERM";
const KILL: &str = "SIGKILL";

fn is(signal: &str, name: &str) -> bool {
    let bare = |text: &str| text.trim_start_matches("SIG").to_ascii_uppercase();
    bare(signal) == bare(name)
}

impl Stopping {
    /// Begins one, with the first blow.
    pub(super) fn begin(stop: &Stop, timeout: Duration, grace: Duration, now: Instant) -> (Self, Blow) {
        let first = match stop {
            Stop::Command(line) => Blow::Line(line.clone()),
            Stop::Signal(name) => Blow::Signal(name.clone()),
        };
        let mut this = Self { began: now, next: None, grace, kill_at: now, killed: false };
        match stop {
            Stop::Signal(name) if is(name, KILL) => return Self::kill(now, grace),
            Stop::Signal(name) if is(name, TERM) => {
                this.kill_at = now + timeout;
                this.next = Some((this.kill_at, KILL));
            }
            _ => {
                this.kill_at = now + timeout + grace;
                this.next = Some((now + timeout, TERM));
            }
        }
        (this, first)
    }

    /// SIGKILL at once.
    pub(super) fn kill(now: Instant, grace: Duration) -> (Self, Blow) {
        let this = Self { began: now, next: Some((now + grace, KILL)), grace, kill_at: now, killed: true };
        (this, Blow::Signal(KILL.into()))
    }

    /// When [`Stopping::due`] has something to do.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.next.map(|(at, _)| at)
    }

    /// The blow that is due now.
    pub(super) fn due(&mut self, now: Instant) -> Option<Blow> {
        let (_, signal) = self.next.filter(|(at, _)| *at <= now)?;
        // SIGKILL cannot be ignored, but it can get lost with a call to the engine: again, until the game is gone.
        self.next = Some((now + self.grace, KILL));
        self.killed |= signal == KILL;
        Some(Blow::Signal(signal.into()))
    }

    /// When the game is killed at the latest; nothing once it was.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (!self.killed).then_some(self.kill_at)
    }

    /// SIGKILL was sent; after how long.
    pub(super) fn killed_after(&self) -> Option<Duration> {
        self.killed.then(|| self.kill_at.duration_since(self.began))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn signal(name: &str) -> Blow {
        Blow::Signal(name.into())
    }

    #[test]
    fn a_command_then_term_then_kill() {
        let t = Instant::now();
        let (mut stop, first) = Stopping::begin(&Stop::Command("quit".into()), 30 * S, 10 * S, t);
        assert_eq!(first, Blow::Line("quit".into()));
        assert_eq!(stop.deadline(), Some(t + 40 * S));
        assert_eq!(stop.due(t + 29 * S), None);
        assert_eq!(stop.due(t + 30 * S), Some(signal("SIGTERM")));
        assert_eq!(stop.due(t + 39 * S), None);
        assert_eq!(stop.killed_after(), None);
        assert_eq!(stop.due(t + 40 * S), Some(signal("SIGKILL")));
        assert_eq!((stop.killed_after(), stop.deadline()), (Some(40 * S), None));
        assert_eq!(stop.due(t + 50 * S), Some(signal("SIGKILL")));
    }

    #[test]
    fn a_stop_by_term_goes_straight_to_kill() {
        let t = Instant::now();
        let (mut stop, first) = Stopping::begin(&Stop::Signal("TERM".into()), 5 * S, 10 * S, t);
        assert_eq!((first, stop.deadline()), (signal("TERM"), Some(t + 5 * S)));
        assert_eq!(stop.due(t + 5 * S), Some(signal("SIGKILL")));
        let (mut stop, _) = Stopping::begin(&Stop::Signal("SIGINT".into()), 5 * S, 10 * S, t);
        assert_eq!(stop.due(t + 5 * S), Some(signal("SIGTERM")));
    }

    #[test]
    fn a_kill_waits_for_nothing() {
        let t = Instant::now();
        let (stop, first) = Stopping::kill(t, S);
        assert_eq!((first, stop.deadline(), stop.next_at()), (signal("SIGKILL"), None, Some(t + S)));
        let (_, first) = Stopping::begin(&Stop::Signal("SIGKILL".into()), 5 * S, S, t);
        assert_eq!(first, signal("SIGKILL"));
    }
}
