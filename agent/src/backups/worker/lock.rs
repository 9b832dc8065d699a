//! restic's lock files, so that a `restic prune` waits for a backup of ours and ours refuses to start beside one. The library
//! knows none. A lock is a file in `locks`, encrypted by the repository's key, named by its own hash; one that was not written
//! anew for half an hour is nobody's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aes256ctr_poly1305aes::Aes256CtrPoly1305Aes;
use aes256ctr_poly1305aes::aead::Aead;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::local::{sync_folder, write_synced};
use super::message::{Failure, FailureCode};

/// A lock that is older is nobody's.
const STALE: SignedDuration = SignedDuration::from_mins(30);
/// Between two writes of a lock.
const REFRESH: Duration = Duration::from_secs(5 * 60);
/// Bytes of a lock file.
const LARGEST: u64 = 64 * 1024;
/// Locks that are looked at.
const MOST: usize = 10_000;
/// How we call ourselves in a lock.
const NAME: &str = "ctrl-alt-play";
/// The first byte of what is packed by Zstandard.
const PACKED: u8 = 2;

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

/// Locks a repository. The caller is the only program of ours in it, so what we find of our own is left over.
pub(super) fn lock(repository: &Path, key: &[u8; 64], exclusive: bool) -> Result<Lock, Failure> {
    let folder = repository.join("locks");
    refuse_beside_others(&folder, key, exclusive)?;
    let mut path =
        write(&folder, key, exclusive).map_err(|error| Failure::io("Locking the repository", &error))?;
    // Somebody may have done so at the same moment.
    if let Err(failure) = refuse_beside_others(&folder, key, exclusive) {
        drop(fs::remove_file(path));
        return Err(failure);
    }
    let (end, ended) = mpsc::channel::<()>();
    let key = *key;
    let keep = move || {
        while ended.recv_timeout(REFRESH) == Err(RecvTimeoutError::Timeout) {
            if let Ok(new) = write(&folder, &key, exclusive) {
                drop(fs::remove_file(std::mem::replace(&mut path, new)));
            }
        }
        drop(fs::remove_file(path));
    };
    let keeper = std::thread::Builder::new().name("lock".into()).spawn(keep);
    let keeper = keeper.map_err(|error| Failure::io("Locking the repository", &error))?;
    Ok(Lock { end: Some(end), keeper: Some(keeper) })
}

/// An error where another program's lock stands against ours.
fn refuse_beside_others(folder: &Path, key: &[u8; 64], exclusive: bool) -> Result<(), Failure> {
    let entries =
        fs::read_dir(folder).map_err(|error| Failure::io("Reading the repository's locks", &error))?;
    for entry in entries.take(MOST).filter_map(Result::ok) {
        let path = entry.path();
        if !entry.metadata().is_ok_and(|meta| meta.is_file() && meta.len() <= LARGEST) {
            continue;
        }
        let Ok(bytes) = fs::read(&path) else { continue };
        // What cannot be read says nothing of its age but by its file.
        let Some(other) = open(&bytes, key) else { continue };
        if other.username == NAME && other.hostname == host_name() && other.pid != std::process::id() {
            drop(fs::remove_file(&path));
            continue;
        }
        let ours = other.username == NAME && other.pid == std::process::id();
        let age = Timestamp::now().duration_since(other.time);
        if ours || age > STALE || !(exclusive || other.exclusive) {
            continue;
        }
        let minutes = age.as_mins().max(0);
        return Err(Failure::new(
            FailureCode::Locked,
            format!(
                "Another program is at work in the backup repository ({} on {}, process {}, for {minutes} min). Wait until it has ended.",
                printable(&other.username),
                printable(&other.hostname),
                other.pid,
            ),
        ));
    }
    Ok(())
}

fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(64).collect()
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn write(folder: &Path, key: &[u8; 64], exclusive: bool) -> io::Result<PathBuf> {
    let lock = LockFile {
        time: Timestamp::now(),
        exclusive,
        hostname: host_name(),
        username: NAME.to_owned(),
        pid: std::process::id(),
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
    };
    let bytes = seal(&serde_json::to_vec(&lock)?, key)
        .ok_or_else(|| io::Error::other("it could not be encrypted"))?;
    let name = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (part, path) = (folder.with_file_name("tmp").join(&name), folder.join(&name));
    write_synced(&part, &[bytes.into()])?;
    fs::rename(part, &path)?;
    sync_folder(folder)?;
    Ok(path)
}

/// Nonce, ciphertext, and its authentication.
fn seal(text: &[u8], key: &[u8; 64]) -> Option<Vec<u8>> {
    let nonce: [u8; 16] = rand::random();
    let cipher = Aes256CtrPoly1305Aes::new(key.into());
    let mut sealed = nonce.to_vec();
    sealed.extend(cipher.encrypt(&nonce.into(), text).ok()?);
    Some(sealed)
}

fn open(bytes: &[u8], key: &[u8; 64]) -> Option<LockFile> {
    let (nonce, sealed) = bytes.split_first_chunk::<16>()?;
    let cipher = Aes256CtrPoly1305Aes::new(key.into());
    let text = cipher.decrypt(nonce.into(), sealed).ok()?;
    match text.split_first()? {
        (&PACKED, packed) => {
            let text = zstd::bulk::decompress(packed, usize::try_from(LARGEST).ok()?).ok()?;
            serde_json::from_slice(&text).ok()
        }
        _ => serde_json::from_slice(&text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 64] = [7; 64];

    fn repository() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("locks")).unwrap();
        fs::create_dir(dir.path().join("tmp")).unwrap();
        dir
    }

    /// Puts another program's lock there, as restic writes it.
    fn foreign(repository: &Path, minutes: i64, exclusive: bool, packed: bool) {
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
        fs::write(repository.join("locks/other"), seal(&text, &KEY).unwrap()).unwrap();
    }

    fn locks(repository: &Path) -> usize {
        fs::read_dir(repository.join("locks")).unwrap().count()
    }

    #[test]
    fn a_lock_is_there_as_long_as_it_is_held() {
        let dir = repository();
        let held = lock(dir.path(), &KEY, false).unwrap();
        assert_eq!(locks(dir.path()), 1);
        drop(held);
        assert_eq!(locks(dir.path()), 0);
    }

    #[test]
    fn others_locks_are_respected() {
        for packed in [false, true] {
            let dir = repository();
            foreign(dir.path(), 1, true, packed);
            let refused = lock(dir.path(), &KEY, false).unwrap_err();
            assert_eq!(refused.code, FailureCode::Locked);
            assert!(refused.message.contains("ann on elsewhere, process 5, for 1 min"), "{refused}");
            foreign(dir.path(), 1, false, packed);
            assert!(lock(dir.path(), &KEY, false).is_ok(), "two may read and add");
            assert!(lock(dir.path(), &KEY, true).is_err(), "none may remove beside another");
            foreign(dir.path(), 31, true, packed);
            assert!(lock(dir.path(), &KEY, true).is_ok(), "that one is nobody's any more");
            assert_eq!(locks(dir.path()), 1, "and is left to its owner");
        }
    }

    #[test]
    fn what_a_killed_one_of_ours_left_is_removed() {
        let dir = repository();
        let left = LockFile {
            time: Timestamp::now(),
            exclusive: true,
            hostname: host_name(),
            username: NAME.into(),
            pid: u32::MAX,
            uid: 0,
            gid: 0,
        };
        let sealed = seal(&serde_json::to_vec(&left).unwrap(), &KEY).unwrap();
        fs::write(dir.path().join("locks/left"), sealed).unwrap();
        drop(lock(dir.path(), &KEY, false).unwrap());
        assert_eq!(locks(dir.path()), 0);
    }
}
