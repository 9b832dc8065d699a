//! Why something could not be done with a server's files.

use std::io;

use protocol::ErrorCode;
use rustix::io::Errno;

use super::walk::Stopped;

/// Why something could not be done with a server's files.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("the path {0}")]
    BadPath(&'static str),
    #[error("the path leads out of the server's folder")]
    Escape,
    #[error("the server id is not one")]
    BadServer,
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
    /// The caller may not access it.
    #[error("{0}")]
    Kept(&'static str),
    #[error("something has this name already")]
    Exists,
    #[error("the file has changed meanwhile")]
    Changed,
    #[error("{0}")]
    Conflict(&'static str),
    #[error("another file system is mounted there: it can only be removed for good")]
    OtherFileSystem,
    #[error("the node is busy with other files: try again")]
    Busy,
    #[error("the connection ended before everything was there")]
    BrokenOff,
    #[error("it was called off")]
    Cancelled,
    #[error("{0}")]
    OverQuota(String),
    #[error("{0}")]
    ArchiveTooLarge(String),
    #[error("{0}")]
    BadArchive(String),
    #[error("this agent cannot do that")]
    NotSupported,
    #[error("could not {0}: {1}")]
    Io(&'static str, io::Error),
}

impl FileError {
    /// The code for the panel.
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::BadPath(_) | Self::BadServer => ErrorCode::Invalid,
            Self::Escape => ErrorCode::PathEscape,
            Self::NotFound => ErrorCode::NotFound,
            Self::NotRegular(_) => ErrorCode::NotRegular,
            Self::TooLarge => ErrorCode::FileTooLarge,
            Self::NotText => ErrorCode::NotText,
            Self::DiskFull => ErrorCode::DiskFull,
            Self::ConcurrentChange | Self::Busy | Self::Io(..) => ErrorCode::Busy,
            Self::Denied | Self::Kept(_) => ErrorCode::Forbidden,
            Self::Exists => ErrorCode::Exists,
            Self::Changed => ErrorCode::Changed,
            Self::Conflict(_) | Self::OtherFileSystem | Self::Cancelled => ErrorCode::Conflict,
            Self::BrokenOff => ErrorCode::BrokenOff,
            Self::OverQuota(_) => ErrorCode::OverQuota,
            Self::ArchiveTooLarge(_) => ErrorCode::ArchiveTooLarge,
            Self::BadArchive(_) => ErrorCode::BadArchive,
            Self::NotSupported => ErrorCode::NotSupported,
        }
    }

    /// What a person is told.
    pub(crate) fn sentence(&self) -> String {
        let text = self.to_string();
        let mut letters = text.chars();
        let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        let end = if text.ends_with('.') { "" } else { "." };
        format!("{first}{}{end}", letters.as_str())
    }

    /// What an error of reading or writing means.
    pub(crate) fn io(action: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| match Errno::from_io_error(&error) {
            Some(errno) => meaning(action)(errno),
            None => Self::Io(action, error),
        }
    }
}

impl From<Stopped> for FileError {
    fn from(Stopped: Stopped) -> Self {
        Self::Cancelled
    }
}

/// What the kernel's word means for the one who asked.
pub(crate) fn meaning(action: &'static str) -> impl Fn(Errno) -> FileError {
    move |errno| match errno {
        Errno::XDEV | Errno::LOOP => FileError::Escape,
        Errno::NOENT => FileError::NotFound,
        Errno::EXIST | Errno::NOTEMPTY => FileError::Exists,
        Errno::NOTDIR => FileError::BadPath("goes through something that is no folder"),
        Errno::NAMETOOLONG => FileError::BadPath("is too long"),
        Errno::INVAL | Errno::ILSEQ => FileError::BadPath("is none"),
        Errno::ISDIR => FileError::NotRegular("a folder"),
        Errno::NXIO | Errno::NODEV | Errno::OPNOTSUPP => FileError::NotRegular("a socket or a device"),
        Errno::NOSPC | Errno::DQUOT => FileError::DiskFull,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => FileError::Denied,
        other => FileError::Io(action, io::Error::from(other)),
    }
}
