//! What is kept of a server's files outside its folder, where the game does not see it: the trash, former versions, and
//! what is being written. It is on the same file system, so that moving there and back is a rename.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fs::{FOLDER, FileError, meaning};

/// Bytes of a record.
const RECORD: u64 = 64 << 20;
/// Names that are read of one folder.
const NAMES: usize = 200_000;

/// `.files-ID` of a server.
#[derive(Debug)]
pub(crate) struct Store {
    home: OwnedFd,
}

impl Store {
    /// Opens it; makes it where it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(FileError::io("make the folder for it")(error));
            }
            _ => {}
        }
        let home = openat(CWD, path, FOLDER, Mode::empty()).map_err(meaning("open the folder for it"))?;
        Ok(Self { home })
    }

    /// What was deleted.
    pub(super) fn trash(&self) -> Result<OwnedFd, FileError> {
        self.folder("trash")
    }

    /// What files were before.
    pub(super) fn versions(&self) -> Result<OwnedFd, FileError> {
        self.folder("versions")
    }

    /// What is being written: uploads, and what will be renamed to its place when it is whole.
    pub(crate) fn parts(&self) -> Result<OwnedFd, FileError> {
        self.folder("parts")
    }

    /// What is to be removed for good. The sweeper ends what is cut short.
    pub(super) fn removed(&self) -> Result<OwnedFd, FileError> {
        self.folder("removed")
    }

    fn folder(&self, name: &str) -> Result<OwnedFd, FileError> {
        folder_in(&self.home, name)
    }
}

/// The folder of this name, made where it is not there.
pub(super) fn folder_in(parent: &OwnedFd, name: &str) -> Result<OwnedFd, FileError> {
    match mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(meaning("make the folder for it")(errno)),
    }
    open_in(parent, name)
}

/// The folder of this name.
pub(super) fn open_in(parent: &OwnedFd, name: &str) -> Result<OwnedFd, FileError> {
    openat(parent, name, FOLDER, Mode::empty()).map_err(meaning("open the folder of it"))
}

/// The names in one of our own folders.
pub(super) fn names(folder: &OwnedFd) -> Result<Vec<String>, FileError> {
    let failed = meaning("list the folder of it");
    let fresh = openat(folder, ".", FOLDER, Mode::empty()).map_err(&failed)?;
    let mut all = Vec::new();
    for entry in Dir::new(fresh).map_err(&failed)?.take(NAMES) {
        let entry = entry.map_err(&failed)?;
        if let Ok(name) = entry.file_name().to_str()
            && name != "."
            && name != ".."
        {
            all.push(name.to_owned());
        }
    }
    Ok(all)
}

/// A number that nobody has, by which the newest sorts last, also of those of one millisecond. Its first 12 digits are the
/// milliseconds since 1970.
pub(super) fn fresh_number() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0) << 16;
    let next = |last: u64| now.max(last + 1);
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
    format!("{:016x}{:04x}", next(last.unwrap_or(0)), rand::random::<u16>())
}

/// Writes a record: when this returns it is on the disk, whole.
pub(super) fn write_record(folder: &OwnedFd, name: &str, record: &impl Serialize) -> Result<(), FileError> {
    let text = serde_json::to_vec(record).map_err(|error| FileError::Io("write it", error.into()))?;
    let writing = format!("{name}.tmp");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(folder, &writing, flags, Mode::RUSR | Mode::WUSR).map_err(meaning("write it"))?;
    let mut file = File::from(file);
    let written = file
        .write_all(&text)
        .and_then(|()| file.sync_all())
        .map_err(FileError::io("write it"))
        .and_then(|()| renameat(folder, &writing, folder, name).map_err(meaning("write it")));
    if written.is_err() {
        unlink(folder, &writing);
    }
    written.and_then(|()| sync(folder))
}

/// Reads a record.
pub(super) fn read_record<T: DeserializeOwned>(folder: &OwnedFd, name: &str) -> Result<T, FileError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, Mode::empty()).map_err(meaning("read what is kept of it"))?;
    let mut text = Vec::new();
    let read = File::from(file).take(RECORD).read_to_end(&mut text);
    read.map_err(FileError::io("read what is kept of it"))?;
    serde_json::from_slice(&text).map_err(|error| FileError::Io("read what is kept of it", error.into()))
}

/// Removes a file of ours; one that is not there is removed already.
pub(super) fn unlink(folder: &OwnedFd, name: &str) {
    let _ = unlinkat(folder, name, AtFlags::empty());
}

/// Brings the names of a folder to the disk.
pub(super) fn sync(folder: impl AsFd) -> Result<(), FileError> {
    rustix::fs::fsync(folder).map_err(meaning("keep the folder"))
}

#[cfg(test)]
mod tests {
    use super::fresh_number;

    #[test]
    fn the_newest_number_sorts_last_within_a_millisecond_too() {
        let numbers: Vec<_> = (0..1000).map(|_| fresh_number()).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next));
        assert!(numbers.iter().all(|number| number.len() == 20));
    }
}
