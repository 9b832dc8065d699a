//! Change log. Every change has a number; a reader keeps the number up to which it has read and asks for everything
//! newer. Only the newest change per item is kept, so a slow reader costs nothing and misses nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// How many removals are remembered. A reader that is further behind starts over with the full list.
const TOMBSTONES: usize = 4096;

/// A change to one server or node, with its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Created or modified.
    Now(String),
    /// Deleted.
    Gone(String),
}

/// The answer to "what changed since?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangesSince {
    /// Only these changes, oldest first.
    These(Vec<Changed>),
    /// Too much was missed: read the full list.
    All,
}

/// The change logs of servers and nodes, and the notifier that wakes their readers.
pub struct Changes {
    servers: Mutex<Log>,
    nodes: Mutex<Log>,
    notifier: watch::Sender<u64>,
}

#[derive(Default)]
struct Log {
    last: u64,
    by_number: BTreeMap<u64, (String, bool)>,
    by_id: HashMap<String, u64>,
    tombstones: usize,
    /// Changes up to this number may have been dropped.
    forgotten: u64,
}

impl Default for Changes {
    fn default() -> Self {
        Self { servers: Mutex::default(), nodes: Mutex::default(), notifier: watch::Sender::new(0) }
    }
}

impl Changes {
    /// Subscribes to all changes; the value is increased at each.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.notifier.subscribe()
    }

    /// Wakes readers without logging a change, because something outside these logs may have changed.
    pub fn notify(&self) {
        self.notifier.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Logs that a server was created or modified.
    pub fn server(&self, id: &str) {
        lock(&self.servers).note(id, true);
        self.notify();
    }

    /// Logs that a server was deleted.
    pub fn server_gone(&self, id: &str) {
        lock(&self.servers).note(id, false);
        self.notify();
    }

    /// Logs that a node was created or modified.
    pub fn node(&self, id: &str) {
        lock(&self.nodes).note(id, true);
        self.notify();
    }

    /// Logs that a node was deleted.
    pub fn node_gone(&self, id: &str) {
        lock(&self.nodes).note(id, false);
        self.notify();
    }

    /// Number of the newest server change. A reader of the full list starts from it.
    pub fn servers_now(&self) -> u64 {
        lock(&self.servers).last
    }

    /// Number of the newest node change. A reader of the full list starts from it.
    pub fn nodes_now(&self) -> u64 {
        lock(&self.nodes).last
    }

    /// Server changes after `seen`, which is advanced to the newest one.
    pub fn servers_since(&self, seen: &mut u64) -> ChangesSince {
        lock(&self.servers).since(seen)
    }

    /// Node changes after `seen`, which is advanced to the newest one.
    pub fn nodes_since(&self, seen: &mut u64) -> ChangesSince {
        lock(&self.nodes).since(seen)
    }
}

fn lock(log: &Mutex<Log>) -> std::sync::MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    fn note(&mut self, id: &str, there: bool) {
        self.last += 1;
        let number = self.last;
        if let Some(before) = self.by_id.insert(id.to_owned(), number)
            && let Some((_, false)) = self.by_number.remove(&before)
        {
            self.tombstones -= 1;
        }
        self.by_number.insert(number, (id.to_owned(), there));
        if !there {
            self.tombstones += 1;
            if self.tombstones > TOMBSTONES {
                self.forget_oldest_tombstone();
            }
        }
    }

    fn forget_oldest_tombstone(&mut self) {
        let oldest = self.by_number.iter().find(|(_, (_, there))| !there).map(|(number, _)| *number);
        if let Some(number) = oldest
            && let Some((id, _)) = self.by_number.remove(&number)
        {
            self.by_id.remove(&id);
            self.tombstones -= 1;
            self.forgotten = number;
        }
    }

    fn since(&self, seen: &mut u64) -> ChangesSince {
        let from = std::mem::replace(seen, self.last);
        if from < self.forgotten {
            return ChangesSince::All;
        }
        let newer = self.by_number.range(from + 1..);
        ChangesSince::These(
            newer
                .map(
                    |(_, (id, there))| {
                        if *there { Changed::Now(id.clone()) } else { Changed::Gone(id.clone()) }
                    },
                )
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_gets_the_newest_change_of_each_thing_once() {
        let changes = Changes::default();
        let mut seen = changes.servers_now();
        changes.server("a");
        changes.server("b");
        changes.server("a");
        changes.server_gone("b");
        let expected = vec![Changed::Now("a".into()), Changed::Gone("b".into())];
        assert_eq!(changes.servers_since(&mut seen), ChangesSince::These(expected));
        assert_eq!(changes.servers_since(&mut seen), ChangesSince::These(vec![]));
        assert_eq!(changes.nodes_now(), 0);
    }

    #[test]
    fn the_gone_are_forgotten_in_the_end_and_whoever_missed_them_is_told() {
        let changes = Changes::default();
        let mut early = changes.servers_now();
        for number in 0..TOMBSTONES + 10 {
            changes.server_gone(&format!("s{number}"));
        }
        let mut late = changes.servers_now();
        assert_eq!(changes.servers_since(&mut early), ChangesSince::All);
        assert_eq!(changes.servers_since(&mut late), ChangesSince::These(vec![]));
        assert!(lock(&changes.servers).by_number.len() <= TOMBSTONES);
    }

    #[tokio::test]
    async fn a_change_wakes_subscribers() {
        let changes = Changes::default();
        let mut woken = changes.subscribe();
        changes.node("n");
        woken.changed().await.unwrap();
    }
}
