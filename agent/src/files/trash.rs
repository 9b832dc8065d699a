//! The trash of a server. What is deleted together is a batch: `ID.json` says what it is and where it was, and is on the
//! disk before anything is moved; the folder `ID` holds it, by its number in the batch. Its id is `ID-NUMBER`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use protocol::{FileKind, FileTrashList, PATHS, TrashEntry};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, fstatvfs, openat, unlinkat};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::guarded::check_within;
use super::job::Job;
use super::list::kind;
use super::store::{Store, folder_in, fresh_number, names, open_in, read_record, sync, unlink, write_record};
use crate::fs::{FOLDER, FileError, RelPath, Replace, look, meaning, measure_tree, remove_at, rename};

/// What is deleted in one batch: each has a record, which is read whole.
const BATCH: usize = 1_000;
/// Entries that are counted of one deleted folder.
const COUNTED: u64 = 2_000_000;
/// How long something stays in the trash.
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    deleted_at: Timestamp,
    items: Vec<Item>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Item {
    path: String,
    kind: FileKind,
    /// Bytes on the disk, once they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

/// Moves files and folders into the trash. Gives the batches, whose sizes are to be counted.
pub(super) fn put(job: &mut Job<'_>, paths: &[RelPath]) -> Result<Vec<String>, FileError> {
    let trash = job.store.trash()?;
    let mut batches = Vec::new();
    let mut first_error = None;
    for some in paths.chunks(BATCH) {
        job.wanted()?;
        let mut items = Vec::new();
        let mut there = Vec::new();
        for path in some {
            let there_is = check_within(job, path).and_then(|()| job.root.parent(path));
            match there_is.and_then(|(folder, name)| look(&folder, name)) {
                Ok(stat) => {
                    let size = (kind(&stat) != FileKind::Directory)
                        .then(|| u64::try_from(stat.st_blocks).unwrap_or(0) * 512);
                    items.push(Item { path: path.text(), kind: kind(&stat), size });
                    there.push(path);
                }
                Err(error) => skip(job, path, error, &mut first_error),
            }
        }
        if items.is_empty() {
            continue;
        }
        let id = fresh_number();
        let batch = Batch { deleted_at: Timestamp::now(), items };
        write_record(&trash, &record(&id), &batch)?;
        let into = folder_in(&trash, &id)?;
        let mut moved = 0;
        for (n, path) in there.into_iter().enumerate() {
            let done = job.root.parent(path).and_then(|(folder, name)| {
                rename(&folder, name, &into, n.to_string().as_bytes(), Replace::Nothing)
            });
            match done {
                Ok(()) => {
                    moved += 1;
                    job.progress.add(1, 0, path.as_bytes());
                    job.progress.trashed(format!("{id}-{n}"), path.text());
                }
                Err(error) => skip(job, path, error, &mut first_error),
            }
        }
        sync(&into)?;
        if moved == 0 {
            forget(&trash, &id);
        } else {
            batches.push(id);
        }
    }
    match first_error {
        Some(error) if job.progress.entries() == 0 => Err(error),
        _ => Ok(batches),
    }
}

fn skip(job: &mut Job<'_>, path: &RelPath, error: FileError, first: &mut Option<FileError>) {
    job.progress.skip(path.as_bytes(), error.sentence());
    first.get_or_insert(error);
}

fn record(id: &str) -> String {
    format!("{id}.json")
}

/// Counts what is in a batch, which may take long, and notes it.
pub(super) fn count(store: &Store, id: &str, stop: &CancellationToken) -> Result<(), FileError> {
    let trash = store.trash()?;
    let mut batch: Batch = read_record(&trash, &record(id))?;
    if batch.items.iter().all(|item| item.size.is_some()) {
        return Ok(());
    }
    let folder = open_in(&trash, id)?;
    for (n, item) in batch.items.iter_mut().enumerate() {
        if item.size.is_none()
            && let Ok(top) = openat(&folder, n.to_string(), FOLDER, Mode::empty())
        {
            let size = measure_tree(top, COUNTED, stop);
            item.size = Some(size.unwrap_or_default().on_disk);
        }
    }
    write_record(&trash, &record(id), &batch)?;
    // Where it was emptied meanwhile there is nothing to say of it.
    if open_in(&trash, id).is_err() {
        unlink(&trash, &record(id));
    }
    Ok(())
}

/// The numbers of the batches, the oldest first.
fn batches(trash: &OwnedFd) -> Result<Vec<String>, FileError> {
    let mut ids: Vec<String> =
        names(trash)?.into_iter().filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// What is in the trash, the newest first.
pub(super) fn list(store: &Store) -> Result<FileTrashList, FileError> {
    let trash = store.trash()?;
    let mut entries = Vec::new();
    for id in batches(&trash)?.into_iter().rev() {
        // One that cannot be read tells of nothing; its files go with their time.
        let Ok(batch) = read_record::<Batch>(&trash, &record(&id)) else { continue };
        let there = present(&trash, &id);
        for (n, item) in batch.items.into_iter().enumerate() {
            if there.contains(&n) {
                entries.push(TrashEntry {
                    id: format!("{id}-{n}"),
                    path: item.path,
                    kind: item.kind,
                    size: item.size,
                    deleted_at: batch.deleted_at,
                });
            }
        }
        if entries.len() >= PATHS {
            entries.truncate(PATHS);
            break;
        }
    }
    Ok(FileTrashList { entries })
}

/// What of a batch is there still.
fn present(trash: &OwnedFd, id: &str) -> BTreeSet<usize> {
    let names = open_in(trash, id).and_then(|folder| names(&folder)).unwrap_or_default();
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

/// Ids by batch.
fn by_batch(ids: &[String]) -> Result<BTreeMap<String, Vec<usize>>, FileError> {
    let mut all: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for id in ids {
        let (batch, n) = id.rsplit_once('-').ok_or(FileError::NotFound)?;
        let valid = batch.bytes().all(|b| b.is_ascii_hexdigit()) && !batch.is_empty();
        match n.parse() {
            Ok(n) if valid => all.entry(batch.to_owned()).or_default().push(n),
            _ => return Err(FileError::NotFound),
        }
    }
    Ok(all)
}

/// Puts things back where they were; nothing is replaced there.
pub(super) fn restore(job: &mut Job<'_>, ids: &[String]) -> Result<(), FileError> {
    let trash = job.store.trash()?;
    let mut first_error = None;
    for (id, items) in by_batch(ids)? {
        job.wanted()?;
        let batch: Batch = match read_record(&trash, &record(&id)) {
            Ok(batch) => batch,
            Err(error) => {
                first_error.get_or_insert(error);
                continue;
            }
        };
        let folder = open_in(&trash, &id)?;
        for n in items {
            let Some(item) = batch.items.get(n) else {
                first_error.get_or_insert(FileError::NotFound);
                continue;
            };
            let path = RelPath::parse(&item.path)?;
            let done = job.root.parent_made(&path).and_then(|(into, name)| {
                rename(&folder, n.to_string().as_bytes(), &into, name, Replace::Nothing)?;
                sync(&into)
            });
            match done {
                Ok(()) => job.progress.add(1, 0, path.as_bytes()),
                Err(error) => skip(job, &path, error, &mut first_error),
            }
        }
        if present(&trash, &id).is_empty() {
            forget(&trash, &id);
        }
    }
    match first_error {
        Some(error) if job.progress.entries() == 0 => Err(error),
        _ => Ok(()),
    }
}

/// Removes things for good; everything where no ids are given.
pub(super) fn empty(job: &mut Job<'_>, ids: Option<&[String]>) -> Result<(), FileError> {
    let trash = job.store.trash()?;
    let Some(ids) = ids else {
        for id in batches(&trash)? {
            let progress = &mut job.progress;
            remove_at(trash.as_fd(), id.as_bytes(), job.cancel, &mut |n| progress.add(n, 0, b""))
                .map_err(FileError::io("empty the trash"))?;
            unlink(&trash, &record(&id));
        }
        return Ok(());
    };
    for (id, items) in by_batch(ids)? {
        let folder = open_in(&trash, &id)?;
        for n in items {
            let progress = &mut job.progress;
            let name = n.to_string();
            remove_at(folder.as_fd(), name.as_bytes(), job.cancel, &mut |n| progress.add(n, 0, b""))
                .map_err(FileError::io("empty the trash"))?;
        }
        if present(&trash, &id).is_empty() {
            forget(&trash, &id);
        }
    }
    Ok(())
}

/// A batch of which nothing is left.
fn forget(trash: &OwnedFd, id: &str) {
    if unlinkat(trash, id, AtFlags::REMOVEDIR).is_ok() {
        unlink(trash, &record(id));
    }
}

/// A batch, for the one who decides what has to go.
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) deleted_at: Timestamp,
    pub(super) bytes: u64,
}

impl Kept {
    /// Whether its time is over.
    pub(super) fn is_old(&self, now: Timestamp) -> bool {
        now.duration_since(self.deleted_at) > LONGEST
    }
}

/// All batches, the oldest first. Counts those that were not counted yet, and takes what has no record for old.
pub(super) fn kept(store: &Store, stop: &CancellationToken) -> Result<Vec<Kept>, FileError> {
    let trash = store.trash()?;
    let mut ids: BTreeSet<String> = batches(&trash)?.into_iter().collect();
    for name in names(&trash)? {
        if !name.contains('.') {
            ids.insert(name);
        }
    }
    let mut all = Vec::new();
    for id in ids {
        // What cannot be counted takes no part in the sum, and goes with its time.
        let _ = count(store, &id, stop);
        let batch = read_record::<Batch>(&trash, &record(&id)).ok();
        let there = present(&trash, &id);
        let sizes = batch.iter().flat_map(|batch| batch.items.iter().enumerate());
        let bytes = sizes.filter(|(n, _)| there.contains(n)).filter_map(|(_, item)| item.size).sum();
        // Nothing of it is there any more.
        let gone = there.is_empty() && batch.is_some();
        let deleted_at = batch.filter(|_| !gone).map_or(Timestamp::UNIX_EPOCH, |batch| batch.deleted_at);
        all.push(Kept { id, deleted_at, bytes });
    }
    Ok(all)
}

/// Removes a batch for good.
pub(super) fn drop_batch(store: &Store, id: &str, stop: &CancellationToken) -> Result<(), FileError> {
    let trash = store.trash()?;
    remove_at(trash.as_fd(), id.as_bytes(), stop, &mut |_| {}).map_err(FileError::io("empty the trash"))?;
    unlink(&trash, &record(id));
    Ok(())
}

/// What all trash of the node may take: 10 % of the disk, at least 1 GiB, at most 20 GiB.
pub(super) fn most_bytes(store: &Store) -> Result<u64, FileError> {
    let stat = fstatvfs(&store.trash()?).map_err(meaning("look at the disk"))?;
    let disk = stat.f_blocks.saturating_mul(stat.f_frsize);
    Ok((disk / 10).clamp(1 << 30, 20 << 30))
}
