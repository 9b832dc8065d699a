//! What a client is told where something cannot be done.

use sftp::{Reply, StatusCode};

use crate::fs::FileError;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    code: StatusCode,
    sentence: String,
}

impl Refused {
    pub(super) fn new(code: StatusCode, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }

    /// A handle that is not there.
    pub(super) fn handle() -> Self {
        Self::new(StatusCode::Failure, "There is no such handle.")
    }

    pub(super) fn into_reply(self) -> Reply {
        Reply::status(self.code, self.sentence)
    }
}

impl From<FileError> for Refused {
    fn from(error: FileError) -> Self {
        let code = match error {
            FileError::NotFound => StatusCode::NoSuchFile,
            FileError::Denied | FileError::Escape | FileError::Kept(_) => StatusCode::PermissionDenied,
            _ => StatusCode::Failure,
        };
        Self::new(code, error.sentence())
    }
}
