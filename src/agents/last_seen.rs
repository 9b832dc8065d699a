//! When nodes were last heard, for a panel that starts and finds them away.

use std::collections::HashMap;
use std::time::Duration;

use storage::Millis;

use super::local::NODE_ID;
use super::registry::{Agents, NodeState};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(60);
/// How old what is kept of a node may be while it is there. A commit is 40 kB of writing: one a minute would be more than
/// everything else that a panel at rest writes, and only a panel that was killed ever reads it.
const LATE: Millis = 10 * 60 * 1000;

impl Agents {
    /// Notes when nodes were last heard: soon once they are gone, seldom while they are there, and at the end.
    pub async fn keep_last_seen(&self) {
        let token = self.0.tasks.token();
        let mut noted = self.heard();
        let mut every = tokio::time::interval(LOOK);
        every.tick().await;
        loop {
            let ends = tokio::select! {
                () = token.cancelled() => true,
                _ = every.tick() => false,
            };
            let due = self.due(&noted, ends);
            if !due.is_empty() {
                let write = due.clone();
                let write =
                    self.0.store.write(move |tx| storage::nodes::set_last_seen_many(tx, &write)).await;
                match write {
                    Ok(()) => noted.extend(due),
                    Err(error) => tracing::debug!(%error, "could not note when nodes were last seen"),
                }
            }
            if ends {
                return;
            }
        }
    }

    fn heard(&self) -> HashMap<String, Millis> {
        let state = self.lock();
        state.nodes.iter().filter_map(|(id, node)| Some((id.clone(), node.last_heard?))).collect()
    }

    /// Not our own machine: nobody asks for that while we are down.
    fn due(&self, noted: &HashMap<String, Millis>, all: bool) -> Vec<(String, Millis)> {
        let state = self.lock();
        let others = state.nodes.iter().filter(|(id, _)| *id != NODE_ID);
        others.filter_map(|(id, node)| Some((id.clone(), due(node, noted.get(id).copied(), all)?))).collect()
    }
}

/// What to note of a node, if it is worth it now.
fn due(node: &NodeState, noted: Option<Millis>, all: bool) -> Option<Millis> {
    let heard = node.last_heard?;
    let worth = match noted {
        None => true,
        Some(noted) if all || node.session.is_none() => heard > noted,
        // A clock that was turned back is no reason to wait.
        Some(noted) => (heard - noted).abs() >= LATE,
    };
    worth.then_some(heard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::tests::World;

    #[tokio::test]
    async fn what_is_there_is_noted_seldom_and_what_went_at_once() {
        let world = World::new().await;
        let (session, _queue) = world.agents.attach("far");
        let set = |heard: Millis| {
            world.agents.lock().nodes.get_mut("far").unwrap().last_heard = Some(heard);
        };
        let due = |noted: Option<Millis>, all| {
            let noted = noted.map(|at| ("far".to_owned(), at)).into_iter().collect();
            world.agents.due(&noted, all)
        };
        let far = |at: Millis| vec![("far".to_owned(), at)];
        set(1_000_000);
        assert_eq!(due(None, false), far(1_000_000), "for the first time");
        assert_eq!(due(Some(1_000_000 - LATE + 1), false), [], "it is there");
        assert_eq!(due(Some(1_000_000 - LATE), false), far(1_000_000));
        assert_eq!(due(Some(999_999), true), far(1_000_000), "we end");
        assert_eq!(due(Some(1_000_000), true), []);
        world.agents.detach(&session);
        assert_eq!(due(Some(999_999), false), far(1_000_000), "it is gone");
        assert_eq!(due(Some(1_000_000), false), []);
    }
}
