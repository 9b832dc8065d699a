//! Why a request is refused.

use protocol::ErrorCode;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    AlreadyStarting,
    AlreadyRunning,
    AlreadyStopping,
    NotRunning,
    Installing,
    NotInstalling,
    Suspended,
    EngineUnavailable,
    NotFound,
    Busy,
    Paused,
    NotPaused,
}

impl Refusal {
    /// The API's error code and a message for users.
    pub(crate) fn words(self) -> (ErrorCode, &'static str) {
        match self {
            Self::AlreadyStarting => (ErrorCode::AlreadyStarting, "The server is already starting."),
            Self::AlreadyRunning => (ErrorCode::AlreadyRunning, "The server is already running."),
            Self::AlreadyStopping => (ErrorCode::AlreadyStopping, "The server is already stopping."),
            Self::NotRunning => (ErrorCode::NotRunning, "The server is not running."),
            Self::Installing => (ErrorCode::Installing, "The server is still being installed."),
            Self::NotInstalling => (ErrorCode::NotInstalling, "The server is not being installed."),
            Self::Suspended => (ErrorCode::Suspended, "The server is suspended."),
            Self::EngineUnavailable => {
                (ErrorCode::EngineUnavailable, "The container engine of this node does not answer.")
            }
            Self::NotFound => (ErrorCode::NotFound, "There is no such server."),
            Self::Busy => (ErrorCode::Busy, "The server is busy. Try again."),
            Self::Paused => (ErrorCode::Paused, "The server is paused. Resume it first."),
            Self::NotPaused => (ErrorCode::NotPaused, "The server is not paused."),
        }
    }
}
