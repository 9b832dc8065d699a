//! What files were before they were written: the last 20 of each, in a folder that has the hash of the file's path as its
//! name. The newest have the highest numbers.

use jiff::Timestamp;
use protocol::{FileVersion, FileVersionList};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, linkat, openat, unlinkat};
use sha2::{Digest, Sha256};

use super::store::{Store, folder_in, fresh_number, names, open_in, sync, unlink};
use crate::fs::{FileError, RelPath, copy_content, look, meaning, regular};
use crate::streams::hex;

/// Versions of a file.
const EACH: usize = 20;
/// Bytes of a file of which versions are kept.
const LARGEST: u64 = 4 << 20;
/// Bytes of all versions of a server.
const ALL: u64 = 128 << 20;

fn folder_name(path: &RelPath) -> String {
    hex(&Sha256::digest(path.as_bytes())[..16])
}

/// Keeps what a file is now, before it is replaced. Nothing where there is none, or where it is too large.
pub(super) fn keep(store: &Store, path: &RelPath, folder: &OwnedFd, name: &[u8]) -> Result<(), FileError> {
    let stat = match look(folder, name) {
        Ok(stat) => stat,
        Err(FileError::NotFound) => return Ok(()),
        Err(error) => return Err(error),
    };
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || size > LARGEST {
        return Ok(());
    }
    let home = folder_in(&store.versions()?, &folder_name(path))?;
    let number = fresh_number();
    // Another name of the same file costs nothing; who may not make one, or is on another file system, copies.
    if linkat(folder, name, &home, &number, AtFlags::empty()).is_err() {
        copy(folder, name, &home, &number)?;
    }
    let mut all = names(&home)?;
    all.sort_unstable();
    for old in all.iter().rev().skip(EACH) {
        unlink(&home, old);
    }
    sync(&home)
}

fn copy(folder: &OwnedFd, name: &[u8], home: &OwnedFd, number: &str) -> Result<(), FileError> {
    let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let from = openat(folder, name, read, Mode::empty()).map_err(meaning("open it"))?;
    let size = u64::try_from(regular(&from)?.st_size).unwrap_or(0).min(LARGEST);
    let write = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let to = openat(home, number, write, Mode::RUSR | Mode::WUSR).map_err(meaning("keep a version"))?;
    let copied = copy_content(&from, &to, size, &mut |_| Ok(()));
    if copied.is_err() {
        unlink(home, number);
    }
    copied
}

/// When a number was given.
fn saved_at(number: &str) -> Timestamp {
    let millis = number.get(..12).and_then(|hex| i64::from_str_radix(hex, 16).ok()).unwrap_or(0);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The versions of a file, the newest first.
pub(super) fn list(store: &Store, path: &RelPath) -> Result<FileVersionList, FileError> {
    let home = match open_in(&store.versions()?, &folder_name(path)) {
        Ok(home) => home,
        Err(FileError::NotFound) => return Ok(FileVersionList::default()),
        Err(error) => return Err(error),
    };
    let mut numbers = names(&home)?;
    numbers.sort_unstable();
    let one = |id: String| {
        let size = u64::try_from(look(&home, id.as_bytes()).ok()?.st_size).unwrap_or(0);
        Some(FileVersion { saved_at: saved_at(&id), id, size })
    };
    Ok(FileVersionList { versions: numbers.into_iter().rev().filter_map(one).collect() })
}

/// Opens a version of a file.
pub(super) fn open(store: &Store, path: &RelPath, id: &str) -> Result<(OwnedFd, Stat), FileError> {
    if !id.bytes().all(|b| b.is_ascii_hexdigit()) || id.is_empty() {
        return Err(FileError::NotFound);
    }
    let home = open_in(&store.versions()?, &folder_name(path))?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(&home, id, flags, Mode::empty()).map_err(meaning("open it"))?;
    let stat = regular(&file)?;
    Ok((file, stat))
}

/// Removes the oldest versions of a server past what all may take.
pub(super) fn prune(store: &Store) -> Result<(), FileError> {
    let versions = store.versions()?;
    let mut all = Vec::new();
    for home in names(&versions)? {
        let Ok(folder) = open_in(&versions, &home) else { continue };
        for number in names(&folder)? {
            let file = openat(&folder, &number, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty());
            let stat = file.and_then(|file| fstat(file.as_fd()));
            let bytes = stat.map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0));
            all.push((number, home.clone(), bytes));
        }
    }
    all.sort_unstable();
    let mut room = ALL;
    for (number, home, bytes) in all.into_iter().rev() {
        if bytes <= room {
            room -= bytes;
            continue;
        }
        room = 0;
        if let Ok(folder) = open_in(&versions, &home) {
            unlink(&folder, &number);
        }
        // Only where it is empty.
        let _ = unlinkat(&versions, home.as_str(), AtFlags::REMOVEDIR);
    }
    Ok(())
}
