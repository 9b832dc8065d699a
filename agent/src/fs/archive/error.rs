//! Why something was not packed or unpacked.

use std::io;

use rustix::io::Errno;

use crate::fs::error::FileError;
use crate::fs::shown::shown;
use crate::fs::walk::Stopped;
use crate::zip::ZipError;

/// Why something was not packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// A file or folder here could not be read or written.
    #[error("{doing} {path}: {source}")]
    File {
        /// What was attempted.
        doing: &'static str,
        /// On what, below the server's folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The disk would have less left than it needs for its own.
    #[error("the disk of this node is full: nothing more is taken")]
    NoRoom,
    /// The data is not what a server's folder can be.
    #[error("what came is refused: {0}")]
    Refused(String),
    /// The archive holds more than there may be.
    #[error("the archive is too large: {0}")]
    TooLarge(String),
    /// The archive is not one, is cut off, or is of a kind that cannot be read.
    #[error("the archive cannot be read: {0}")]
    Broken(String),
    /// Nobody wants it any more.
    #[error("it was called off")]
    Cancelled,
    /// The stream broke off, or the other end.
    #[error("{0}")]
    Stream(io::Error),
}

impl From<ZipError> for ArchiveError {
    fn from(error: ZipError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl ArchiveError {
    pub(crate) fn file(doing: &'static str, path: &[u8]) -> impl FnOnce(Errno) -> Self {
        let path = shown(path);
        move |errno| match errno {
            Errno::NOSPC | Errno::DQUOT => Self::NoRoom,
            errno => Self::File { doing, path, source: errno.into() },
        }
    }

    /// The same for what the standard library says.
    pub(super) fn io(doing: &'static str, path: &[u8], source: io::Error) -> Self {
        match Errno::from_io_error(&source) {
            Some(errno) => Self::file(doing, path)(errno),
            None => Self::File { doing, path: shown(path), source },
        }
    }

    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }

    pub(super) fn broken(why: impl Into<String>) -> Self {
        Self::Broken(why.into())
    }

    /// The disk is full.
    pub(crate) fn is_disk_full(&self) -> bool {
        match self {
            Self::NoRoom => true,
            Self::File { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Refused(_) | Self::TooLarge(_) | Self::Broken(_) | Self::Cancelled | Self::Stream(_) => {
                false
            }
        }
    }
}

impl From<Stopped> for ArchiveError {
    fn from(_: Stopped) -> Self {
        Self::Cancelled
    }
}

impl From<ArchiveError> for FileError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::NoRoom => Self::DiskFull,
            ArchiveError::TooLarge(_) => Self::ArchiveTooLarge(error.to_string()),
            ArchiveError::Broken(_) | ArchiveError::Refused(_) => Self::BadArchive(error.to_string()),
            ArchiveError::Cancelled => Self::Cancelled,
            ArchiveError::File { doing: _, path: _, source } | ArchiveError::Stream(source) => {
                Self::io("write it")(source)
            }
        }
    }
}
