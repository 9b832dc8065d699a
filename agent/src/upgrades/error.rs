//! Errors of staging a program.

use std::io;
use std::path::PathBuf;

use protocol::ErrorCode;
use semver::Version;

use crate::upgrades::release::SignedError;

/// Why a program was not staged. Messages say what the user can do, if anything.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// It is not newer than the running version.
    #[error(
        "version {offered} is not newer than {current}, which runs: going back is not offered, because an older program \
         may not read what a newer one has written"
    )]
    NotNewer {
        /// The running version.
        current: Version,
        /// The offered version.
        offered: Version,
    },
    /// It is not a valid version.
    #[error("{0:?} is no version, such as 1.2.3")]
    NoVersion(String),
    /// The previous upgrade is still being verified.
    #[error("an upgrade is on trial: wait until it is over")]
    OnTrial,
    /// There is not enough disk space.
    #[error(
        "there is no room for it: {free} MiB are free, {needed} MiB are needed. Make room, then try again"
    )]
    NoRoom {
        /// Free space in MiB.
        free: u64,
        /// Needed space in MiB.
        needed: u64,
    },
    /// The disk became full.
    #[error("the disk is full. Make room, then try again")]
    DiskFull,
    /// A file could not be read or written.
    #[error("{doing} {}: {source}", path.display())]
    File {
        /// What was attempted.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The program has no release key: a build from a checkout only accepts programs installed by its administrator.
    #[error(
        "this program knows no key of releases (it was built from a checkout), so it takes no program from a panel: on this \
         machine run the installer again"
    )]
    NoKey,
    /// The program is not signed with the release key.
    #[error("the program is not taken: {0}")]
    NotSigned(#[from] SignedError),
    /// The received bytes do not have the expected hash.
    #[error("what came is not what was to come (its SHA-256 is another): it is thrown away")]
    OtherBytes,
    /// It does not run, or reports another version.
    #[error("the new program does not run here: {0}")]
    DoesNotRun(String),
    /// The connection for receiving it failed.
    #[error("the program did not come: {0}")]
    Link(String),
}

impl StageError {
    /// For `map_err`; a full disk becomes [`StageError::DiskFull`].
    pub fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::File { doing, path, source },
        }
    }

    /// The protocol's error code.
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::NoRoom { .. } | Self::DiskFull => ErrorCode::DiskFull,
            Self::NotNewer { .. } | Self::OnTrial => ErrorCode::Conflict,
            Self::NoVersion(_) | Self::OtherBytes | Self::DoesNotRun(_) | Self::NotSigned(_) => {
                ErrorCode::Invalid
            }
            Self::NoKey => ErrorCode::NotSupported,
            Self::File { .. } => ErrorCode::File,
            Self::Link(_) => ErrorCode::BrokenOff,
        }
    }
}
