//! Detects two machines that use the same node id. Each would replace the other's connection forever, so after a few
//! rounds the connected one is kept and the other refused. Current agents send an id of their process: a reconnect of
//! the same process is no duplicate, and a process that was replaced may not replace others.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use agent::DuplicateTimes;
use protocol::{NodeId, Problem, ProblemCode};

/// More replacements than this in a short time are not caused by a bad network.
const REPLACEMENTS: usize = 3;

/// How many replaced processes are remembered per node.
const REMEMBERED: usize = 8;

/// The replacements of each node.
pub(super) struct DuplicateNodes {
    times: DuplicateTimes,
    nodes: Mutex<HashMap<NodeId, Contest>>,
}

#[derive(Default)]
struct Contest {
    /// Times of the last replacements.
    replaced: VecDeque<Instant>,
    /// Processes that were replaced by another one.
    replaced_processes: VecDeque<String>,
    /// New connections are refused until then.
    until: Option<Instant>,
}

impl DuplicateNodes {
    pub(super) fn new(times: DuplicateTimes) -> Self {
        Self { times, nodes: Mutex::default() }
    }

    /// Notes that a connection of process `new` replaced one of process `old`.
    pub(super) fn replaced(&self, node_id: &NodeId, old: Option<&str>, new: Option<&str>) {
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
            contest.replaced_processes.push_back(old.to_owned());
            if contest.replaced_processes.len() > REMEMBERED {
                contest.replaced_processes.pop_front();
            }
        }
        let first = contest.replaced.front().copied().unwrap_or(now);
        if contest.replaced.len() == REPLACEMENTS && now.duration_since(first) <= self.times.rivals_within {
            contest.until = Some(now + self.times.rivals_refused);
            tracing::warn!(
                node = %node_id,
                "two machines use the id of this node; the one that is there now stays"
            );
        }
    }

    /// Whether to refuse a new connection while another one exists. Each refused attempt extends the time.
    pub(super) fn turns_away(&self, node_id: &NodeId, newcomer: Option<&str>) -> bool {
        let now = Instant::now();
        let mut nodes = self.lock();
        let Some(contest) = nodes.get_mut(node_id) else { return false };
        let lasts = contest.until.is_some_and(|until| now < until);
        let back = newcomer.is_some_and(|newcomer| {
            contest.replaced_processes.iter().any(|replaced_processes| replaced_processes == newcomer)
        });
        if lasts || back {
            contest.until = Some(now + self.times.rivals_refused);
        }
        lasts || back
    }

    /// The problem to show for a node while connections are being refused.
    pub(super) fn problem(&self, node_id: &NodeId) -> Option<Problem> {
        let until = self.lock().get(node_id)?.until?;
        (Instant::now() < until).then(|| Problem {
            code: ProblemCode::TwoMachines,
            message: "Two machines use this node's id. The one that is connected now stays.".to_owned(),
            hint: "Stop the agent on the machine that is not meant, or add it as a node of its own; then change this \
                   node's secret."
                .to_owned(),
        })
    }

    fn is_over(&self, contest: &Contest, now: Instant) -> bool {
        // A replaced agent waits before it reconnects.
        let known = self.times.rivals_within + self.times.replaced * 2;
        let recent = contest.replaced.back().is_some_and(|last| now.duration_since(*last) < known);
        !recent && contest.until.is_none_or(|until| now >= until)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, Contest>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_third_replacement_is_the_last() {
        let times =
            DuplicateTimes { rivals_refused: Duration::from_millis(300), ..DuplicateTimes::default() };
        let duplicates = DuplicateNodes::new(times);
        for _ in 0..2 {
            duplicates.replaced(&"n".into(), None, None);
            assert!(!duplicates.turns_away(&"n".into(), None) && duplicates.problem(&"n".into()).is_none());
        }
        duplicates.replaced(&"n".into(), None, None);
        duplicates.replaced(&"other".into(), None, None);
        assert!(duplicates.turns_away(&"n".into(), None) && duplicates.problem(&"n".into()).is_some());
        assert!(
            !duplicates.turns_away(&"other".into(), None) && !duplicates.turns_away(&"nobody".into(), None)
        );
        let ended = Instant::now() + Duration::from_secs(5);
        while duplicates.problem(&"n".into()).is_some() {
            assert!(Instant::now() < ended);
        }
        assert!(!duplicates.turns_away(&"n".into(), None), "it is over");
        duplicates.replaced(&"third".into(), None, None);
    }

    #[test]
    fn a_process_is_known_again() {
        let duplicates = DuplicateNodes::new(DuplicateTimes::default());
        for _ in 0..9 {
            duplicates.replaced(&"n".into(), Some("a"), Some("a"));
        }
        assert!(
            !duplicates.turns_away(&"n".into(), Some("a")) && duplicates.problem(&"n".into()).is_none(),
            "a bad network"
        );
        duplicates.replaced(&"n".into(), Some("a"), Some("b"));
        assert!(!duplicates.turns_away(&"n".into(), Some("b")) && duplicates.problem(&"n".into()).is_none());
        assert!(duplicates.turns_away(&"n".into(), Some("a")), "it was replaced");
        assert!(duplicates.problem(&"n".into()).is_some());
    }

    #[test]
    fn slow_replacements_are_the_networks() {
        let times = DuplicateTimes { rivals_within: Duration::from_nanos(1), ..DuplicateTimes::default() };
        let duplicates = DuplicateNodes::new(times);
        for _ in 0..9 {
            duplicates.replaced(&"n".into(), None, None);
        }
        assert!(!duplicates.turns_away(&"n".into(), None));
    }
}
