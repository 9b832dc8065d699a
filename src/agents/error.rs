//! Why a request to an agent has no answer, and what the API says of it.

use std::time::Duration;

use protocol::{ErrorCode, ErrorReport};

use crate::error::{ApiError, Code};

/// Why a request to an agent has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// The node is not connected, or went away before it answered.
    #[error("the node is offline")]
    Offline,
    /// No answer in time.
    #[error("the node did not answer within {0:?}")]
    Timeout(Duration),
    /// The agent takes no more at present.
    #[error("the node has too much to do")]
    Busy,
    /// The agent refused or failed.
    #[error("the node refused: {} ({})", .0.message, .0.code)]
    Refused(Box<ErrorReport>),
    /// The answer was of another kind than the question.
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

/// Most of the agent's codes for refusals are the API's; what is none of them is a fault of the agent, and goes to the log.
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
        ErrorCode::NotRegular => Code::NotRegular,
        ErrorCode::Changed => Code::PreconditionFailed,
        ErrorCode::Exists => Code::Exists,
        ErrorCode::ArchiveTooLarge => Code::ArchiveTooLarge,
        ErrorCode::BadArchive => Code::BadArchive,
        ErrorCode::OverQuota => Code::OverQuota,
        // For some of these the API has no code of its own.
        ErrorCode::Conflict
        | ErrorCode::NotInstalling
        | ErrorCode::NotSupported
        | ErrorCode::NotText
        | ErrorCode::AgentFailed => Code::Conflict,
        ErrorCode::Forbidden
        | ErrorCode::File
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
