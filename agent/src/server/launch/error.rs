//! Why a game was not started.

use crate::runtime::{EngineError, Fault};

/// Why a game was not started.
#[derive(Debug)]
pub(crate) enum LaunchError {
    /// It was stopped before it ran.
    Cancelled,
    /// The image is not available.
    Fetch(String),
    /// A permanent failure: a retry would fail as well.
    Failed { message: String, exit_code: Option<i64> },
    /// The connection to the engine was lost.
    Away(EngineError),
}

impl From<EngineError> for LaunchError {
    fn from(error: EngineError) -> Self {
        match error.fault {
            Fault::Away => Self::Away(error),
            Fault::DiskFull => {
                Self::Failed { message: format!("The disk is full: {}", error.message), exit_code: None }
            }
            _ => Self::Failed { message: error.message, exit_code: None },
        }
    }
}

pub(super) fn failed(message: impl Into<String>) -> LaunchError {
    LaunchError::Failed { message: message.into(), exit_code: None }
}
