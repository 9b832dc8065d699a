//! Why a service could not be installed or removed.

use std::io;
use std::path::PathBuf;

/// What went wrong, and what to do next: whoever runs the command reads nothing else.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The command changes the system.
    #[error("this needs root: run it as root or with sudo; nothing was changed")]
    NotRoot,
    /// It cannot go well here. The text says why and what to do.
    #[error("{0}")]
    Refused(String),
    /// A file or folder.
    #[error("{} could not be {doing} ({source}){}; then run this again", path.display(), advice(source))]
    File {
        /// What was attempted, as a participle.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program of the system.
    #[error("{doing} failed, `{command}` said: {said}; correct that, then run this again")]
    Command {
        /// What was attempted.
        doing: String,
        /// The command line.
        command: String,
        /// Its last words.
        said: String,
    },
}

impl ServiceError {
    /// For [`Result::map_err`].
    pub(super) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}

fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ": make room",
        io::ErrorKind::ReadOnlyFilesystem => ": it is read-only, --prefix or --data-dir names another place",
        _ => ": look at that",
    }
}
