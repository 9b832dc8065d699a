//! How much there is in a tree.

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::FileType;
use tokio_util::sync::CancellationToken;

use super::error::FileError;
use super::walk::{At, Bounds, Missed, Next, Visitor, walk};

/// What a tree holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TreeSize {
    /// Files, folders and links.
    pub(crate) entries: u64,
    /// Bytes of the files' content.
    pub(crate) bytes: u64,
    /// Bytes that they take on the disk.
    pub(crate) on_disk: u64,
}

/// Counts a folder's tree, up to so many entries.
pub(crate) fn measure_tree(top: OwnedFd, most: u64, stop: &CancellationToken) -> Result<TreeSize, FileError> {
    let mut measuring = Measuring { size: TreeSize::default(), most };
    walk(top, Bounds::FAR, stop, &mut measuring)?;
    Ok(measuring.size)
}

struct Measuring {
    size: TreeSize,
    most: u64,
}

impl Measuring {
    fn one(&mut self, at: &At<'_>) -> Result<(), FileError> {
        self.size.entries += 1;
        if FileType::from_raw_mode(at.stat.st_mode) == FileType::RegularFile {
            self.size.bytes += u64::try_from(at.stat.st_size).unwrap_or(0);
        }
        self.size.on_disk += u64::try_from(at.stat.st_blocks).unwrap_or(0).saturating_mul(512);
        if self.size.entries > self.most {
            return Err(FileError::Conflict("it holds too many files"));
        }
        Ok(())
    }
}

impl Visitor for Measuring {
    type Error = FileError;

    fn enter(&mut self, at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<bool, FileError> {
        self.one(at).map(|()| true)
    }

    fn leave(&mut self, _at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<Next, FileError> {
        Ok(Next::On)
    }

    fn other(&mut self, at: &At<'_>) -> Result<(), FileError> {
        self.one(at)
    }

    fn too_deep(&mut self, at: &At<'_>) -> Result<(), FileError> {
        self.one(at)
    }

    fn missed(&mut self, _path: &[u8], _why: Missed) -> Result<(), FileError> {
        Ok(())
    }
}
