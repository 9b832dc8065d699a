//! Requests in the form of the legacy protocol, and what ends each of them.

use std::time::Duration;

use agent::LegacyTimes;
use protocol::commands::{Command, GET_STATUS, STOP_SERVER};
use protocol::{Envelope, ErrorCode, ErrorReport, NodeId, PowerAction, ServerId, ServerRef, Status, ToAgent};
use serde_json::{Value, json};

/// What ends a request. A status not listed as pending ends any request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Completion {
    /// A status that says the server exists.
    Made,
    /// A status other than those before running; a restart reports `stopped` on its way.
    Running,
    Stopped,
    Deleted,
    /// The console line that a legacy agent sends in place of an answer.
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
    /// Whether it is sent in the command form.
    pub(super) fn is_command(self) -> bool {
        matches!(self, Self::Killed | Self::State)
    }

    pub(super) fn reached(self, status: &Status) -> bool {
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

/// A request in the form of the legacy protocol.
#[derive(Debug)]
pub(super) struct LegacyRequest {
    pub(super) message: ToAgent,
    pub(super) server_id: Option<ServerId>,
    pub(super) completion: Completion,
    pub(super) deadline: Duration,
}

impl LegacyRequest {
    /// Request for the state of one server.
    pub(super) fn state(server_id: &ServerId, deadline: Duration) -> Self {
        Self {
            message: ToAgent::ServerDescribe(ServerRef { server_id: server_id.to_owned() }),
            server_id: Some(server_id.to_owned()),
            completion: Completion::State,
            deadline,
        }
    }

    /// The image of a create request. Docker's errors name it.
    pub(super) fn image(&self) -> Option<String> {
        match &self.message {
            ToAgent::ServerCreate(spec) if !spec.image.is_empty() => Some(spec.image.clone()),
            _ => None,
        }
    }
}

/// Translates a request to the legacy protocol; an error if there is no equivalent.
pub(super) fn translate(message: ToAgent, times: &LegacyTimes) -> Result<LegacyRequest, Box<ErrorReport>> {
    let LegacyTimes { answer: others, answer_stop: stop, answer_file: files, .. } = *times;
    let of = |server_id: ServerId| ServerRef { server_id };
    let message = match message {
        ToAgent::ServerPower(power) if power.action != PowerAction::Kill => match power.action {
            PowerAction::Start => ToAgent::ServerStart(of(power.server_id)),
            PowerAction::Restart => ToAgent::ServerRestart(of(power.server_id)),
            PowerAction::Stop | PowerAction::Kill => ToAgent::ServerStop(of(power.server_id)),
            PowerAction::Resume => return Err(unable("resume a server")),
        },
        other => other,
    };
    let (completion, deadline) = match &message {
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
        ToAgent::ServerReinstall(_) | ToAgent::InstallCancel(_) | ToAgent::InstallLog(_) => {
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
    Ok(LegacyRequest { message, server_id, completion, deadline })
}

pub(super) fn unable(what: &str) -> Box<ErrorReport> {
    Box::new(ErrorReport {
        code: ErrorCode::NotSupported,
        message: format!("The agent of this node cannot {what}. This legacy agent does not support that."),
        ..ErrorReport::default()
    })
}

/// The server whose next status ends the request.
fn server_of(message: &ToAgent) -> Option<ServerId> {
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

/// The frame to send: kill and state requests as commands, everything else as a message.
pub(super) fn encode(envelope: &Envelope<ToAgent>, node_id: &NodeId) -> serde_json::Result<String> {
    let (action, server_id, payload) = match &envelope.message {
        ToAgent::ServerPower(power) if power.action == PowerAction::Kill => {
            (STOP_SERVER, &power.server_id, json!({ "signal": "SIGKILL", "timeout": 5 }))
        }
        // The closest equivalent.
        ToAgent::ServerDescribe(of) => (GET_STATUS, &of.server_id, Value::Null),
        _ => return serde_json::to_string(envelope),
    };
    let command = Command {
        id: envelope.message_id.clone().unwrap_or_default(),
        agent_id: node_id.to_string(),
        action: action.into(),
        server_id: Some(server_id.clone()),
        payload,
    };
    serde_json::to_string(&command.json())
}
