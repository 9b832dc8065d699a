//! restic's lock files, so that a `restic prune` waits for a backup of ours and ours refuses to start beside one. The library
//! knows none. A lock is a file in `locks`, encrypted by the repository's key, named by its own hash; one that was not written
//! anew for half an hour is nobody's.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use rustic_core::Id;
use serde::{Deserialize, Serialize};

use super::message::{Failure, FailureCode, WorkerEvent, say};
use super::seal::{name_of, open, seal};
use super::store::{Kind, Store};

/// A lock that is older is nobody's.
const STALE: SignedDuration = SignedDuration::from_mins(30);
/// If a lock could not be refreshed for this long, it is about to become stale.
const LOST: SignedDuration = SignedDuration::from_mins(25);
/// Accepted difference of clocks.
const AHEAD: SignedDuration = SignedDuration::from_mins(10);
/// Interval of refreshing a lock.
const REFRESH: SignedDuration = SignedDuration::from_mins(5);
/// Interval of checking the wall clock, which continues while the machine is suspended.
const LOOK: Duration = Duration::from_secs(5);
/// How long to wait for another node that uses the same repository, and how often to try.
const PATIENCE: Duration = Duration::from_secs(120);
const AGAIN: Duration = Duration::from_secs(2);
/// Bytes of a lock file.
const LARGEST: u32 = 64 * 1024;
/// Locks that are looked at.
const MOST: usize = 10_000;
/// Start of our user name in locks, followed by the worker id.
const NAME: &str = "ctrl-alt-play";
/// Exit code after losing the lock.
const LOST_CODE: i32 = 4;

#[derive(Debug, Serialize, Deserialize)]
struct LockFile {
    time: Timestamp,
    exclusive: bool,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    pid: u32,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
}

/// The lock that has to go when the process does.
pub(super) type Held = Arc<Mutex<Option<Lock>>>;

/// A lock that is held. Gone when dropped.
#[derive(Debug)]
pub(super) struct Lock {
    end: Option<mpsc::Sender<()>>,
    keeper: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(keeper) = self.keeper.take() {
            drop(keeper.join());
        }
    }
}

/// Locks a repository.
#[derive(Clone)]
pub(super) struct Locker {
    pub(super) store: Arc<dyn Store>,
    pub(super) key: [u8; 64],
    /// This node's worker id. There is only one worker, so other locks with this id are stale.
    pub(super) node: String,
}

impl Locker {
    /// Locks the repository.
    pub(super) fn lock(&self, exclusive: bool) -> Result<Lock, Failure> {
        let began = Instant::now();
        let mut id = loop {
            match self.attempt(exclusive) {
                Ok(id) => break id,
                Err(Refused { failure, ours: true }) if began.elapsed() < PATIENCE => {
                    drop(failure);
                    pause(AGAIN);
                }
                Err(Refused { failure, .. }) => return Err(failure),
            }
        };
        let (end, ended) = mpsc::channel::<()>();
        let this = self.clone();
        #[allow(clippy::disallowed_methods, reason = "the thread that works cannot be told to stop")]
        let keep = move || {
            let mut written = Timestamp::now();
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let age = Timestamp::now().duration_since(written);
                if age > LOST {
                    let message = "The work was stopped because its lock on the backup repository expired: the machine was suspended, or the backup target could not be reached.";
                    say(&WorkerEvent::Failed { code: FailureCode::Unreachable, message: message.to_owned() });
                    std::process::exit(LOST_CODE);
                }
                if age > REFRESH
                    && let Ok(new) = this.write(exclusive)
                {
                    written = Timestamp::now();
                    drop(this.store.remove(Kind::Lock, &std::mem::replace(&mut id, new)));
                }
            }
            drop(this.store.remove(Kind::Lock, &id));
        };
        let keeper = std::thread::Builder::new().name("lock".into()).spawn(keep);
        let keeper = keeper.map_err(|error| Failure::io("Locking the repository", &error))?;
        Ok(Lock { end: Some(end), keeper: Some(keeper) })
    }

    fn attempt(&self, exclusive: bool) -> Result<Id, Refused> {
        self.refuse_beside_others(exclusive, None)?;
        let id = self.write(exclusive)?;
        // Somebody may have done so at the same moment.
        if let Err(refused) = self.refuse_beside_others(exclusive, Some(&id)) {
            drop(self.store.remove(Kind::Lock, &id));
            return Err(refused);
        }
        Ok(id)
    }

    /// An error where another program's lock stands against ours.
    fn refuse_beside_others(&self, exclusive: bool, mine: Option<&Id>) -> Result<(), Refused> {
        for (id, size) in self.store.list(Kind::Lock)?.into_iter().take(MOST) {
            if Some(&id) == mine || size > LARGEST {
                continue;
            }
            // It may have been removed.
            let Ok(bytes) = self.store.read(Kind::Lock, &id, None) else { continue };
            let Some(other) = open(&bytes, &self.key, LARGEST) else { continue };
            let Ok(other) = serde_json::from_slice::<LockFile>(&other) else { continue };
            if other.username == self.name() {
                drop(self.store.remove(Kind::Lock, &id));
                continue;
            }
            let age = Timestamp::now().duration_since(other.time);
            if age > STALE || !(exclusive || other.exclusive) {
                continue;
            }
            let who = format!(
                "{} on {}, process {}",
                printable(&other.username),
                printable(&other.hostname),
                other.pid
            );
            let sentence = if age < -AHEAD {
                format!(
                    "Another program is at work in the backup repository ({who}), and its lock is dated in the future: the clock of this machine or of that one is wrong."
                )
            } else {
                let minutes = age.as_mins().max(0);
                format!(
                    "Another program is at work in the backup repository ({who}, for {minutes} min). Wait until it has ended."
                )
            };
            return Err(Refused {
                failure: Failure::new(FailureCode::Locked, sentence),
                ours: other.username.starts_with(NAME),
            });
        }
        Ok(())
    }

    fn name(&self) -> String {
        format!("{NAME}-{}", self.node)
    }

    fn write(&self, exclusive: bool) -> Result<Id, Failure> {
        let content = sealed(&self.name(), &self.key, exclusive)?;
        let id = name_of(&content);
        self.store.write(Kind::Lock, &id, &[content])?;
        Ok(id)
    }
}

