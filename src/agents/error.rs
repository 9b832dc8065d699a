//! Errors of requests to agents, and how the API reports them.

use std::time::Duration;

use protocol::{ErrorCode, ErrorReport};

use crate::error::{ApiError, Code};

/// Why a request to an agent failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// The node is not connected, or disconnected before it answered.
    #[error("the node is offline")]
    Offline,
    /// No answer within this time.
    #[error("the node did not answer within {0:?}")]
    Timeout(Duration),
    /// Too many requests are waiting for the agent.
    #[error("the node has too much to do")]
    Busy,
    /// The agent refused the request or failed.
    #[error("the node refused: {} ({})", .0.message, .0.code)]
    Refused(Box<ErrorReport>),
    /// The agent sent an answer of the wrong type.
    #[error("the node gave an answer that does not fit the question")]
    Unfitting,
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Offline => Self::new(Code::NodeOffline, "The node of this server is offline."),
            RequestError::Timeout(after) => {
                Self::new(Code::NodeTimeout, format!("The node did not answer within {} s.", after.as_secs()))
            }
            RequestError::Busy => {
                Self::new(Code::Busy, "The node has too much to do. Try again.").retry_after(1)
            }
            RequestError::Refused(report) => refusal(&report),
            RequestError::Unfitting => Self::internal("asking a node", &error),
        }
    }
}

/// Most error codes of agents have an equivalent in the API. The others are faults of the agent and are logged.
fn refusal(report: &ErrorReport) -> ApiError {
    let code = match report.code {
        ErrorCode::AlreadyStarting => Code::AlreadyStarting,
        ErrorCode::AlreadyRunning => Code::AlreadyRunning,
        ErrorCode::AlreadyStopping => Code::AlreadyStopping,
        ErrorCode::NotRunning => Code::NotRunning,
        ErrorCode::Installing => Code::Installing,
        ErrorCode::Suspended => Code::Suspended,
        ErrorCode::Paused => Code::Paused,
        ErrorCode::NotPaused => Code::NotPaused,
        ErrorCode::NotFound => Code::NotFound,
        ErrorCode::PortInUse => Code::PortInUse,
        ErrorCode::EngineUnavailable => Code::EngineUnavailable,
        ErrorCode::Invalid => Code::Invalid,
        ErrorCode::DiskFull => Code::DiskFull,
        ErrorCode::Busy => Code::Busy,
        ErrorCode::FileTooLarge => Code::TooLarge,
        ErrorCode::PathEscape => Code::PathEscape,
        ErrorCode::Forbidden => Code::Forbidden,
        ErrorCode::NotRegular => Code::NotRegular,
        ErrorCode::Changed => Code::PreconditionFailed,
        ErrorCode::Exists => Code::Exists,
        ErrorCode::ArchiveTooLarge => Code::ArchiveTooLarge,
        ErrorCode::BadArchive => Code::BadArchive,
        ErrorCode::OverQuota => Code::OverQuota,
        // Some of these have no API code of their own.
        ErrorCode::Conflict
        | ErrorCode::NotInstalling
        | ErrorCode::NotSupported
        | ErrorCode::NotText
        | ErrorCode::AgentFailed => Code::Conflict,
        ErrorCode::File
        | ErrorCode::BrokenOff
        | ErrorCode::UnknownType
        | ErrorCode::BadMessage
        | ErrorCode::HandlerError
        | ErrorCode::Other(_) => {
            let fault = RequestError::Refused(Box::new(report.clone()));
            return ApiError::internal("a request to a node", &fault);
        }
    };
    ApiError::new(code, report.message.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_codes_stay_in_the_log() {
        let error = |code: ErrorCode, message: &str| {
            let report = ErrorReport { code, message: message.into(), ..Default::default() };
            ApiError::from(RequestError::Refused(Box::new(report)))
        };
        let unknown = error("PANIC".into(), "/root/x");
        assert!(unknown.code() == Code::Internal && !unknown.message().contains("/root"));
        assert_eq!(error(ErrorCode::AlreadyRunning, "").code(), Code::AlreadyRunning);
        let failed = error(ErrorCode::AgentFailed, "It has no such image.");
        assert_eq!((failed.code(), failed.message()), (Code::Conflict, "It has no such image."));
    }
}
