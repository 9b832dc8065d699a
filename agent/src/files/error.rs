//! Why a file was not read or written.

use protocol::ErrorCode;

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("the path {0}")]
    BadPath(&'static str),
    #[error("the path leads out of the server's folder")]
    Escape,
    #[error("there is no such file or folder")]
    NotFound,
    #[error("that is {0}, not a plain file")]
    NotRegular(&'static str),
    #[error("the file has more than 4 MiB: it is too large to edit")]
    TooLarge,
    #[error("the file is no text in UTF-8")]
    NotText,
    #[error("the disk is full")]
    DiskFull,
    #[error("the folder changes too fast: try again")]
    ConcurrentChange,
    #[error("the agent may not do that there")]
    Denied,
    #[error("could not {0}: {1}")]
    Io(&'static str, std::io::Error),
}

impl FileError {
    /// The code for the panel.
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::BadPath(_) => ErrorCode::Invalid,
            Self::Escape => ErrorCode::PathEscape,
            Self::NotFound => ErrorCode::NotFound,
            Self::NotRegular(_) => ErrorCode::NotRegular,
            Self::TooLarge => ErrorCode::FileTooLarge,
            Self::NotText => ErrorCode::NotText,
            Self::DiskFull => ErrorCode::DiskFull,
            Self::ConcurrentChange | Self::Io(..) => ErrorCode::Busy,
            Self::Denied => ErrorCode::Forbidden,
        }
    }

    pub(super) fn sentence(&self) -> String {
        let text = self.to_string();
        let mut letters = text.chars();
        let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        format!("{first}{}.", letters.as_str())
    }
}
