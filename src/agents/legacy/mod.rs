//! Legacy agents (those that know only the basic messages): they repeat no ids, so requests go to them one at a time for each
//! server, each ended by the next status of that server, an error, or a deadline. What they can't do is said plainly.

mod in_flight;
mod state_poll;

use std::sync::Arc;
use std::time::Duration;

use agent::LinkTimes;
use agent::protocol::commands::{Became, Command, CommandName, GET_STATUS, Response, STOP_SERVER};
use agent::protocol::{
    Ack, DecodeError, Envelope, ErrorReport, FileContent, PowerAction, Problem, ServerRef, ServerStatus,
    Status, SystemInfo, ToAgent, ToPanel, capability,
};
use serde_json::{Value, json};

use self::in_flight::Entry;
pub(super) use self::in_flight::{InFlight, Outcome};

use super::registry::Agents;
use super::session::Session;

/// What ends a request. Messages of legacy agents that are not named here end everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completion {
    /// A status that says the server is there.
    Made,
    /// One that says more than that it is about to run; a restart says `stopped` on its way.
    Running,
    Stopped,
    Deleted,
    /// The console line that such an agent sends instead.
    Output,
    /// `system_info`.
    Info,
    /// `file_content`.
    File,
    /// The second response, or a status.
    Killed,
    /// The second response to `get_status`.
    State,
}

impl Completion {
    /// Whether it is asked in the command form.
    fn is_command(self) -> bool {
        matches!(self, Self::Killed | Self::State)
    }

    fn reached(self, status: &Status) -> bool {
        use Status::{Created, Installing, Running, Starting, Stopped, Stopping};
        match self {
            Self::Made => !matches!(status, Installing),
            Self::Running => !matches!(status, Starting | Stopping | Stopped | Created | Installing),
            Self::Stopped | Self::Killed => !matches!(status, Running | Starting | Stopping),
            Self::Deleted => !matches!(status, Running | Starting | Stopping | Stopped | Created),
            Self::Output | Self::Info | Self::File | Self::State => false,
        }
    }
}

/// A request as a legacy agent understands it.
#[derive(Debug)]
pub(super) struct LegacyRequest {
    pub(super) message: ToAgent,
    pub(super) server_id: Option<String>,
    pub(super) goal: Completion,
    pub(super) deadline: Duration,
}

impl LegacyRequest {
    /// The image that a create names: Docker's errors do too.
    fn image(&self) -> Option<String> {
        match &self.message {
            ToAgent::ServerCreate(spec) if !spec.image.is_empty() => Some(spec.image.clone()),
            _ => None,
        }
    }
}

/// What a message of the agent means for a request.
pub(super) enum RequestProgress {
    Nothing,
    OnTheWay(Status),
    /// An answer for whoever asked; the agent is still at it.
    Accepted(Status),
    /// The answer, and the end.
    Answer(ToPanel),
}

/// What a response tells of its server, which nothing else will tell.
pub(super) enum Told {
    /// It is so.
    Is(Box<ServerStatus>),
    /// It was taken for accepted, and failed: this is why.
    Failed {
        /// Whose.
        server_id: String,
        /// The agent's words.
        reason: String,
    },
    /// The agent has no container for it.
    Missing(String),
}

/// The message translated for a legacy agent; a refusal where that protocol has no such message.
pub(super) fn translate(message: ToAgent, times: &LinkTimes) -> Result<LegacyRequest, Box<ErrorReport>> {
    let LinkTimes { answer: others, answer_stop: stop, answer_file: files, .. } = *times;
    let of = |server_id: String| ServerRef { server_id };
    let message = match message {
        ToAgent::ServerPower(power) if power.action != PowerAction::Kill => match power.action {
            PowerAction::Start => ToAgent::ServerStart(of(power.server_id)),
            PowerAction::Restart => ToAgent::ServerRestart(of(power.server_id)),
            PowerAction::Stop | PowerAction::Kill => ToAgent::ServerStop(of(power.server_id)),
            PowerAction::Resume => return Err(unable("resume a server")),
        },
        other => other,
    };
    let (goal, deadline) = match &message {
        ToAgent::ServerCreate(spec) if spec.startup.trim().is_empty() => {
            return Err(unable("run an image's own command: give the server a startup line"));
        }
        ToAgent::ServerCreate(_) => (Completion::Made, others),
        ToAgent::ServerStart(_) => (Completion::Running, others),
        ToAgent::ServerRestart(_) => (Completion::Running, stop),
        ToAgent::ServerStop(_) => (Completion::Stopped, stop),
        ToAgent::ServerDelete(_) => (Completion::Deleted, stop),
        ToAgent::ServerPower(_) => (Completion::Killed, others),
        ToAgent::ServerCommand(_) => (Completion::Output, others),
        ToAgent::SystemInfoRequest => (Completion::Info, others),
        ToAgent::FileRead(_) | ToAgent::FileWrite(_) => (Completion::File, files),
        ToAgent::ServerUpdate(_) => return Err(unable("change a server")),
        ToAgent::ServerReinstall(_) | ToAgent::InstallCancel(_) => {
            return Err(unable("install a server again"));
        }
        ToAgent::ServerSuspend(_) | ToAgent::ServerUnsuspend(_) => return Err(unable("suspend a server")),
        ToAgent::ConsoleSubscribe(_) | ToAgent::ConsoleUnsubscribe(_) | ToAgent::ConsoleTail(_) => {
            return Err(unable("show a console"));
        }
        ToAgent::StatsSubscribe(_) | ToAgent::StatsHistory(_) => return Err(unable("measure servers")),
        ToAgent::TransferMeasure(_)
        | ToAgent::TransferPrepare(_)
        | ToAgent::TransferSend(_)
        | ToAgent::TransferReceive(_)
        | ToAgent::TransferDiscard(_) => return Err(unable("move a server")),
        _ => return Err(unable("do that")),
    };
    let server_id = server_of(&message);
    let message = match message {
        ToAgent::ServerCreate(spec) => ToAgent::ServerCreate(Box::new(agent::legacy::plain(*spec))),
        other => other,
    };
    Ok(LegacyRequest { message, server_id, goal, deadline })
}

