//! What a message of a legacy agent means for a request in flight.

use protocol::commands::Response;
use protocol::{
    Ack, Envelope, ErrorCode, ErrorReport, FileContent, ServerId, ServerStatus, Status, SystemInfo, ToPanel,
};
use serde_json::{Value, json};

use super::node::is_limited;
use super::requests::Completion;
use crate::agents::error::RequestError;
use crate::agents::session::Outcome;

/// Effect of a message on a request.
pub(super) enum RequestProgress {
    Nothing,
    OnTheWay(Status),
    /// Answer for the caller, while the agent is still working.
    Accepted(Status),
    /// Final answer.
    Answer(ToPanel),
}

/// State of a server that a response implies and no other message will report.
pub(super) enum StateReport {
    /// The server's current state.
    Is(Box<ServerStatus>),
    /// A kill that had been accepted has failed.
    KillFailed { server_id: ServerId, reason: String },
    /// The agent has no container for it.
    Missing(ServerId),
}

/// The facts about a request that decide how a message is read.
pub(super) struct Question<'r> {
    pub(super) server_id: Option<&'r ServerId>,
    pub(super) completion: Completion,
    /// The caller already has an answer.
    pub(super) accepted: bool,
}

/// The answer with this status.
pub(super) fn answer(status: Status) -> ToPanel {
    ToPanel::Ack(Ack { status: Some(status) })
}

/// An error with the agent's own message.
pub(super) fn failed(message: String) -> ErrorReport {
    ErrorReport { code: ErrorCode::HandlerError, message, ..ErrorReport::default() }
}

/// The outcome for the caller. Error messages of the engine or agent are cleaned up and shortened.
pub(super) fn outcome(answer: ToPanel) -> Outcome {
    match answer {
        ToPanel::Error(report) => Err(refused(report)),
        other => Ok(other),
    }
}

/// Converts an agent's error, with its message cleaned up and shortened.
pub(super) fn refused(mut report: ErrorReport) -> RequestError {
    if report.code == ErrorCode::HandlerError {
        report.code = ErrorCode::AgentFailed;
        report.message = format!("The agent of this node could not do it: {}", brief(&report.message));
    }
    RequestError::Refused(Box::new(report))
}

/// The agent's message for the user: one line of at most 300 characters.
pub(super) fn brief(words: &str) -> String {
    let most = words.chars().take(300).map(|c| if c.is_control() { ' ' } else { c });
    let line = most.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().nth(300).is_some() { line + "…" } else { line }
}

/// Effect of a message that is not an error.
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

/// Old test agents report a failed write in the answer itself.
fn file_answer(file: &FileContent) -> ToPanel {
    if file.success != Some(false) {
        return ToPanel::FileContent(file.clone());
    }
    ToPanel::Error(failed(file.message.clone().unwrap_or_default()))
}

/// Effect of a response on its command. The first response says that the command was accepted, the second that it is
/// done.
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

/// Status for Docker's name of a container state (`State.Status` of an inspected container).
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

/// Corrects values that legacy agents report in other units or under other names.
pub(super) fn correct(envelope: &mut Envelope<ToPanel>) {
    if let ToPanel::SystemInfo(info) = &mut envelope.message
        && is_limited(info)
    {
        correct_system(info);
    }
}

fn correct_system(info: &mut SystemInfo) {
    // No machine has so little memory in bytes: the value is in megabytes.
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
