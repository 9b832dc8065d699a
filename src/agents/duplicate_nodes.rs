//! Two machines that use one node's id. Each takes the place of the other, and would for ever: after some rounds the one
//! that is there stays. An agent of ours says which process it is, so that it is known again: the same process that dials
//! anew is no rival, and one that was replaced does not replace in its turn.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use agent::LinkTimes;
use agent::protocol::Problem;

/// So many replacements in a short time are no bad network.
const REPLACEMENTS: usize = 3;

/// Processes that were replaced and are known again.
const OUSTED: usize = 8;

/// Per node.
pub(super) struct Rivals {
    times: LinkTimes,
    nodes: Mutex<HashMap<String, Contest>>,
}

#[derive(Default)]
struct Contest {
    /// The last replacements.
    replaced: VecDeque<Instant>,
    /// Which processes were replaced by others.
    ousted: VecDeque<String>,
    /// Until then the one that is there stays.
    until: Option<Instant>,
}

impl Rivals {
    pub(super) fn new(times: LinkTimes) -> Self {
        Self { times, nodes: Mutex::default() }
    }

    /// A connection of `new` took the place of one of `old`.
    pub(super) fn replaced(&self, node_id: &str, old: Option<&str>, new: Option<&str>) {
        if old.is_some() && old == new {
            return;
        }
        let now = Instant::now();
        let mut nodes = self.lock();
        nodes.retain(|_, contest| !self.is_over(contest, now));
        let contest = nodes.entry(node_id.to_owned()).or_default();
        contest.replaced.push_back(now);
        if contest.replaced.len() > REPLACEMENTS {
            contest.replaced.pop_front();
        }
        if let Some(old) = old {
            contest.ousted.push_back(old.to_owned());
            if contest.ousted.len() > OUSTED {
                contest.ousted.pop_front();
            }
        }
        let first = contest.replaced.front().copied().unwrap_or(now);
        if contest.replaced.len() == REPLACEMENTS && now.duration_since(first) <= self.times.rivals_within {
            contest.until = Some(now + self.times.rivals_refused);
            tracing::warn!(
                node = node_id,
                "two machines use the id of this node; the one that is there now stays"
            );
        }
    }

    /// Whether a newcomer is turned away, while another one is there. As long as one comes it lasts.
    pub(super) fn turns_away(&self, node_id: &str, newcomer: Option<&str>) -> bool {
        let now = Instant::now();
        let mut nodes = self.lock();
        let Some(contest) = nodes.get_mut(node_id) else { return false };
        let lasts = contest.until.is_some_and(|until| now < until);
        let back = newcomer.is_some_and(|newcomer| contest.ousted.iter().any(|ousted| ousted == newcomer));
        if lasts || back {
            contest.until = Some(now + self.times.rivals_refused);
        }
        lasts || back
    }

    /// What is wrong with a node, as long as it lasts.
    pub(super) fn problem(&self, node_id: &str) -> Option<Problem> {
        let until = self.lock().get(node_id)?.until?;
        (Instant::now() < until).then(|| Problem {
            code: "two_machines".to_owned(),
            message: "Two machines use this node's id. The one that is connected now stays.".to_owned(),
            hint: "Stop the agent on the machine that is not meant, or add it as a node of its own; then change this \
                   node's secret."
                .to_owned(),
        })
    }

    fn is_over(&self, contest: &Contest, now: Instant) -> bool {
        // One that was replaced comes back after its wait.
        let known = self.times.rivals_within + self.times.replaced * 2;
        let recent = contest.replaced.back().is_some_and(|last| now.duration_since(*last) < known);
        !recent && contest.until.is_none_or(|until| now >= until)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Contest>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_third_replacement_is_the_last() {
        let times = LinkTimes { rivals_refused: Duration::from_millis(300), ..LinkTimes::default() };
        let rivals = Rivals::new(times);
        for _ in 0..2 {
            rivals.replaced("n", None, None);
            assert!(!rivals.turns_away("n", None) && rivals.problem("n").is_none());
        }
        rivals.replaced("n", None, None);
        rivals.replaced("other", None, None);
        assert!(rivals.turns_away("n", None) && rivals.problem("n").is_some());
        assert!(!rivals.turns_away("other", None) && !rivals.turns_away("nobody", None));
        let ended = Instant::now() + Duration::from_secs(5);
        while rivals.problem("n").is_some() {
            assert!(Instant::now() < ended);
        }
        assert!(!rivals.turns_away("n", None), "it is over");
        rivals.replaced("third", None, None);
    }

    #[test]
    fn a_process_is_known_again() {
        let rivals = Rivals::new(LinkTimes::default());
        for _ in 0..9 {
            rivals.replaced("n", Some("a"), Some("a"));
        }
        assert!(!rivals.turns_away("n", Some("a")) && rivals.problem("n").is_none(), "a bad network");
        rivals.replaced("n", Some("a"), Some("b"));
        assert!(!rivals.turns_away("n", Some("b")) && rivals.problem("n").is_none());
        assert!(rivals.turns_away("n", Some("a")), "it was replaced");
        assert!(rivals.problem("n").is_some());
    }

    #[test]
    fn slow_replacements_are_the_networks() {
        let times = LinkTimes { rivals_within: Duration::from_nanos(1), ..LinkTimes::default() };
        let rivals = Rivals::new(times);
        for _ in 0..9 {
            rivals.replaced("n", None, None);
        }
        assert!(!rivals.turns_away("n", None));
    }
}
