//! Files that come in pieces: `ID.json` says what it becomes, `ID.part` is what has come. With the last byte the file gets
//! its place, and the record says so for a day: whoever missed the answer can ask again.

use std::collections::HashSet;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{ServerId, UploadCreate, UploadInfo};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Mode, OFlags, fchmod, fstatvfs, openat, statat};
use serde::{Deserialize, Serialize};

use super::store::{Store, names, read_record, sync, unlink, write_record};
use crate::fs::{FileError, RelPath, Replace, RootDir, give, look, meaning, regular, rename, special};

/// Uploads of a server that may be under way.
const MOST: usize = 1_000;

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    path: String,
    size: u64,
    replace: bool,
    /// All of it came, and it is given its place: done where there is no part any more.
    #[serde(default)]
    whole: bool,
}

fn record_name(id: &str) -> String {
    format!("{id}.json")
}

fn part_name(id: &str) -> String {
    format!("{id}.part")
}

/// Prepares for an upload. One of no bytes is done with it.
pub(super) fn create(root: &RootDir, store: &Store, asked: &UploadCreate) -> Result<(), FileError> {
    let UploadCreate { server_id: _, id, path, size, replace } = asked;
    let target = RelPath::parse(path)?;
    may_be(root, &target, *replace)?;
    let parts = store.parts()?;
    let disk = fstatvfs(&parts).map_err(meaning("look at the disk"))?;
    if disk.f_bavail.saturating_mul(disk.f_frsize) < *size {
        return Err(FileError::DiskFull);
    }
    let all = names(&parts)?;
    if all.iter().filter(|name| name.ends_with(".part")).count() >= MOST {
        return Err(FileError::Busy);
    }
    if all.contains(&record_name(id)) {
        return Err(FileError::Conflict("there is an upload of this number already"));
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(&parts, part_name(id), flags, Mode::RUSR | Mode::WUSR).map_err(meaning("make the upload"))?;
    let record = Record { path: target.text(), size: *size, replace: *replace, whole: false };
    let made = write_record(&parts, &record_name(id), &record);
    let made = made.and_then(|()| if *size == 0 { place(root, &parts, id, record) } else { Ok(()) });
    if made.is_err() {
        discard(&parts, id);
    }
    made
}

/// Whether there may be a file at this path.
fn may_be(root: &RootDir, target: &RelPath, replace: bool) -> Result<(), FileError> {
    if target.is_folder() {
        return Err(FileError::NotRegular("a folder"));
    }
    match root.parent(target).and_then(|(folder, name)| look(&folder, name)) {
        Ok(_) if !replace => Err(FileError::Exists),
        Ok(stat) => match special(stat.st_mode) {
            Some(kind) => Err(FileError::NotRegular(kind)),
            None => Ok(()),
        },
        // Its folders are made when it gets its place.
        Err(FileError::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

fn length(parts: &OwnedFd, id: &str) -> Result<u64, FileError> {
    let stat = statat(parts, part_name(id), AtFlags::SYMLINK_NOFOLLOW);
    Ok(u64::try_from(stat.map_err(meaning("look at the upload"))?.st_size).unwrap_or(0))
}

/// How far it is. What was cut short before the file got its place is done now.
pub(super) fn stat(root: &RootDir, store: &Store, id: &str) -> Result<UploadInfo, FileError> {
    let parts = store.parts()?;
    let record: Record = read_record(&parts, &record_name(id))?;
    let (path, size) = (record.path.clone(), record.size);
    let offset = match length(&parts, id) {
        Ok(length) if length < size => length,
        Ok(_) => {
            place(root, &parts, id, record)?;
            size
        }
        Err(FileError::NotFound) if record.whole => size,
        Err(error) => return Err(error),
    };
    Ok(UploadInfo { path, offset, size })
}

/// Gives an upload up.
pub(super) fn remove(store: &Store, id: &str) -> Result<(), FileError> {
    let parts = store.parts()?;
    let _: Record = read_record(&parts, &record_name(id))?;
    discard(&parts, id);
    sync(&parts)
}

fn discard(parts: &OwnedFd, id: &str) {
    unlink(parts, &part_name(id));
    unlink(parts, &record_name(id));
}

/// Gives the whole file its place.
fn place(root: &RootDir, parts: &OwnedFd, id: &str, record: Record) -> Result<(), FileError> {
    let target = RelPath::parse(&record.path)?;
    let replace = if record.replace { Replace::File } else { Replace::Nothing };
    let (folder, name) = root.parent_made(&target)?;
    let (owner, mode) = match look(&folder, name) {
        Ok(stat) => ((stat.st_uid, stat.st_gid), stat.st_mode & 0o777),
        Err(_) => (root.owner()?, 0o644),
    };
    let file = open_part(parts, id)?;
    give(&file, owner)?;
    fchmod(&file, Mode::from_raw_mode(mode)).map_err(meaning("set its mode"))?;
    rustix::fs::fsync(&file).map_err(meaning("write it"))?;
    write_record(parts, &record_name(id), &Record { whole: true, ..record })?;
    rename(parts, part_name(id).as_bytes(), &folder, name, replace)?;
    sync(&folder)
}

fn open_part(parts: &OwnedFd, id: &str) -> Result<OwnedFd, FileError> {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(parts, part_name(id), flags, Mode::empty()).map_err(meaning("open the upload"))?;
    regular(&file)?;
    Ok(file)
}

/// A piece that is being received. One at a time for each upload.
#[derive(Debug)]
pub(super) struct UploadPart {
    id: String,
    parts: OwnedFd,
    record: Record,
    offset: u64,
    file: File,
    _turn: UploadTurn,
}

impl UploadPart {
    /// The next piece of an upload, from the byte after the last that is there.
    pub(super) fn begin(store: &Store, id: &str, offset: u64, turn: UploadTurn) -> Result<Self, FileError> {
        let parts = store.parts()?;
        let record: Record = read_record(&parts, &record_name(id))?;
        let file = match open_part(&parts, id) {
            Err(FileError::NotFound) if record.whole => {
                return Err(FileError::Conflict("the upload is done already"));
            }
            opened => opened?,
        };
        if u64::try_from(regular(&file)?.st_size).unwrap_or(0) != offset {
            return Err(FileError::Conflict("the upload does not go on from there"));
        }
        Ok(Self { id: id.to_owned(), parts, record, offset, file: File::from(file), _turn: turn })
    }

    /// Bytes that may still come.
    pub(super) fn room(&self) -> u64 {
        self.record.size.saturating_sub(self.offset)
    }

    /// What the piece is written to.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// So much came: it is brought to the disk. The last piece makes the file.
    pub(super) fn end(self, root: &RootDir) -> Result<UploadInfo, FileError> {
        self.file.sync_all().map_err(FileError::io("write it"))?;
        let length = u64::try_from(regular(&self.file)?.st_size).unwrap_or(0);
        let (path, size) = (self.record.path.clone(), self.record.size);
        if length >= size {
            place(root, &self.parts, &self.id, self.record)?;
        }
        Ok(UploadInfo { path, offset: length, size })
    }

    /// What came stays.
    pub(super) fn break_off(self) {
        if let Err(error) = self.file.sync_all() {
            tracing::debug!(%error, "what came of an upload");
        }
    }
}

/// The uploads that are at work.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<Mutex<HashSet<(ServerId, String)>>>);

/// Held by who works at an upload.
#[derive(Debug)]
pub(super) struct UploadTurn {
    turns: Turns,
    key: (ServerId, String),
}

impl Turns {
    /// An error where somebody works at it already.
    pub(super) fn take(&self, server_id: &ServerId, id: &str) -> Result<UploadTurn, FileError> {
        let key = (server_id.clone(), id.to_owned());
        let fresh = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        match fresh {
            true => Ok(UploadTurn { turns: self.clone(), key }),
            false => Err(FileError::Busy),
        }
    }
}

impl Drop for UploadTurn {
    fn drop(&mut self) {
        self.turns.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}
