//! One text, read or written whole.

use std::fs::File;
use std::io::{Read, Write};

use rustix::fd::OwnedFd;
use rustix::fs::OFlags;

use crate::fs::{FileError, NewFile, RelPath, Replace, RootDir, meaning, regular};

/// Bytes of a text that is read or written.
pub(super) const MOST: usize = 4 << 20;

/// The whole of a file.
pub(super) fn read(root: &RootDir, path: &str) -> Result<String, FileError> {
    let file = root.get(&RelPath::parse(path)?, OFlags::RDONLY)?;
    let stat = regular(&file)?;
    if u64::try_from(stat.st_size).unwrap_or(0) > MOST as u64 {
        return Err(FileError::TooLarge);
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    File::from(file).take(MOST as u64 + 1).read_to_end(&mut bytes).map_err(FileError::io("read it"))?;
    if bytes.len() > MOST {
        return Err(FileError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|_| FileError::NotText)
}

/// Replaces a file, or makes it: whoever reads it sees the old or the new one, whatever happens.
pub(super) fn write(
    root: &RootDir,
    aside: Option<&OwnedFd>,
    path: &str,
    content: &str,
) -> Result<(), FileError> {
    if content.len() > MOST {
        return Err(FileError::TooLarge);
    }
    let folder = replace(root, aside, path, content.as_bytes())?;
    rustix::fs::fsync(&folder).map_err(meaning("keep the folder"))
}

/// The same for any content; gives the folder, in which a crash may still undo it.
pub(super) fn replace(
    root: &RootDir,
    aside: Option<&OwnedFd>,
    path: &str,
    content: &[u8],
) -> Result<OwnedFd, FileError> {
    let mut new = NewFile::begin(root, &RelPath::parse(path)?, aside, Replace::File)?;
    new.file().write_all(content).map_err(FileError::io("write it"))?;
    new.commit(Replace::File)
}