pub(super) fn unable(what: &str) -> Box<ErrorReport> {
    Box::new(ErrorReport {
        code: "not_supported".into(),
        message: format!("The agent of this node cannot {what}. This legacy agent does not support that."),
        ..ErrorReport::default()
    })
}

/// Whose next status ends the request.
fn server_of(message: &ToAgent) -> Option<String> {
    Some(match message {
        ToAgent::ServerCreate(spec) => spec.server_id.clone(),
        ToAgent::ServerStart(of)
        | ToAgent::ServerStop(of)
        | ToAgent::ServerRestart(of)
        | ToAgent::ServerDelete(of) => of.server_id.clone(),
        ToAgent::ServerPower(power) => power.server_id.clone(),
        ToAgent::ServerCommand(command) => command.server_id.clone(),
        ToAgent::FileRead(file) => file.server_id.clone(),
        ToAgent::FileWrite(file) => file.server_id.clone(),
        _ => return None,
    })
}

/// A status is all the answer that there is.
pub(super) fn answer(status: Status) -> ToPanel {
    ToPanel::Ack(Ack { status: Some(status) })
}

/// What a message that carries no id, and is no error, means for a request.
fn heard(message: &ToPanel, request: &Entry) -> RequestProgress {
    let same = |server_id: &str| request.server_id.as_deref() == Some(server_id);
    match (message, request.goal) {
        (ToPanel::ServerStatus(status), goal) if same(&status.server_id) => {
            if goal.reached(&status.status) {
                RequestProgress::Answer(answer(status.status.clone()))
            } else {
                RequestProgress::OnTheWay(status.status.clone())
            }
        }
        (ToPanel::ServerOutput(output), Completion::Output) if same(&output.server_id) => {
            RequestProgress::Answer(ToPanel::Ack(Ack::default()))
        }
        (ToPanel::SystemInfo(_), Completion::Info) => RequestProgress::Answer(message.clone()),
        (ToPanel::FileContent(file), Completion::File) if file.server_id.as_deref().is_none_or(same) => {
            RequestProgress::Answer(file_answer(file))
        }
        _ => RequestProgress::Nothing,
    }
}

/// An older test agent tells of a failed write in the answer's own words.
fn file_answer(file: &FileContent) -> ToPanel {
    if file.success != Some(false) {
        return ToPanel::FileContent(file.clone());
    }
    ToPanel::Error(failed(file.message.clone().unwrap_or_default()))
}

/// As it goes over the wire: kill and the question for a state are commands, everything else as ever.
pub(super) fn encode(envelope: &Envelope<ToAgent>, node_id: &str) -> serde_json::Result<String> {
    match &envelope.message {
        ToAgent::ServerPower(power) if power.action == PowerAction::Kill => {
            let command = Command {
                id: envelope.message_id.clone().unwrap_or_default(),
                agent_id: node_id.to_owned(),
                action: STOP_SERVER.into(),
                server_id: Some(power.server_id.clone()),
                payload: json!({ "signal": "SIGKILL", "timeout": 5 }),
            };
            serde_json::to_string(&command.json())
        }
        // The nearest that there is.
        ToAgent::ServerDescribe(of) => {
            let command = Command {
                id: envelope.message_id.clone().unwrap_or_default(),
                agent_id: node_id.to_owned(),
                action: GET_STATUS.into(),
                server_id: Some(of.server_id.clone()),
                payload: Value::Null,
            };
            serde_json::to_string(&command.json())
        }
        _ => serde_json::to_string(envelope),
    }
}

