//! Why a server's data did not get from here to there.

use std::io;

use protocol::{ErrorCode, ErrorReport};

use crate::fs::{Stopped, shown};

/// Why a server's data did not get from here to there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
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
    /// The connection, or the other end.
    #[error("{0}")]
    Link(io::Error),
}

impl TransferError {
    pub(crate) fn file(doing: &'static str, path: &[u8]) -> impl FnOnce(rustix::io::Errno) -> Self {
        let path = shown(path);
        move |errno| match errno {
            rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT => Self::NoRoom,
            errno => Self::File { doing, path, source: errno.into() },
        }
    }

    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }

    /// As the panel is told.
    pub(crate) fn report(&self, server_id: &str) -> ErrorReport {
        let full = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        };
        let code = match self {
            Self::NoRoom => ErrorCode::DiskFull,
            Self::File { source, .. } if full(source) => ErrorCode::DiskFull,
            Self::Refused(_) => ErrorCode::Invalid,
            Self::File { .. } => ErrorCode::File,
            Self::Link(_) => ErrorCode::BrokenOff,
        };
        ErrorReport { code, message: self.to_string(), details: None, server_id: Some(server_id.to_owned()) }
    }
}

impl From<Stopped> for TransferError {
    fn from(_: Stopped) -> Self {
        Self::refused("it was called off")
    }
}
