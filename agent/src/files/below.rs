//! A folder from which no path leads out: each is resolved by the kernel, in one step, below the folder's handle.

use std::io;
use std::path::Path;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;

use super::FileError;

/// The kernel gives up where something moves on the way; then once more, so often.
const TRIES: usize = 8;
/// Bytes of a path, and of each name in it: the kernel's own bounds.
const PATH: usize = 4096;
const NAME: usize = 255;

/// A server's folder.
#[derive(Debug)]
pub(super) struct Below {
    root: OwnedFd,
}

/// What is wrong with the words of a path, before anybody looks at the disk.
pub(super) fn check(path: &str) -> Result<(), FileError> {
    if path.is_empty() {
        return Err(FileError::BadPath("is empty"));
    }
    if path.contains('\0') {
        return Err(FileError::BadPath("holds a zero byte"));
    }
    if path.len() >= PATH || path.split('/').any(|name| name.len() > NAME) {
        return Err(FileError::BadPath("is too long"));
    }
    if path.starts_with('/') || path.split('/').any(|name| name == "..") {
        return Err(FileError::Escape);
    }
    Ok(())
}

impl Below {
    /// The folder itself must be one, not a link to one.
    pub(super) fn open(folder: &Path) -> Result<Self, FileError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root =
            rustix::fs::open(folder, flags, Mode::empty()).map_err(meaning("open the server's folder"))?;
        Ok(Self { root })
    }

    /// Opens what is there. Nothing waits: neither for the other end of a pipe nor for a device.
    pub(super) fn get(&self, path: &str, flags: OFlags) -> Result<OwnedFd, FileError> {
        check(path)?;
        let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..TRIES {
            match openat2(&self.root, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                done => return done.map_err(meaning("open it")),
            }
        }
        Err(FileError::Restless)
    }

    /// The folder that holds this path, and its name there.
    pub(super) fn parent<'p>(&self, path: &'p str) -> Result<(OwnedFd, &'p str), FileError> {
        check(path)?;
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        if name.is_empty() || name == "." {
            return Err(FileError::NotRegular("a folder"));
        }
        let parent = if parent.is_empty() { "." } else { parent };
        Ok((self.get(parent, OFlags::RDONLY | OFlags::DIRECTORY)?, name))
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
