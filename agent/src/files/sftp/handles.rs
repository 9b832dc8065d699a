//! What a client has open.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use rustix::buffer::spare_capacity;
use rustix::fd::OwnedFd;
use rustix::fs::fstat;
use rustix::io::Errno;
use sftp::{Attrs, StatusCode};

use super::answer::Refused;
use super::attributes::attrs;
use super::folder::Folder;
use crate::fs::{FileError, meaning};

/// Files and folders that one client may have open.
pub(super) const MOST: usize = 256;

#[derive(Debug)]
enum Open {
    File(OpenFile),
    Folder(Box<Folder>),
}

/// A file that a client has open.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) file: OwnedFd,
    pub(super) writable: bool,
    /// All that is written goes to the end.
    pub(super) append: bool,
    /// How large it is, as far as this client has written.
    pub(super) size: u64,
}

/// What a client has open, by number.
#[derive(Debug, Default)]
pub(super) struct Handles {
    next: u32,
    open: HashMap<u32, Open>,
}

impl OpenFile {
    /// Reads at most `most` bytes from `offset` and appends them to `to`.
    pub(super) fn read(&self, offset: u64, most: usize, to: &mut BytesMut) -> Result<(), Refused> {
        let failed = meaning("read it");
        let mut piece = Vec::with_capacity(most);
        while piece.len() < most {
            let at = offset.saturating_add(piece.len() as u64);
            match rustix::io::pread(&self.file, spare_capacity(&mut piece), at) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(failed(errno).into()),
            }
        }
        if piece.is_empty() && most > 0 {
            return Err(Refused::new(StatusCode::EndOfFile, "The end of the file."));
        }
        to.put_slice(&piece);
        Ok(())
    }

    /// Writes all of it.
    pub(super) fn write(&mut self, mut offset: u64, mut data: &[u8]) -> Result<(), FileError> {
        while !data.is_empty() {
            match rustix::io::pwrite(&self.file, data, offset) {
                Ok(written) => {
                    offset = offset.saturating_add(written as u64);
                    data = data.get(written..).unwrap_or_default();
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(meaning("write it")(errno)),
            }
        }
        self.size = self.size.max(offset);
        Ok(())
    }

    pub(super) fn sync(&self) -> Result<(), FileError> {
        rustix::fs::fsync(&self.file).map_err(meaning("write it"))
    }
}

impl Handles {
    /// An error where there is no room for one more.
    pub(super) fn room(&self) -> Result<(), Refused> {
        match self.open.len() < MOST {
            true => Ok(()),
            false => Err(Refused::new(StatusCode::Failure, format!("More than {MOST} files are open."))),
        }
    }

    fn add(&mut self, open: Open) -> Bytes {
        while self.open.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.open.insert(number, open);
        Bytes::copy_from_slice(&number.to_be_bytes())
    }

    pub(super) fn add_file(&mut self, file: OpenFile) -> Bytes {
        self.add(Open::File(file))
    }

    pub(super) fn add_folder(&mut self, folder: Folder) -> Bytes {
        self.add(Open::Folder(Box::new(folder)))
    }

    pub(super) fn remove(&mut self, handle: &[u8]) -> Result<(), Refused> {
        number(handle).and_then(|number| self.open.remove(&number)).map(drop).ok_or_else(Refused::handle)
    }

    fn get(&mut self, handle: &[u8]) -> Option<&mut Open> {
        self.open.get_mut(&number(handle)?)
    }

    pub(super) fn file(&mut self, handle: &[u8]) -> Result<&mut OpenFile, Refused> {
        match self.get(handle) {
            Some(Open::File(file)) => Ok(file),
            _ => Err(Refused::handle()),
        }
    }

    pub(super) fn folder(&mut self, handle: &[u8]) -> Result<&mut Folder, Refused> {
        match self.get(handle) {
            Some(Open::Folder(folder)) => Ok(folder),
            _ => Err(Refused::handle()),
        }
    }

    pub(super) fn stat(&mut self, handle: &[u8]) -> Result<Attrs, Refused> {
        let stat = match self.get(handle).ok_or_else(Refused::handle)? {
            Open::File(file) => fstat(&file.file).map_err(meaning("look at it"))?,
            Open::Folder(folder) => folder.stat()?,
        };
        Ok(attrs(&stat))
    }
}

fn number(handle: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(handle.try_into().ok()?))
}
