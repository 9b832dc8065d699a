//! A folder that a client lists, some entries at a time.

use std::fmt;

use bytes::Bytes;
use rustix::fd::OwnedFd;
use rustix::fs::{Dir, Stat, fstat};
use sftp::{NameEntry, StatusCode};

use super::answer::Refused;
use super::attributes::{attrs, line};
use crate::fs::{FileError, is_unfinished, look, meaning};

/// Entries of one answer, and bytes of it.
const ENTRIES: usize = 128;
const BYTES: usize = 48 * 1024;

/// A folder that is being listed.
pub(super) struct Folder {
    folder: OwnedFd,
    entries: Dir,
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Folder {
    pub(super) fn new(folder: OwnedFd) -> Result<Self, FileError> {
        let entries = Dir::read_from(&folder).map_err(meaning("list the folder"))?;
        Ok(Self { folder, entries })
    }

    pub(super) fn stat(&self) -> Result<Stat, FileError> {
        fstat(&self.folder).map_err(meaning("look at it"))
    }

    /// The next entries; the end of the file where there are no more.
    pub(super) fn read(&mut self) -> Result<Vec<NameEntry>, Refused> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        while found.len() < ENTRIES && bytes < BYTES {
            let Some(entry) = self.entries.read() else { break };
            let entry = entry.map_err(meaning("list the folder"))?;
            let name = entry.file_name().to_bytes();
            if is_unfinished(name) {
                continue;
            }
            let stat = match name {
                b".." => self.stat(),
                name => look(&self.folder, name),
            };
            let stat = match stat {
                Ok(stat) => stat,
                // It vanished.
                Err(FileError::NotFound) => continue,
                Err(error) => return Err(error.into()),
            };
            let long = line(name, &stat);
            bytes += name.len() + long.len() + 64;
            found.push(NameEntry {
                name: Bytes::copy_from_slice(name),
                long: long.into(),
                attrs: attrs(&stat),
            });
        }
        match found.is_empty() {
            true => Err(Refused::new(StatusCode::EndOfFile, "The end of the folder.")),
            false => Ok(found),
        }
    }
}
