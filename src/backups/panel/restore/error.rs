//! Why a panel was not restored.

use std::io;
use std::path::{Path, PathBuf};

use agent::backups::worker::FailureCode;
use storage::OpenError;

/// Why a panel was not restored. The data folder is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// What was named as the place of the backups is none.
    #[error("{0}")]
    Source(String),
    /// The backups could not be read.
    #[error("{message}")]
    Repository {
        /// For programs.
        code: FailureCode,
        /// One sentence.
        message: String,
    },
    /// An SFTP server whose key nobody has confirmed.
    #[error(
        "the SFTP server has the host key {host_key}: compare it with the server's own, and give it as the host key"
    )]
    UnknownServer {
        /// The key, as `SHA256:…`.
        host_key: String,
    },
    /// There is no such panel backup.
    #[error("{0}")]
    NotFound(String),
    /// There is a panel in the data folder.
    #[error(
        "{} is there already: name another data folder (--data-dir), or say --replace, which keeps what is there beside it",
        database.display()
    )]
    Occupied {
        /// The database.
        database: PathBuf,
    },
    /// What was restored is no panel.
    #[error("the panel backup is damaged, or was made by a newer version: {0}")]
    Damaged(String),
    /// The database could not be checked, or a panel is using the folder.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file operation failed.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A server's files could not be fetched, for a reason that is not in its backup.
    #[error(
        "the files of {server} were not restored: {}. Nothing has changed: try again, or restore without the servers' files",
        source.to_string().trim_end_matches('.')
    )]
    Server {
        /// What people call the server.
        server: String,
        /// Why not.
        source: Box<RestoreError>,
    },
    /// It was broken off.
    #[error("it was broken off; nothing has changed")]
    BrokenOff,
}

impl RestoreError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }

    /// Whether a server's backup is what is wrong, so that the others can be restored without it. A full disk or a place that
    /// went away is the next one's trouble too.
    pub(super) fn is_of_one_backup(&self) -> bool {
        match self {
            Self::NotFound(_) | Self::Damaged(_) => true,
            Self::Repository { code, .. } => {
                matches!(code, FailureCode::NotFound | FailureCode::Damaged | FailureCode::Failed)
            }
            _ => false,
        }
    }

    /// The exit code of the command.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Source(_) | Self::UnknownServer { .. } => 64,
            Self::NotFound(_) => 66,
            Self::Repository { code: FailureCode::Unreachable, .. } => 69,
            Self::Repository { code: FailureCode::Denied, .. } => 77,
            Self::Repository { code: FailureCode::DiskFull, .. } => 74,
            Self::Repository { .. } | Self::Damaged(_) => 65,
            Self::Occupied { .. } => 73,
            Self::Open(error) => error.exit_code(),
            Self::Io { .. } => 74,
            Self::Server { source, .. } => source.exit_code(),
            Self::BrokenOff => 130,
        }
    }
}
