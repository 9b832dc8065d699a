//! The reason for a server's status, as a sentence and as a code for translation.

use protocol::{ServerStatus, Status};
use serde::Serialize;
use utoipa::ToSchema;

/// The panel's own sentences. What they name stands in the server beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StatusCode)]
pub enum StatusCode {
    /// It is being deleted.
    Deleting,
    /// The same, once its node is back.
    DeletingOffline,
    /// Its node is offline.
    NodeOffline,
    /// Its node has lost it.
    Lost,
    /// The container engine of its node does not answer.
    EngineAway,
    /// Its node has not told about it yet.
    NotTold,
    /// It could not be installed; those who may configure it are told more.
    InstallFailed,
    /// It ran out of memory.
    OutOfMemory,
    /// It ended with `exitCode`.
    Exited,
    /// Something went wrong on its node; those who may configure it are told more.
    NodeProblem,
}

/// A sentence, and its code if it is one of the panel's own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) code: Option<StatusCode>,
    pub(super) text: String,
}

impl Reason {
    pub(super) fn of(code: StatusCode, text: impl Into<String>) -> Self {
        Self { code: Some(code), text: text.into() }
    }

    /// A sentence of a node or an engine.
    fn told(text: String) -> Self {
        Self { code: None, text }
    }
}

/// The reason for a status reported by a node. `configures`: whether it is for a user who may configure the server.
pub(super) fn reason_of(told: &ServerStatus, configures: bool) -> Option<Reason> {
    let own = match configures {
        true => told.error.clone().map(Reason::told),
        false => general_reason(told),
    };
    own.or_else(|| match &told.status {
        Status::Other(word) => Some(Reason::told(format!("Its node calls this \"{word}\"."))),
        Status::Unknown => {
            let text = "The container engine of its node does not answer.";
            Some(Reason::of(StatusCode::EngineAway, text))
        }
        _ => None,
    })
}

/// The reason for a status as shown to users who may not configure the server: messages of an engine may contain
/// addresses of the node and the startup line.
fn general_reason(told: &ServerStatus) -> Option<Reason> {
    told.error.as_ref()?;
    Some(match (&told.status, told.exit_code) {
        (Status::InstallFailed, _) => Reason::of(
            StatusCode::InstallFailed,
            "It could not be installed. Those who may configure it see why.",
        ),
        (_, Some(_)) if told.oom_killed => Reason::of(StatusCode::OutOfMemory, "It ran out of memory."),
        (_, Some(code)) => Reason::of(StatusCode::Exited, format!("It ended with code {code}.")),
        (_, None) => Reason::of(
            StatusCode::NodeProblem,
            "Something went wrong on its node. Those who may configure it see what.",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engines_words_are_for_those_who_configure() {
        let mut told = ServerStatus::new("a", Status::InstallFailed);
        assert_eq!(general_reason(&told), None);
        for (status, code, oom) in [
            (Status::InstallFailed, None, false),
            (Status::Crashed, None, false),
            (Status::Crashed, Some(1), false),
            (Status::Crashed, Some(137), true),
            (Status::Stopped, Some(143), false),
        ] {
            told.status = status;
            (told.exit_code, told.oom_killed) = (code, oom);
            told.error = Some("dial tcp 10.0.0.5:5000: connect: connection refused".into());
            let said = general_reason(&told).unwrap().text;
            assert!(!said.contains("10.0.0.5"), "{said}");
            assert_eq!(said.contains("code"), code.is_some() && !oom, "{said}");
        }
    }
}
