//! Errors of transfers, as reported to the panel.

use protocol::{ErrorCode, ErrorReport, ServerId};

use crate::fs::archive::ArchiveError;

/// The error report for the panel.
pub(super) fn report(error: &ArchiveError, server_id: &ServerId) -> ErrorReport {
    let code = match error {
        full if full.is_disk_full() => ErrorCode::DiskFull,
        ArchiveError::Refused(_)
        | ArchiveError::TooLarge(_)
        | ArchiveError::Broken(_)
        | ArchiveError::Cancelled => ErrorCode::Invalid,
        ArchiveError::Stream(_) => ErrorCode::BrokenOff,
        ArchiveError::File { .. } | ArchiveError::NoRoom => ErrorCode::File,
    };
    ErrorReport { code, message: error.to_string(), details: None, server_id: Some(server_id.to_owned()) }
}
