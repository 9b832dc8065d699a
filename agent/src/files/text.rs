//! One text, read or written whole.

use std::fs::File;
use std::io::{Read, Write};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, fchmod, fchown, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::error::FileError;
use super::root_dir::{Below, kind, meaning, regular};

/// Bytes of a text that is read or written.
pub(super) const MOST: usize = 4 << 20;

/// What a new file may be read and written by.
const NEW: u32 = 0o644;
/// Names that are tried for the file that is written beside.
const NAMES: usize = 16;

/// The whole of a file.
pub(super) fn read(root: &Below, path: &str) -> Result<String, FileError> {
    let file = root.get(path, OFlags::RDONLY)?;
    let stat = regular(&file)?;
    if u64::try_from(stat.st_size).unwrap_or(0) > MOST as u64 {
        return Err(FileError::TooLarge);
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    File::from(file)
        .take(MOST as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| FileError::Io("read it", error))?;
    if bytes.len() > MOST {
        return Err(FileError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|_| FileError::NotText)
}

/// Replaces a file, or makes it: whoever reads it sees the old or the new one, whatever happens.
pub(super) fn write(root: &Below, path: &str, content: &str) -> Result<(), FileError> {
    if content.len() > MOST {
        return Err(FileError::TooLarge);
    }
    let folder = replace(root, path, content.as_bytes())?;
    rustix::fs::fsync(&folder).map_err(meaning("keep the folder"))
}

/// The same for any content; gives the folder, in which a crash may still undo it.
pub(super) fn replace(root: &Below, path: &str, content: &[u8]) -> Result<OwnedFd, FileError> {
    let (folder, name) = root.parent(path)?;
    let (owner, mode) = match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => {
            // A link is not followed, and not replaced either: it may be what others read.
            if let Some(kind) = kind(stat.st_mode) {
                return Err(FileError::NotRegular(kind));
            }
            // Neither setuid nor the like: a game could have put it there.
            ((stat.st_uid, stat.st_gid), stat.st_mode & 0o777)
        }
        Err(Errno::NOENT) => (root.owner()?, NEW),
        Err(errno) => return Err(meaning("look at it")(errno)),
    };
    let (beside, file) = beside(&folder)?;
    let written = fill(file, content, owner, mode)
        .and_then(|()| renameat(&folder, &beside, &folder, name).map_err(meaning("replace it")));
    if written.is_err() {
        // Where it has its name already, there is nothing under this one.
        let _ = unlinkat(&folder, &beside, AtFlags::empty());
    }
    written.map(|()| folder)
}

/// A new file in the same folder, under a name that nobody has.
fn beside(folder: &OwnedFd) -> Result<(String, File), FileError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..NAMES {
        let name = format!(".writing-{:016x}", rand::random::<u64>());
        match openat(folder, &name, flags, Mode::from_raw_mode(0o600)) {
            Ok(file) => return Ok((name, File::from(file))),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(meaning("make a file beside it")(errno)),
        }
    }
    Err(FileError::ConcurrentChange)
}

fn fill(mut file: File, content: &[u8], owner: (u32, u32), mode: u32) -> Result<(), FileError> {
    let failed = |error: std::io::Error| match Errno::from_io_error(&error) {
        Some(errno) => meaning("write it")(errno),
        None => FileError::Io("write it", error),
    };
    file.write_all(content).map_err(failed)?;
    let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
    match fchown(file.as_fd(), Some(uid), Some(gid)) {
        // Only root can give files away. Who is not, writes as himself.
        Ok(()) | Err(Errno::PERM) => {}
        Err(errno) => return Err(meaning("give it to the game")(errno)),
    }
    fchmod(file.as_fd(), Mode::from_raw_mode(mode)).map_err(meaning("set its mode"))?;
    file.sync_all().map_err(failed)
}
