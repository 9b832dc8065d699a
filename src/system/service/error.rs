//! Errors of installing and removing a service.

use std::io;
use std::path::PathBuf;

/// What went wrong and what to do next. Users of the command see nothing else.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The command changes the system and requires root.
    #[error("this needs root: run it as root or with sudo; nothing was changed")]
    NotRoot,
    /// Not possible here. The text says why and what to do.
    #[error("{0}")]
    Refused(String),
    /// A file operation failed.
    #[error("{} could not be {doing} ({source}){}; then run this again", path.display(), advice(source))]
    File {
        /// What was attempted, as a participle.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A system program failed.
    #[error("{doing} failed, `{command}` said: {said}; correct that, then run this again")]
    Command {
        /// What was attempted.
        doing: String,
        /// The command line.
        command: String,
        /// The end of its output.
        said: String,
    },
}

impl ServiceError {
    /// Returns a closure for [`Result::map_err`].
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