/// Why locking failed.
struct Refused {
    failure: Failure,
    /// The other lock is a worker's, and will be released.
    ours: bool,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, ours: false }
    }
}

/// Content of a probe: a shared lock.
pub(super) fn probe(node: &str, key: &[u8; 64]) -> Result<Bytes, Failure> {
    sealed(&format!("{NAME}-{node}-test"), key, false)
}

fn sealed(name: &str, key: &[u8; 64], exclusive: bool) -> Result<Bytes, Failure> {
    let lock = LockFile {
        time: Timestamp::now(),
        exclusive,
        hostname: host_name(),
        username: name.to_owned(),
        pid: std::process::id(),
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
    };
    let text = serde_json::to_vec(&lock).unwrap_or_default();
    let sealed = seal(&text, key);
    sealed.ok_or_else(|| Failure::new(FailureCode::Failed, "The lock could not be encrypted."))
}

fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(64).collect()
}

/// The host name.
pub(super) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[allow(clippy::disallowed_methods, reason = "the threads of a worker have nothing else to do")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::super::seal::PACKED;
    use super::super::store::FolderStore;
    use super::*;

    const KEY: [u8; 64] = [7; 64];

    fn repository() -> (tempfile::TempDir, Arc<dyn Store>) {
        let dir = tempfile::tempdir().unwrap();
        let store = FolderStore::of_node(dir.path());
        store.prepare().unwrap();
        (dir, Arc::new(store))
    }

    fn lock(store: &Arc<dyn Store>, exclusive: bool) -> Result<Lock, Failure> {
        Locker { store: Arc::clone(store), key: KEY, node: "1".into() }.lock(exclusive)
    }

    /// Puts another program's lock there, as restic writes it.
    fn foreign(store: &Arc<dyn Store>, minutes: i64, exclusive: bool, packed: bool) {
        let lock = LockFile {
            time: Timestamp::now() - SignedDuration::from_mins(minutes),
            exclusive,
            hostname: "elsewhere".into(),
            username: "ann".into(),
            pid: 5,
            uid: 0,
            gid: 0,
        };
        let mut text = serde_json::to_vec(&lock).unwrap();
        if packed {
            text = [vec![PACKED], zstd::bulk::compress(&text, 3).unwrap()].concat();
        }
        for (id, _) in store.list(Kind::Lock).unwrap() {
            store.remove(Kind::Lock, &id).unwrap();
        }
        store.write(Kind::Lock, &Id::new([1; 32]), &[seal(&text, &KEY).unwrap()]).unwrap();
    }

    fn locks(store: &Arc<dyn Store>) -> usize {
        store.list(Kind::Lock).unwrap().len()
    }

    #[test]
    fn a_lock_is_there_as_long_as_it_is_held() {
        let (_dir, store) = repository();
        let held = lock(&store, false).unwrap();
        assert_eq!(locks(&store), 1);
        drop(held);
        assert_eq!(locks(&store), 0);
    }

    #[test]
    fn others_locks_are_respected() {
        for packed in [false, true] {
            let (_dir, store) = repository();
            foreign(&store, 1, true, packed);
            let refused = lock(&store, false).unwrap_err();
            assert_eq!(refused.code, FailureCode::Locked);
            assert!(refused.message.contains("ann on elsewhere, process 5, for 1 min"), "{refused}");
            foreign(&store, 1, false, packed);
            assert!(lock(&store, false).is_ok(), "two may read and add");
            assert!(lock(&store, true).is_err(), "none may remove beside another");
            foreign(&store, -60, true, packed);
            let refused = lock(&store, false).unwrap_err();
            assert!(refused.message.contains("clock"), "{refused}");
            foreign(&store, 31, true, packed);
            assert!(lock(&store, true).is_ok(), "that one is nobody's any more");
            assert_eq!(locks(&store), 1, "and is left to its owner");
        }
    }

    #[test]
    fn what_a_killed_one_of_ours_left_is_removed() {
        let (_dir, store) = repository();
        let left = sealed("ctrl-alt-play-1", &KEY, true).unwrap();
        store.write(Kind::Lock, &name_of(&left), &[left]).unwrap();
        drop(lock(&store, false).unwrap());
        assert_eq!(locks(&store), 0);
    }
}
