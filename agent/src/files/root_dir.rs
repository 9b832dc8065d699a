//! A folder from which no path leads out: each is resolved by the kernel, in one step, below the folder's handle.

use std::io;
use std::path::Path;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Gid, Mode, OFlags, ResolveFlags, Uid, fchown, fstat, mkdirat, openat, openat2};
use rustix::io::Errno;

use super::error::FileError;
use crate::fs::FOLDER;

/// The kernel gives up where something moves on the way; then once more, so often.
const TRIES: usize = 8;
/// Bytes of a path, and of each name in it: the kernel's own bounds.
const PATH: usize = 4096;
const NAME: usize = 255;
/// What a new folder may be read and written by.
const NEW_FOLDER: u32 = 0o755;

/// A server's folder.
#[derive(Debug)]
pub(super) struct Below {
    root: OwnedFd,
}

/// A path below the server's folder, whether it is written from there (`/a.txt`) or not (`a.txt`): the folder itself is
/// `.`. An error where something is wrong with its words, before anybody looks at the disk.
pub(super) fn check(path: &str) -> Result<&str, FileError> {
    if path.is_empty() {
        return Err(FileError::BadPath("is empty"));
    }
    if path.contains('\0') {
        return Err(FileError::BadPath("holds a zero byte"));
    }
    if path.len() >= PATH || path.split('/').any(|name| name.len() > NAME) {
        return Err(FileError::BadPath("is too long"));
    }
    if path.split('/').any(|name| name == "..") {
        return Err(FileError::Escape);
    }
    Ok(match path.trim_start_matches('/') {
        "" => ".",
        path => path,
    })
}

impl Below {
    /// The folder itself must be one, not a link to one.
    pub(super) fn open(folder: &Path) -> Result<Self, FileError> {
        let root =
            rustix::fs::open(folder, FOLDER, Mode::empty()).map_err(meaning("open the server's folder"))?;
        Ok(Self { root })
    }

    /// Opens what is there. Nothing waits: neither for the other end of a pipe nor for a device.
    pub(super) fn get(&self, path: &str, flags: OFlags) -> Result<OwnedFd, FileError> {
        let path = check(path)?;
        let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..TRIES {
            match openat2(&self.root, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                done => return done.map_err(meaning("open it")),
            }
        }
        Err(FileError::ConcurrentChange)
    }

    /// The folder that holds this path, and its name there. Made, with all above it, where it is not there.
    pub(super) fn parent<'p>(&self, path: &'p str) -> Result<(OwnedFd, &'p str), FileError> {
        let path = check(path)?;
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        if name.is_empty() || name == "." {
            return Err(FileError::NotRegular("a folder"));
        }
        let parent = if parent.is_empty() { "." } else { parent };
        match self.get(parent, OFlags::RDONLY | OFlags::DIRECTORY) {
            Err(FileError::NotFound) => Ok((self.make(parent)?, name)),
            found => Ok((found?, name)),
        }
    }

    /// Makes what is not there of a folder and of those above it.
    fn make(&self, path: &str) -> Result<OwnedFd, FileError> {
        let folder = OFlags::RDONLY | OFlags::DIRECTORY;
        let mut here = self.get(".", folder)?;
        let mut made = false;
        let mut end = 0;
        for name in path.split('/') {
            end += name.len() + 1;
            if matches!(name, "" | ".") {
                continue;
            }
            // As far as it is there, a link may be part of it, like anywhere else.
            let there = if made { Err(FileError::NotFound) } else { self.get(&path[..end - 1], folder) };
            here = match there {
                Err(FileError::NotFound) => {
                    made = true;
                    self.make_in(&here, name)?
                }
                found => found?,
            };
        }
        Ok(here)
    }

    fn make_in(&self, parent: &OwnedFd, name: &str) -> Result<OwnedFd, FileError> {
        let made = match mkdirat(parent, name, Mode::from_raw_mode(NEW_FOLDER)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(meaning("make a folder")(errno)),
        };
        // Whatever has the name now: a link is not followed.
        let folder = openat(parent, name, FOLDER, Mode::empty()).map_err(meaning("open it"))?;
        if made {
            let (uid, gid) = self.owner()?;
            match fchown(&folder, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))) {
                Ok(()) | Err(Errno::PERM) => {}
                Err(errno) => return Err(meaning("give it to the game")(errno)),
            }
            rustix::fs::fsync(parent).map_err(meaning("keep the folder"))?;
        }
        Ok(folder)
    }

    /// Whose the folder is: the server's own user.
    pub(super) fn owner(&self) -> Result<(u32, u32), FileError> {
        let stat = fstat(&self.root).map_err(meaning("look at the server's folder"))?;
        Ok((stat.st_uid, stat.st_gid))
    }
}

/// A plain file, and its size.
pub(super) fn regular(file: impl AsFd) -> Result<rustix::fs::Stat, FileError> {
    let stat = fstat(file).map_err(meaning("look at it"))?;
    match kind(stat.st_mode) {
        None => Ok(stat),
        Some(kind) => Err(FileError::NotRegular(kind)),
    }
}

/// What it is where it is no plain file.
pub(super) fn kind(mode: u32) -> Option<&'static str> {
    Some(match FileType::from_raw_mode(mode) {
        FileType::RegularFile => return None,
        FileType::Directory => "a folder",
        FileType::Symlink => "a link",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "something else",
    })
}

/// What the kernel's word means for the one who asked.
pub(super) fn meaning(action: &'static str) -> impl Fn(Errno) -> FileError {
    move |errno| match errno {
        Errno::XDEV | Errno::LOOP => FileError::Escape,
        Errno::NOENT => FileError::NotFound,
        Errno::NOTDIR => FileError::BadPath("goes through something that is no folder"),
        Errno::NAMETOOLONG => FileError::BadPath("is too long"),
        Errno::INVAL | Errno::ILSEQ => FileError::BadPath("is none"),
        Errno::ISDIR => FileError::NotRegular("a folder"),
        Errno::NXIO | Errno::NODEV | Errno::OPNOTSUPP => FileError::NotRegular("a socket or a device"),
        Errno::NOSPC | Errno::DQUOT => FileError::DiskFull,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => FileError::Denied,
        other => FileError::Io(action, io::Error::from(other)),
    }
}
