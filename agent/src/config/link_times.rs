//! The times of the link between a panel and an agent, the same on both sides. The defaults are the protocol's; tests
//! set shorter ones.

use std::time::Duration;

/// How long what takes, or may take, on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkTimes {
    /// Between two heartbeats of an agent.
    pub heartbeat: Duration,
    /// Between two pings, in either direction.
    pub ping: Duration,
    /// Whoever says nothing for this long, not even a pong, is gone.
    pub silence: Duration,
    /// Whoever takes nothing for this long is gone.
    pub blocked: Duration,
    /// A node's old secret opens beside its renewed one for this long at most.
    pub renewed: Duration,
    /// Before an agent dials again.
    pub redial: RedialTimes,
    /// What an agent of part 1 may take.
    pub legacy: LegacyTimes,
    /// Two machines that use one node's id.
    pub duplicates: DuplicateTimes,
}

/// An agent's waits before it dials again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedialTimes {
    /// The shortest.
    pub first_wait: Duration,
    /// The longest.
    pub most_wait: Duration,
    /// A connection that lasted this long was a good one, and its break is a new one. Not longer: a panel that is killed
    /// again soon after it came back must not find its agents waiting for the break before.
    pub good: Duration,
    /// After the panel refused it: somebody has to change something first.
    pub refused: Duration,
}

/// What an agent of part 1 may take to say something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyTimes {
    /// One that says nothing for this long is shown as offline, and not closed.
    pub quiet: Duration,
    /// Until it answers.
    pub answer: Duration,
    /// The same for a stop, which it answers once the container has ended; it waits 30 s for that.
    pub answer_stop: Duration,
    /// The same for a file: an agent that has none says nothing at all.
    pub answer_file: Duration,
    /// Between two questions for the state of its servers, of which it tells nothing by itself.
    pub state_poll: Duration,
}

/// When two machines are taken to use one node's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateTimes {
    /// Three replacements within this time are the sign …
    pub rivals_within: Duration,
    /// … after which for this long nobody takes the place of the one that is there.
    pub rivals_refused: Duration,
    /// How long an agent waits before it dials again where another one with its node's id took the place.
    pub replaced: Duration,
}

impl Default for LinkTimes {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(30),
            ping: Duration::from_secs(15),
            silence: Duration::from_secs(45),
            blocked: Duration::from_secs(30),
            renewed: Duration::from_secs(600),
            redial: RedialTimes::default(),
            legacy: LegacyTimes::default(),
            duplicates: DuplicateTimes::default(),
        }
    }
}

impl Default for RedialTimes {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_millis(500),
            most_wait: Duration::from_secs(30),
            good: Duration::from_secs(2),
            refused: Duration::from_secs(60),
        }
    }
}

impl Default for LegacyTimes {
    fn default() -> Self {
        Self {
            quiet: Duration::from_secs(60),
            answer: Duration::from_secs(10),
            answer_stop: Duration::from_secs(40),
            answer_file: Duration::from_secs(5),
            state_poll: Duration::from_secs(30),
        }
    }
}

impl Default for DuplicateTimes {
    fn default() -> Self {
        Self {
            rivals_within: Duration::from_secs(60),
            rivals_refused: Duration::from_secs(300),
            replaced: Duration::from_secs(300),
        }
    }
}

impl LinkTimes {
    /// The defaults, but for those that `text` names: `ping=200,silence=1500`, in milliseconds.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut times = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) =
                part.split_once('=').ok_or_else(|| format!("{part:?} is not NAME=MILLISECONDS"))?;
            let time = value.trim().parse().ok().filter(|time| *time > 0).map(Duration::from_millis);
            let time = time.ok_or_else(|| format!("{value:?} is no time in milliseconds"))?;
            *times.named(name.trim()).ok_or_else(|| format!("there is no time called {name:?}"))? = time;
        }
        Ok(times)
    }

    fn named(&mut self, name: &str) -> Option<&mut Duration> {
        Some(match name {
            "heartbeat" => &mut self.heartbeat,
            "ping" => &mut self.ping,
            "silence" => &mut self.silence,
            "quiet" => &mut self.legacy.quiet,
            "blocked" => &mut self.blocked,
            "first_wait" => &mut self.redial.first_wait,
            "most_wait" => &mut self.redial.most_wait,
            "good" => &mut self.redial.good,
            "refused" => &mut self.redial.refused,
            "replaced" => &mut self.duplicates.replaced,
            "answer" => &mut self.legacy.answer,
            "answer_stop" => &mut self.legacy.answer_stop,
            "answer_file" => &mut self.legacy.answer_file,
            "state_poll" => &mut self.legacy.state_poll,
            "renewed" => &mut self.renewed,
            "rivals_within" => &mut self.duplicates.rivals_within,
            "rivals_refused" => &mut self.duplicates.rivals_refused,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_named_one_by_one() {
        let times = LinkTimes::parse("ping=200, silence=1500,").unwrap();
        assert_eq!((times.ping, times.silence), (Duration::from_millis(200), Duration::from_millis(1500)));
        assert_eq!(
            LinkTimes { ping: Duration::from_secs(15), silence: Duration::from_secs(45), ..times },
            LinkTimes::default()
        );
        for bad in ["ping", "ping=", "ping=0", "ping=-1", "pong=5", "ping=1s"] {
            assert!(LinkTimes::parse(bad).is_err(), "{bad}");
        }
    }
}
