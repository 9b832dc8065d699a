//! Why a database cannot be opened: which file, what is wrong, and what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a database was not opened. Except for [`OpenError::MigrationFailed`], the file is unchanged.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process is using the data folder.
    #[error(
        "{} is in use by another process{}: stop that one first, or give this one another data folder",
        path.display(),
        pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    AlreadyOpen {
        /// The database.
        path: PathBuf,
        /// Id of the other process, if known.
        pid: Option<u32>,
    },
    /// A newer version of the program wrote the file.
    #[error(
        "{} follows schema {file}, and this version knows schemas up to {known}: \
         start the newer version that wrote it, or put back the copy from before the upgrade",
        path.display()
    )]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// The schema of the file.
        file: u32,
        /// The newest schema that this program knows.
        known: u32,
    },
    /// The folder was in use before, and the database is gone.
    #[error(
        "{} is missing, although {} says that there was one: put back a copy of it \
         (the folder copies beside it has one of each day: ctrl-alt-play db restore FILE); only for a fresh start without any accounts and servers, delete the latter",
        path.display(), marker.display()
    )]
    Missing {
        /// The database.
        path: PathBuf,
        /// The marker file that says there was one.
        marker: PathBuf,
    },
    /// The file is empty.
    #[error(
        "{} is empty: put back a copy of it \
         (the folder copies beside it has one of each day: ctrl-alt-play db restore FILE); only for a fresh start without any accounts and servers, \
         delete it together with instance.json",
        path.display()
    )]
    Empty {
        /// The database.
        path: PathBuf,
    },
    /// The file is not a database of this program.
    #[error("{} is not a database of this program ({reason}): put back a copy of the right file", path.display())]
    NotADatabase {
        /// The database.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The end of the file is missing.
    #[error("{} was cut short ({reason}): put back a copy of the whole file", path.display())]
    Truncated {
        /// The database.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The file is damaged.
    #[error(
        "{} is damaged ({reason}): check the disk, keep this file aside and put back a copy from before \
         (the folder copies beside it has one of each day: ctrl-alt-play db restore FILE)",
        path.display()
    )]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The file has a format that this program's database library no longer supports.
    #[error("{} has the old file format {version}: open it once with the version that wrote it", path.display())]
    OldFormat {
        /// The database.
        path: PathBuf,
        /// The format's number.
        version: u8,
    },
    /// The file is read-only.
    #[error("{} is read-only: make it writable for the user that runs this (chmod 600)", path.display())]
    ReadOnlyFile {
        /// The database.
        path: PathBuf,
    },
    /// Another user owns the file and could change it.
    #[error(
        "{} belongs to the user with the id {owner}, and this runs as {ours}: \
         make it this user's (chown), or run as that one",
        path.display()
    )]
    WrongOwner {
        /// The database.
        path: PathBuf,
        /// The user id that owns the file.
        owner: u32,
        /// The user id of this process.
        ours: u32,
    },
    /// Access was denied by the system.
    #[error(
        "{doing} {}: {source}: make it writable for the user that runs this (chown, chmod, mount)",
        path.display()
    )]
    Permission {
        /// What was attempted.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// There was no disk space to open it.
    #[error("{doing} {}: the disk is full: free some space", path.display())]
    DiskFull {
        /// What was attempted.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
    },
    /// The disk reported an error.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A migration failed. The file still has its old schema, and was copied before.
    #[error("bringing {} from schema {from} to {to} failed: {reason}; a copy is at {}", path.display(), copy.display())]
    MigrationFailed {
        /// The database.
        path: PathBuf,
        /// The schema of the file.
        from: u32,
        /// The schema of the failed migration.
        to: u32,
        /// What went wrong.
        reason: String,
        /// The path of the copy.
        copy: PathBuf,
    },
}

impl OpenError {
    /// The exit code for scripts and service managers, as in `sysexits.h`.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Missing { .. }
            | Self::Empty { .. }
            | Self::NotADatabase { .. }
            | Self::Truncated { .. }
            | Self::Corrupt { .. }
            | Self::OldFormat { .. } => 65,
            Self::MigrationFailed { .. } => 70,
            Self::DiskFull { .. } | Self::Io { .. } => 74,
            Self::AlreadyOpen { .. } => 75,
            Self::ReadOnlyFile { .. } | Self::WrongOwner { .. } | Self::Permission { .. } => 77,
            Self::NewerSchema { .. } => 78,
        }
    }

    /// Maps a system error to what the operator has to do about it.
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let path = path.to_owned();
        match source.kind() {
            PermissionDenied | ReadOnlyFilesystem => {
                Self::Permission { doing, path, source: Arc::new(source) }
            }
            StorageFull | QuotaExceeded => Self::DiskFull { doing, path },
            _ => Self::Io { doing, path, source: Arc::new(source) },
        }
    }
}
