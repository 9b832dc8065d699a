//! What a message of such an agent means for a request under way.

use protocol::commands::Response;
use protocol::{
    Ack, Envelope, ErrorCode, ErrorReport, FileContent, ServerId, ServerStatus, Status, SystemInfo, ToPanel,
};
use serde_json::{Value, json};

use super::node::is_limited;
use super::requests::Completion;
use crate::agents::error::RequestError;
use crate::agents::session::Outcome;

/// What a message means for a request.
pub(super) enum RequestProgress {
    Nothing,
    OnTheWay(Status),
    /// An answer for the caller; the agent is still at it.
    Accepted(Status),
    /// The answer, and the end.
    Answer(ToPanel),
}

/// What a response says of its server that no other message will say.
pub(super) enum StateReport {
    /// Its state.
    Is(Box<ServerStatus>),
    /// A kill that counted as accepted has failed, for this reason.
    KillFailed { server_id: ServerId, reason: String },
    /// The agent has no container for it.
    Missing(ServerId),
}

/// What the answers to a request depend on.
pub(super) struct Question<'r> {
    pub(super) server_id: Option<&'r ServerId>,
    pub(super) completion: Completion,
    /// The caller has an answer already.
    pub(super) accepted: bool,
}

/// A status is all the answer that there is.
pub(super) fn answer(status: Status) -> ToPanel {
    ToPanel::Ack(Ack { status: Some(status) })
}

/// A failure in the agent's own words.
pub(super) fn failed(message: String) -> ErrorReport {
    ErrorReport { code: ErrorCode::HandlerError, message, ..ErrorReport::default() }
}

/// The answer as callers know it: the words of engine and agent are cleaned and cut.
pub(super) fn outcome(answer: ToPanel) -> Outcome {
    match answer {
        ToPanel::Error(report) => Err(refused(report)),
        other => Ok(other),
    }
}

/// The same of an error.
pub(super) fn refused(mut report: ErrorReport) -> RequestError {
    if report.code == ErrorCode::HandlerError {
        report.code = ErrorCode::AgentFailed;
        report.message = format!("The agent of this node could not do it: {}", brief(&report.message));
    }
    RequestError::Refused(Box::new(report))
}

/// The agent's own words for a person: one line of at most 300 characters.
pub(super) fn brief(words: &str) -> String {
    let most = words.chars().take(300).map(|c| if c.is_control() { ' ' } else { c });
    let line = most.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().nth(300).is_some() { line + "…" } else { line }
}

/// What a message that is no error means.
pub(super) fn progress(message: &ToPanel, question: &Question<'_>) -> RequestProgress {
    let same = |server_id: &ServerId| question.server_id == Some(server_id);
    match (message, question.completion) {
        (ToPanel::ServerStatus(status), completion) if same(&status.server_id) => {
            if completion.reached(&status.status) {
                RequestProgress::Answer(answer(status.status.clone()))
            } else {
                RequestProgress::OnTheWay(status.status.clone())
            }
        }
        (ToPanel::ServerOutput(output), Completion::Output) if same(&output.server_id) => {
            RequestProgress::Answer(ToPanel::Ack(Ack::default()))
        }
        (ToPanel::SystemInfo(_), Completion::Info) => RequestProgress::Answer(message.clone()),
        (ToPanel::FileContent(file), Completion::File) if file.server_id.as_ref().is_none_or(same) => {
            RequestProgress::Answer(file_answer(file))
        }
        _ => RequestProgress::Nothing,
    }
}

/// An older test agent reports a failed write in the answer itself.
fn file_answer(file: &FileContent) -> ToPanel {
    if file.success != Some(false) {
        return ToPanel::FileContent(file.clone());
    }
    ToPanel::Error(failed(file.message.clone().unwrap_or_default()))
}

/// What a response means for its command. The first one says that it is under way, the second that it is done.
pub(super) fn response(
    response: &Response,
    question: &Question<'_>,
) -> (RequestProgress, Option<StateReport>) {
    let server_id = question.server_id.cloned().unwrap_or_default();
    if !response.success {
        let (code, message) = response.error.clone().unwrap_or_default();
        let report = match question.completion {
            Completion::State => {
                message.contains("No such container").then_some(StateReport::Missing(server_id))
            }
            _ if question.accepted => Some(StateReport::KillFailed { server_id, reason: message.clone() }),
            _ => None,
        };
        return (RequestProgress::Answer(ToPanel::Error(failed(format!("{code}: {message}")))), report);
    }
    match question.completion {
        Completion::Killed if question.accepted => (RequestProgress::Answer(answer(Status::Stopping)), None),
        Completion::Killed => {
            let status = ServerStatus::new(server_id, Status::Stopping);
            (RequestProgress::Accepted(Status::Stopping), Some(StateReport::Is(Box::new(status))))
        }
        Completion::State => {
            match response.data.get("status").and_then(Value::as_str).and_then(container_state) {
                Some(status) => (
                    RequestProgress::Answer(answer(status.clone())),
                    Some(StateReport::Is(Box::new(ServerStatus::new(server_id, status)))),
                ),
                // "processing"
                None => (RequestProgress::Nothing, None),
            }
        }
        _ => (RequestProgress::Nothing, None),
    }
}

/// Docker's name for a container's state (`State.Status` of an inspected container).
fn container_state(name: &str) -> Option<Status> {
    match name {
        "running" => Some(Status::Running),
        "restarting" => Some(Status::Starting),
        "removing" => Some(Status::Stopping),
        "created" | "exited" | "dead" => Some(Status::Stopped),
        "paused" => serde_json::from_value(json!(name)).ok(),
        _ => None,
    }
}

/// Corrects what such agents report in units and names of their own.
pub(super) fn correct(envelope: &mut Envelope<ToPanel>) {
    if let ToPanel::SystemInfo(info) = &mut envelope.message
        && is_limited(info)
    {
        correct_system(info);
    }
}

fn correct_system(info: &mut SystemInfo) {
    // No machine has so few bytes: these are megabytes.
    if (1..1 << 24).contains(&info.memory) {
        info.memory <<= 20;
    }
    let arch = match info.arch.as_str() {
        "x64" | "x86_64" => "amd64",
        "aarch64" => "arm64",
        "ia32" | "x86" => "386",
        _ => return,
    };
    info.arch = arch.into();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ApiError, Code};

    #[test]
    fn an_agents_own_words_are_bounded_and_cleaned() {
        let error = |message: &str| ApiError::from(refused(failed(message.to_owned())));
        let docker = error("No such image: no/such:1\u{1b}[31m\r\n<b>");
        assert_eq!(docker.code(), Code::Conflict);
        assert!(docker.message().contains("No such image: no/such:1 [31m <b>"), "{}", docker.message());
        assert!(error(&"x".repeat(1 << 20)).message().len() < 1000);
    }
}
