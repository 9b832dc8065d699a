//! When which server is due, as far as it is known without asking the database.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::ServerId;
use storage::Millis;
use storage::backups::policies::Kept;
use tokio::sync::Notify;

/// Cheap to clone.
#[derive(Clone, Default)]
pub(in crate::backups) struct Agenda(Arc<Shared>);

#[derive(Default)]
struct Shared {
    due: Mutex<BTreeMap<ServerId, Millis>>,
    changed: Notify,
}

impl Agenda {
    pub(in crate::backups) fn new(all: &[(ServerId, Kept)]) -> Self {
        let agenda = Self::default();
        for (server_id, kept) in all {
            agenda.set(server_id, kept.due.filter(|_| kept.policy.enabled));
        }
        agenda
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ServerId, Millis>> {
        self.0.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server is due then, or never.
    pub(in crate::backups) fn set(&self, server_id: &ServerId, due: Option<Millis>) {
        match due {
            Some(due) => self.lock().insert(server_id.clone(), due),
            None => self.lock().remove(server_id),
        };
        self.0.changed.notify_one();
    }

    /// Those that are due, the longest waiting first.
    pub(super) fn due(&self, now: Millis) -> Vec<ServerId> {
        let mut due: Vec<_> =
            self.lock().iter().filter(|(_, at)| **at <= now).map(|(id, at)| (*at, id.clone())).collect();
        due.sort();
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// Those that are due later than that: the clock was turned back.
    pub(super) fn later_than(&self, at: Millis) -> Vec<ServerId> {
        self.lock().iter().filter(|(_, due)| **due > at).map(|(id, _)| id.clone()).collect()
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Millis> {
        self.lock().values().min().copied()
    }

    /// Waits for a change.
    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_waiting_comes_first() {
        let agenda = Agenda::default();
        for (id, due) in [("a", 20), ("b", 10), ("c", 30)] {
            agenda.set(&id.into(), Some(due));
        }
        assert_eq!(agenda.due(20), [ServerId::from("b"), ServerId::from("a")]);
        assert_eq!(agenda.later_than(20), [ServerId::from("c")]);
        agenda.set(&"b".into(), None);
        assert_eq!(agenda.next(), Some(20));
    }
}
