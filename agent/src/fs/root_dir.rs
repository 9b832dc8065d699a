//! A folder from which no path leads out: each is resolved by the kernel, in one step, below the folder's handle. THE way
//! to a server's files for everybody who is told a path.

use std::path::Path;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Uid, fchown, fstat, mkdirat, openat, openat2,
    statat,
};
use rustix::io::Errno;

use super::error::{FileError, meaning};
use super::open::FOLDER;
use super::rel_path::RelPath;

/// The kernel gives up where something moves on the way; then once more, so often.
const TRIES: usize = 8;
/// What a new folder may be read and written by.
const NEW_FOLDER: u32 = 0o755;

/// A server's folder.
#[derive(Debug)]
pub(crate) struct RootDir {
    root: OwnedFd,
}

impl RootDir {
    /// The folder itself must be one, not a link to one.
    pub(crate) fn open(folder: &Path) -> Result<Self, FileError> {
        let root =
            rustix::fs::open(folder, FOLDER, Mode::empty()).map_err(meaning("open the server's folder"))?;
        Ok(Self { root })
    }

    /// Opens what is there, by way of links that stay within the folder. Nothing waits: neither for the other end of a
    /// pipe nor for a device.
    pub(crate) fn get(&self, path: &RelPath, flags: OFlags) -> Result<OwnedFd, FileError> {
        let path = path.for_kernel();
        // A handle that opens nothing waits for nothing, and takes no other flags.
        let more =
            if flags.contains(OFlags::PATH) { OFlags::empty() } else { OFlags::NOCTTY | OFlags::NONBLOCK };
        let flags = flags | more | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..TRIES {
            match openat2(&self.root, path.as_slice(), flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                done => return done.map_err(meaning("open it")),
            }
        }
        Err(FileError::ConcurrentChange)
    }

    /// The folder of this path.
    pub(crate) fn folder(&self, path: &RelPath) -> Result<OwnedFd, FileError> {
        self.get(path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// The folder that holds this path, and its name there.
    pub(crate) fn parent<'p>(&self, path: &'p RelPath) -> Result<(OwnedFd, &'p [u8]), FileError> {
        let name = path.name().ok_or(FileError::NotRegular("a folder"))?;
        Ok((self.folder(&path.parent())?, name))
    }

    /// The same; what is not there of the folder is made.
    pub(crate) fn parent_made<'p>(&self, path: &'p RelPath) -> Result<(OwnedFd, &'p [u8]), FileError> {
        let name = path.name().ok_or(FileError::NotRegular("a folder"))?;
        Ok((self.make(&path.parent())?, name))
    }

    /// Makes what is not there of a folder and of those above it.
    pub(crate) fn make(&self, path: &RelPath) -> Result<OwnedFd, FileError> {
        match self.folder(path) {
            Err(FileError::NotFound) => {}
            found => return found,
        }
        let mut here = self.folder(&RelPath::of_bytes(b"/")?)?;
        let mut made = false;
        let mut end = 0;
        for name in path.as_bytes().split(|byte| *byte == b'/') {
            end += name.len() + 1;
            // As far as it is there, a link may be part of it, like anywhere else.
            let there = match made {
                true => Err(FileError::NotFound),
                false => self.folder(&RelPath::of_bytes(&path.as_bytes()[..end - 1])?),
            };
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

    fn make_in(&self, parent: &OwnedFd, name: &[u8]) -> Result<OwnedFd, FileError> {
        let made = match mkdirat(parent, name, Mode::from_raw_mode(NEW_FOLDER)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(meaning("make a folder")(errno)),
        };
        // Whatever has the name now: a link is not followed.
        let folder = openat(parent, name, FOLDER, Mode::empty()).map_err(meaning("open it"))?;
        if made {
            give(&folder, self.owner()?)?;
            rustix::fs::fsync(parent).map_err(meaning("keep the folder"))?;
        }
        Ok(folder)
    }

    /// Whose the folder is: the server's own user.
    pub(crate) fn owner(&self) -> Result<(u32, u32), FileError> {
        let stat = fstat(&self.root).map_err(meaning("look at the server's folder"))?;
        Ok((stat.st_uid, stat.st_gid))
    }
}

/// Gives a file or folder to a user. Only root can; who is not, keeps it.
pub(crate) fn give(file: impl AsFd, (uid, gid): (u32, u32)) -> Result<(), FileError> {
    match fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))) {
        Ok(()) | Err(Errno::PERM) => Ok(()),
        Err(errno) => Err(meaning("give it to the game")(errno)),
    }
}

/// What has this name in a folder; a link is not followed.
pub(crate) fn look(folder: impl AsFd, name: &[u8]) -> Result<Stat, FileError> {
    statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(meaning("look at it"))
}

/// A plain file, and its size.
pub(crate) fn regular(file: impl AsFd) -> Result<Stat, FileError> {
    let stat = fstat(file).map_err(meaning("look at it"))?;
    match special(stat.st_mode) {
        None => Ok(stat),
        Some(kind) => Err(FileError::NotRegular(kind)),
    }
}

/// What it is where it is no plain file.
pub(crate) fn special(mode: u32) -> Option<&'static str> {
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
