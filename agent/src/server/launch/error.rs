//! Why a game was not started.

use crate::runtime::{EngineError, Fault};

/// Why a game was not started.
#[derive(Debug)]
pub(crate) enum LaunchError {
    /// Somebody stopped it before it ran.
    Cancelled,
    /// Its image cannot be had.
    Fetch(String),
    /// It will not work the next time either.
    Failed { message: String, exit_code: Option<i64> },
    /// The engine went away meanwhile.
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
