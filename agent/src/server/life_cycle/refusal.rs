//! Why a request is refused.

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
    /// The API's code and a sentence for a person.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::AlreadyStarting => ("already_starting", "The server is already starting."),
            Self::AlreadyRunning => ("already_running", "The server is already running."),
            Self::AlreadyStopping => ("already_stopping", "The server is already stopping."),
            Self::NotRunning => ("not_running", "The server is not running."),
            Self::Installing => ("installing", "The server is still being installed."),
            Self::NotInstalling => ("not_installing", "The server is not being installed."),
            Self::Suspended => ("suspended", "The server is suspended."),
            Self::EngineUnavailable => {
                ("engine_unavailable", "The container engine of this node does not answer.")
            }
            Self::NotFound => ("not_found", "There is no such server."),
            Self::Busy => ("busy", "The server is busy. Try again."),
            Self::Paused => ("paused", "The server is paused. Resume it first."),
            Self::NotPaused => ("not_paused", "The server is not paused."),
        }
    }
}
