//! Why a request to an agent has no answer, and what the API says of it.

use std::time::Duration;

use protocol::ErrorReport;

use crate::error::{ApiError, Code};

/// The code of a refusal whose message is for people already: cleaned, and with nothing of the agent's inside.
pub(super) const AGENT_FAILED: &str = "agent_failed";

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

/// The agent's codes for refusals are the API's; everything else is a fault of the agent, and goes to the log.
fn refusal(report: &ErrorReport) -> ApiError {
    const SHARED: &[Code] = &[
        Code::AlreadyStarting,
        Code::AlreadyRunning,
        Code::AlreadyStopping,
        Code::NotRunning,
        Code::Installing,
        Code::Suspended,
        Code::Paused,
        Code::NotPaused,
        Code::NotFound,
        Code::Conflict,
        Code::PortInUse,
        Code::EngineUnavailable,
        Code::Invalid,
        Code::DiskFull,
        Code::Busy,
    ];
    // The cancel of a pull that does not run: the API has no code of its own for it.
    let code = if report.code == "not_installing" { Code::Conflict.as_str() } else { report.code.as_str() };
    match report.code.as_str() {
        AGENT_FAILED | "not_supported" | "path_escape" | "not_regular" | "not_text" => {
            return ApiError::new(Code::Conflict, report.message.clone());
        }
        "FILE_TOO_LARGE" => return ApiError::new(Code::TooLarge, report.message.clone()),
        _ => {}
    }
    match SHARED.iter().find(|shared| shared.as_str() == code) {
        Some(code) => ApiError::new(*code, report.message.clone()),
        None => ApiError::internal("a request to a node", &RequestError::Refused(Box::new(report.clone()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_codes_stay_in_the_log() {
        let error = |code: &str, message: &str| {
            let report = ErrorReport { code: code.into(), message: message.into(), ..Default::default() };
            ApiError::from(RequestError::Refused(Box::new(report)))
        };
        let unknown = error("PANIC", "/root/x");
        assert!(unknown.code() == Code::Internal && !unknown.message().contains("/root"));
        assert_eq!(error("already_running", "").code(), Code::AlreadyRunning);
        let failed = error(AGENT_FAILED, "It has no such image.");
        assert_eq!((failed.code(), failed.message()), (Code::Conflict, "It has no such image."));
    }
}
