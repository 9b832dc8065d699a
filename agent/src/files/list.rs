//! What is in a folder, and what a file is.

use std::collections::BinaryHeap;

use jiff::Timestamp;
use protocol::file_paths::{bytes_of, text_of};
use protocol::{FileEntries, FileEntry, FileInfo, FileKind, FileList};
use rustix::fd::OwnedFd;
use rustix::fs::{Dir, FileType, OFlags, Stat, fstat, readlinkat};
use sha2::{Digest, Sha256};

use crate::fs::{FileError, RelPath, RootDir, is_unfinished, look, meaning};
use crate::streams::hex;

/// Bytes of names and targets in one page.
const PAGE: usize = 1 << 20;
/// Age in seconds after which an unfinished file counts as left over.
const LEFT_AFTER: i64 = 24 * 3600;
/// Bytes of what a link leads to that are told.
const TARGET: usize = 1024;

/// A page of a folder: however many entries that has, no more than the page is held in memory.
pub(super) fn list(root: &RootDir, asked: &FileList) -> Result<FileEntries, FileError> {
    let path = RelPath::parse(&asked.path)?;
    let folder = root.folder(&path)?;
    let after = asked.after.as_deref().map(bytes_of);
    let limit = asked.limit.max(1) as usize;
    let (names, total, mut more) = first_names(&folder, after.as_deref(), limit, Timestamp::now())?;
    let mut entries = Vec::with_capacity(names.len());
    let mut room = PAGE;
    for name in names {
        let entry = match look(&folder, &name) {
            Ok(stat) => entry(root, &path, &folder, &name, &stat),
            // It vanished.
            Err(FileError::NotFound) => continue,
            Err(error) => return Err(error),
        };
        let takes = entry.name.len() + entry.target.as_ref().map_or(0, String::len);
        if takes > room && !entries.is_empty() {
            more = true;
            break;
        }
        room = room.saturating_sub(takes);
        entries.push(entry);
    }
    Ok(FileEntries { path: path.text(), entries, total, more })
}

/// The first names after one, in the order of their bytes; how many there are in all, and whether more follow.
fn first_names(
    folder: &OwnedFd,
    after: Option<&[u8]>,
    limit: usize,
    now: Timestamp,
) -> Result<(Vec<Vec<u8>>, u64, bool), FileError> {
    let failed = meaning("list the folder");
    let mut first: BinaryHeap<Vec<u8>> = BinaryHeap::with_capacity(limit + 1);
    let (mut total, mut more) = (0, false);
    for found in Dir::read_from(folder).map_err(&failed)? {
        let found = found.map_err(&failed)?;
        let name = found.file_name().to_bytes();
        if matches!(name, b"." | b"..") || (is_unfinished(name) && is_recent(folder, name, now)) {
            continue;
        }
        total += 1;
        if after.is_some_and(|after| name <= after) {
            continue;
        }
        if first.len() < limit {
            first.push(name.to_vec());
            continue;
        }
        more = true;
        if let Some(mut last) = first.peek_mut()
            && name < last.as_slice()
        {
            *last = name.to_vec();
        }
    }
    Ok((first.into_sorted_vec(), total, more))
}

/// Whether the unfinished file may still be written to. An older one was left by a crash, and is listed so that users can delete it.
fn is_recent(folder: &OwnedFd, name: &[u8], now: Timestamp) -> bool {
    let before = now.as_second() - LEFT_AFTER;
    look(folder, name).is_ok_and(|stat| stat.st_ctime > before)
}

fn entry(root: &RootDir, path: &RelPath, folder: &OwnedFd, name: &[u8], stat: &Stat) -> FileEntry {
    let mut entry = told(name, stat);
    if entry.kind == FileKind::Symlink {
        let itself = RelPath::of_bytes(&[path.as_bytes(), b"/", name].concat());
        let there = itself.and_then(|path| root.get(&path, OFlags::PATH)).ok();
        entry.target_kind = there.and_then(|there| fstat(there).ok()).map(|stat| kind(&stat));
        let target = readlinkat(folder, name, Vec::new()).ok();
        entry.target = target.map(|target| text_of(target.to_bytes())).filter(|text| text.len() <= TARGET);
    }
    entry
}

/// What is told of something.
fn told(name: &[u8], stat: &Stat) -> FileEntry {
    let nanos = i32::try_from(stat.st_mtime_nsec).unwrap_or(0);
    FileEntry {
        name: text_of(name),
        kind: kind(stat),
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mode: stat.st_mode & 0o7777,
        modified: Timestamp::new(stat.st_mtime, nanos).unwrap_or(Timestamp::UNIX_EPOCH),
        target: None,
        target_kind: None,
    }
}

/// What it is.
pub(super) fn kind(stat: &Stat) -> FileKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        _ => FileKind::Other,
    }
}

/// One file or folder; a link that stays within the server's folder is followed.
pub(super) fn stat(root: &RootDir, path: &str) -> Result<FileInfo, FileError> {
    let path = RelPath::parse(path)?;
    let found = root.get(&path, OFlags::PATH)?;
    Ok(info(&path, &fstat(&found).map_err(meaning("look at it"))?))
}

/// What is told of a file that is open.
pub(super) fn info(path: &RelPath, stat: &Stat) -> FileInfo {
    let entry = told(path.name().unwrap_or_default(), stat);
    FileInfo { path: path.text(), entry, etag: etag(stat) }
}

/// A word that changes whenever the file does.
pub(super) fn etag(stat: &Stat) -> String {
    let mut hash = Sha256::new();
    hash.update(stat.st_ino.to_le_bytes());
    hash.update(stat.st_size.to_le_bytes());
    for (seconds, nanos) in [(stat.st_mtime, stat.st_mtime_nsec), (stat.st_ctime, stat.st_ctime_nsec)] {
        hash.update(seconds.to_le_bytes());
        hash.update(nanos.to_le_bytes());
    }
    hex(&hash.finalize()[..16])
}

/// The names in a folder, as listed at the time `now`.
#[cfg(test)]
pub(super) fn names_at(folder: &OwnedFd, now: Timestamp) -> Result<Vec<Vec<u8>>, FileError> {
    first_names(folder, None, 100, now).map(|(names, ..)| names)
}