/// What a legacy agent means by what it says.
pub(super) fn mend(envelope: &mut Envelope<ToPanel>) {
    let ToPanel::SystemInfo(info) = &mut envelope.message else { return };
    if knows_acks(info) {
        return;
    }
    // Nobody has a machine of so few bytes: these are megabytes.
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

fn knows_acks(info: &SystemInfo) -> bool {
    info.capabilities.iter().any(|word| word == capability::ACK)
}

/// A frame in the command form, which is no message of the tables. False where it is something else.
pub(super) fn take(agents: &Agents, session: &Arc<Session>, frame: &[u8], error: &DecodeError) -> bool {
    let DecodeError::UnknownType { kind, .. } = error else { return false };
    if session.answers() || !matches!(kind.as_str(), "response" | "event") {
        return false;
    }
    match CommandName::read(frame) {
        Some(CommandName::Response(response)) => {
            if let Some(told) = session.responded(&response) {
                agents.told(session, told);
            }
        }
        Some(CommandName::Event(event)) => match (event.status(), event.now) {
            (Some(status), _) => {
                agents.receive(session, Envelope::new(ToPanel::ServerStatus(Box::new(status))));
            }
            (None, Became::Done(what, reason)) => {
                let report = failed(format!("{what}: {}", reason.unwrap_or_default()));
                agents.receive(session, Envelope::new(ToPanel::Error(report)));
            }
            (None, Became::Is(_)) => {}
        },
        _ => return false,
    }
    true
}

/// What a response means for its command. The first one says that it is under way, the second that it is done.
fn responded(response: &Response, request: &Entry) -> (RequestProgress, Option<Told>) {
    let server_id = request.server_id.clone().unwrap_or_default();
    if !response.success {
        let (code, message) = response.error.clone().unwrap_or_default();
        let told = match request.goal {
            Completion::State => message.contains("No such container").then_some(Told::Missing(server_id)),
            _ if request.was_accepted() => Some(Told::Failed { server_id, reason: message.clone() }),
            _ => None,
        };
        return (RequestProgress::Answer(ToPanel::Error(failed(format!("{code}: {message}")))), told);
    }
    match request.goal {
        Completion::Killed if request.was_accepted() => {
            (RequestProgress::Answer(answer(Status::Stopping)), None)
        }
        Completion::Killed => {
            let status = ServerStatus::new(server_id, Status::Stopping);
            (RequestProgress::Accepted(Status::Stopping), Some(Told::Is(Box::new(status))))
        }
        Completion::State => {
            match response.data.get("status").and_then(Value::as_str).and_then(container_state) {
                Some(status) => (
                    RequestProgress::Answer(answer(status.clone())),
                    Some(Told::Is(Box::new(ServerStatus::new(server_id, status)))),
                ),
                // "processing"
                None => (RequestProgress::Nothing, None),
            }
        }
        _ => (RequestProgress::Nothing, None),
    }
}

/// Docker's word for a container's state (`State.Status` of an inspected container).
fn container_state(word: &str) -> Option<Status> {
    match word {
        "running" => Some(Status::Running),
        "restarting" => Some(Status::Starting),
        "removing" => Some(Status::Stopping),
        "created" | "exited" | "dead" => Some(Status::Stopped),
        "paused" => serde_json::from_value(json!(word)).ok(),
        _ => None,
    }
}

/// Whatever fails there has this one code.
pub(super) const OTHERS_WORD: &str = "HANDLER_ERROR";

/// The agent's own words for a person: one line of at most 300 characters.
pub(super) fn brief(words: &str) -> String {
    let most = words.chars().take(300).map(|c| if c.is_control() { ' ' } else { c });
    let line = most.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().nth(300).is_some() { line + "…" } else { line }
}

fn failed(message: String) -> ErrorReport {
    ErrorReport { code: OTHERS_WORD.into(), message, ..ErrorReport::default() }
}

/// The node's agent is of this kind.
pub(super) fn is_limited(info: &SystemInfo) -> bool {
    !knows_acks(info)
}

/// What the page says of such a node.
pub(super) fn problem(online: bool, no_files: bool) -> Problem {
    let files = if no_files { " It does not serve files." } else { "" };
    let message = format!(
        "The agent of this node is a legacy agent with the basic messages only: it publishes no ports, limits \
         memory alone, can't change or suspend a server, and does not show what it measures. It does not tell of a crash: \
         the panel asks for the state of one server after the other. What this panel wants and what the agent has can't \
         be compared.{files}"
    );
    let lost = "Such an agent may connect once and never again: then a restart of this panel loses the node until \
                somebody restarts its agent.";
    let hint = if online {
        format!("{lost} The agent of this panel, joined under the same id, can all of it.")
    } else {
        format!("Restart the agent on its machine. {lost}")
    };
    Problem { code: "limited_agent".into(), message, hint }
}

#[cfg(test)]
mod tests;
