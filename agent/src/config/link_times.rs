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
    /// An agent of part 1 that says nothing for this long is shown as offline, and not closed.
    pub quiet: Duration,
    /// Whoever takes nothing for this long is gone.
    pub blocked: Duration,
    /// An agent's shortest wait before it dials again.
    pub first_wait: Duration,
    /// Its longest.
    pub most_wait: Duration,
    /// A connection that lasted this long was a good one, and its break is a new one. Not longer: a panel that is killed
    /// again soon after it came back must not find its agents waiting for the break before.
    pub good: Duration,
    /// An agent's wait after the panel refused it: somebody has to change something first.
    pub refused: Duration,
    /// An agent's wait after another one with its node's id took the place.
    pub replaced: Duration,
    /// What an agent of part 1 may take to answer.
    pub answer: Duration,
    /// The same for a stop, which it answers once the container has ended; it waits 30 s for that.
    pub answer_stop: Duration,
    /// The same for a file: an agent that has none says nothing at all.
    pub answer_file: Duration,
    /// Between two questions for the state of servers whose agent of part 1 tells nothing by itself.
    pub state_poll: Duration,
    /// A node's old secret opens beside its renewed one for this long at most.
    pub renewed: Duration,
    /// Three replacements within this time, and two machines use one id …
    pub rivals_within: Duration,
    /// … so that for this long nobody takes the place of the one that is there.
    pub rivals_refused: Duration,
}

impl Default for LinkTimes {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(30),
            ping: Duration::from_secs(15),
            silence: Duration::from_secs(45),
            quiet: Duration::from_secs(60),
            blocked: Duration::from_secs(30),
            first_wait: Duration::from_millis(500),
            most_wait: Duration::from_secs(30),
            good: Duration::from_secs(2),
            refused: Duration::from_secs(60),
            replaced: Duration::from_secs(300),
            answer: Duration::from_secs(10),
            answer_stop: Duration::from_secs(40),
            answer_file: Duration::from_secs(5),
            state_poll: Duration::from_secs(30),
            renewed: Duration::from_secs(600),
            rivals_within: Duration::from_secs(60),
            rivals_refused: Duration::from_secs(300),
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
            "quiet" => &mut self.quiet,
            "blocked" => &mut self.blocked,
            "first_wait" => &mut self.first_wait,
            "most_wait" => &mut self.most_wait,
            "good" => &mut self.good,
            "refused" => &mut self.refused,
            "replaced" => &mut self.replaced,
            "answer" => &mut self.answer,
            "answer_stop" => &mut self.answer_stop,
            "answer_file" => &mut self.answer_file,
            "state_poll" => &mut self.state_poll,
            "renewed" => &mut self.renewed,
            "rivals_within" => &mut self.rivals_within,
            "rivals_refused" => &mut self.rivals_refused,
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
