//! Why a program is not staged.

use std::io;
use std::path::PathBuf;

use protocol::ErrorCode;
use semver::Version;

use crate::upgrades::release::SignedError;

/// Why a program is not staged. Each says what a person can do, where there is something.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// It is not above what runs.
    #[error(
        "version {offered} is not newer than {current}, which runs: going back is not offered, because an older program \
         may not read what a newer one has written"
    )]
    NotNewer {
        /// The running version.
        current: Version,
        /// What was offered.
        offered: Version,
    },
    /// It is not even a version.
    #[error("{0:?} is no version, such as 1.2.3")]
    NoVersion(String),
    /// The last one is still being tried.
    #[error("an upgrade is on trial: wait until it is over")]
    OnTrial,
    /// The disk is full, or nearly.
    #[error(
        "there is no room for it: {free} MiB are free, {needed} MiB are needed. Make room, then try again"
    )]
    NoRoom {
        /// MiB.
        free: u64,
        /// MiB.
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
    /// No release key: a build from a checkout takes what its own administrator puts in place, and nothing else.
    #[error(
        "this program knows no key of releases (it was built from a checkout), so it takes no program from a panel: on this \
         machine run the installer again"
    )]
    NoKey,
    /// The release's key does not say that this program is one of ours.
    #[error("the program is not taken: {0}")]
    NotSigned(#[from] SignedError),
    /// What came is not what was to come.
    #[error("what came is not what was to come (its SHA-256 is another): it is thrown away")]
    OtherBytes,
    /// It does not run, or says that it is another version.
    #[error("the new program does not run here: {0}")]
    DoesNotRun(String),
    /// The connection that it was to come by.
    #[error("the program did not come: {0}")]
    Link(String),
}

impl StageError {
    /// For `map_err`; a full disk is told as such.
    pub fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::File { doing, path, source },
        }
    }

    /// For the panel's programs.
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
