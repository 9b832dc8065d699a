//! What changed, in order. Every change gets a number; a reader keeps the number up to which it has read and asks for
//! what is newer. Only the newest change of a thing is kept, so that a slow reader costs nothing and misses nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// Removed things that are remembered; a reader that is further behind begins anew.
const TOMBSTONES: usize = 4096;

/// What happened to a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is there and different (or new).
    Now(String),
    /// It is gone.
    Gone(String),
}

/// What a reader has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangesSince {
    /// These changes, oldest first.
    These(Vec<Changed>),
    /// Too much was missed: begin with everything.
    All,
}

/// Two change logs (servers, nodes) and one notifier that wakes readers.
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
    /// Changes up to this number may have been forgotten.
    forgotten: u64,
}

impl Default for Changes {
    fn default() -> Self {
        Self { servers: Mutex::default(), nodes: Mutex::default(), notifier: watch::Sender::new(0) }
    }
}

impl Changes {
    /// Wakes at every change of anything.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.notifier.subscribe()
    }

    /// Wakes readers without a change in the logs: something else is worth another look.
    pub fn notify(&self) {
        self.notifier.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// A server changed.
    pub fn server(&self, id: &str) {
        lock(&self.servers).note(id, true);
        self.notify();
    }

    /// A server is gone.
    pub fn server_gone(&self, id: &str) {
        lock(&self.servers).note(id, false);
        self.notify();
    }

    /// A node changed.
    pub fn node(&self, id: &str) {
        lock(&self.nodes).note(id, true);
        self.notify();
    }

    /// A node is gone.
    pub fn node_gone(&self, id: &str) {
        lock(&self.nodes).note(id, false);
        self.notify();
    }

    /// The number of the newest change of a server: where a reader of everything begins.
    pub fn servers_now(&self) -> u64 {
        lock(&self.servers).last
    }

    /// The same for nodes.
    pub fn nodes_now(&self) -> u64 {
        lock(&self.nodes).last
    }

    /// What happened to servers after `seen`, which is moved on.
    pub fn servers_since(&self, seen: &mut u64) -> ChangesSince {
        lock(&self.servers).since(seen)
    }

    /// What happened to nodes after `seen`, which is moved on.
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
