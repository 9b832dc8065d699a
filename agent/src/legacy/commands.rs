//! The command form for legacy panels: a response at once, events for changes, and a second response for failures.

use std::collections::VecDeque;

use protocol::commands::{Became, Command, Event, Response, STOP_SERVER};
use protocol::{
    Inbound, PowerAction, ServerCreate, ServerId, ServerPower, ServerRef, ServerStatus, Stats, Status,
    ToAgent,
};
use serde_json::{Value, json};

/// Maximum number of commands in progress; beyond that the oldest is dropped.
const PENDING: usize = 256;

/// A translated command.
pub(super) enum Translated {
    /// A message for the agent, and the first response.
    Ask(ToAgent, Verb, Response),
    /// `get_status`.
    Look(ServerId, Response),
    /// The command is refused.
    Refused(Response),
}

/// The action of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Start,
    Stop,
    Restart,
    Create,
    Delete,
}

impl Verb {
    /// The error code of a failure.
    fn failed(self) -> &'static str {
        match self {
            Self::Start => "start_failed",
            Self::Stop => "stop_failed",
            Self::Restart => "restart_failed",
            Self::Create => "create_failed",
            Self::Delete => "delete_failed",
        }
    }

    fn going(self) -> &'static str {
        match self {
            Self::Start => "starting",
            Self::Stop => "stopping",
            Self::Restart => "restarting",
            Self::Create => "creating",
            Self::Delete => "deleting",
        }
    }
}

/// Translates a command.
pub(super) fn take(command: &Command) -> Translated {
    let refused = |code: &str, message: String| {
        Translated::Refused(Response { error: Some((code.into(), message)), ..answer(&command.id, false) })
    };
    let payload = &command.payload;
    let Some(server_id) =
        command.server_id.clone().or_else(|| payload["serverId"].as_str().map(ServerId::from))
    else {
        return refused("BAD_COMMAND", "The command names no server.".into());
    };
    let of = ServerRef { server_id: server_id.clone() };
    let (message, verb) = match command.action.as_str() {
        "start_server" => (ToAgent::ServerStart(of), Verb::Start),
        // Other signals and timeouts are ignored: the server's own settings know how its game saves a world.
        STOP_SERVER if payload["signal"] == "SIGKILL" => {
            let power = ServerPower { server_id: server_id.clone(), action: PowerAction::Kill };
            (ToAgent::ServerPower(power), Verb::Stop)
        }
        STOP_SERVER => (ToAgent::ServerStop(of), Verb::Stop),
        "restart_server" => (ToAgent::ServerRestart(of), Verb::Restart),
        "delete_server" => (ToAgent::ServerDelete(of), Verb::Delete),
        "create_server" => {
            let mut payload = payload.clone();
            if let Value::Object(payload) = &mut payload {
                payload.entry("serverId").or_insert_with(|| json!(server_id));
            }
            match serde_json::from_value::<ServerCreate>(payload) {
                Ok(spec) if spec.server_id == server_id => {
                    let mut create = ToAgent::ServerCreate(Box::new(spec));
                    if let Err(reason) = create.bound() {
                        return refused("BAD_COMMAND", format!("The payload is too large: {reason}."));
                    }
                    (create, Verb::Create)
                }
                Ok(_) => return refused("BAD_COMMAND", "The payload names another server.".into()),
                Err(error) => return refused("BAD_COMMAND", format!("The payload is none: {error}")),
            }
        }
        "get_status" => {
            return Translated::Look(server_id.clone(), under_way(command, &server_id, "processing"));
        }
        other => return refused("UNKNOWN_ACTION", format!("unknown action {other:?}")),
    };
    Translated::Ask(message, verb, under_way(command, &server_id, verb.going()))
}

fn answer(id: &str, success: bool) -> Response {
    Response { id: id.to_owned(), success, ..Response::default() }
}

fn under_way(command: &Command, server_id: &ServerId, status: &str) -> Response {
    Response { data: json!({ "serverId": server_id, "status": status }), ..answer(&command.id, true) }
}

/// The second response to `get_status`.
pub(super) fn status(id: &str, known: Option<&ServerStatus>, stats: Option<&Stats>) -> Response {
    let Some(known) = known else {
        let error = Some(("not_found".to_owned(), "There is no such server on this node.".to_owned()));
        return Response { error, ..answer(id, false) };
    };
    let docker = match known.status {
        Status::Starting if known.started_at.is_none() => "created",
        Status::Starting | Status::Running | Status::Stopping => "running",
        Status::Paused => "paused",
        Status::Installing | Status::InstallFailed => "created",
        _ if known.container_id.is_none() => "created",
        _ => "exited",
    };
    let mut data = json!({
        "serverId": known.server_id,
        "status": docker,
        "containerId": known.container_id.clone().unwrap_or_default(),
    });
    if let Some(stats) = stats {
        data["resources"] =
            json!({ "cpu": stats.cpu, "memory": stats.memory, "disk": stats.disk, "network": stats.network });
    }
    Response { data, ..answer(id, true) }
}

/// A command in progress.
#[derive(Debug)]
struct Pending {
    /// Id of our request to the agent.
    own: String,
    /// Id given by the panel.
    id: String,
    verb: Verb,
    server_id: ServerId,
    /// Set once the agent accepted it: later status changes result from it.
    taken: bool,
}

/// All commands in progress.
#[derive(Debug, Default)]
pub(super) struct Commands {
    pending: VecDeque<Pending>,
}

/// Frames for the panel.
pub(super) type Told = Vec<Value>;

impl Commands {
    pub(super) fn begin(&mut self, own: String, id: String, verb: Verb, server_id: ServerId) {
        // A server does one thing at a time; a new command supersedes earlier ones.
        self.pending.retain(|pending| pending.server_id != server_id || verb == Verb::Create);
        if self.pending.len() >= PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back(Pending { own, id, verb, server_id, taken: false });
    }

    /// The agent accepted it, with the server's current status.
    pub(super) fn accepted(&mut self, own: &str, status: Option<&Status>) -> Told {
        let Some(at) = self.pending.iter().position(|pending| pending.own == own) else { return Vec::new() };
        let pending = &mut self.pending[at];
        pending.taken = true;
        let made = pending.verb == Verb::Create && status.is_some_and(|status| *status != Status::Installing);
        if !made {
            return Vec::new();
        }
        self.pending
            .remove(at)
            .map(|pending| vec![done(&pending.server_id, "created", None)])
            .unwrap_or_default()
    }

    /// The agent refused it, or it failed.
    pub(super) fn failed(&mut self, own: &str, code: &str, message: &str) -> Told {
        let Some(at) = self.pending.iter().position(|pending| pending.own == own) else { return Vec::new() };
        self.pending.remove(at).map(|pending| failure(&pending, code, message)).unwrap_or_default()
    }

    /// A server's status changed.
    pub(super) fn status(&mut self, now: &ServerStatus, before: Option<&Status>) -> Told {
        let mut told = Vec::new();
        if now.status == Status::Deleted {
            self.pending.retain(|pending| pending.server_id != now.server_id);
            told.push(done(&now.server_id, "deleted", None));
            return told;
        }
        if before != Some(&now.status) {
            let now_is = Became::Is(now.status.clone());
            let event = Event { server_id: now.server_id.clone(), previous: before.cloned(), now: now_is };
            told.push(event.json());
        }
        let of_this = |pending: &Pending| pending.server_id == now.server_id && pending.taken;
        while let Some(at) = self.pending.iter().position(|p| of_this(p) && over(p.verb, &now.status)) {
            let Some(pending) = self.pending.remove(at) else { break };
            let reason = now.error.as_deref().unwrap_or("It ended at once.");
            match (pending.verb, &now.status) {
                (Verb::Create, Status::InstallFailed)
                | (Verb::Start | Verb::Restart, Status::InstallFailed | Status::Crashed) => {
                    told.extend(failure(&pending, &pending.verb.failed().to_uppercase(), reason));
                }
                (Verb::Create, _) => told.push(done(&pending.server_id, "created", None)),
                _ => {}
            }
        }
        told
    }
}

fn over(verb: Verb, status: &Status) -> bool {
    match verb {
        Verb::Start | Verb::Restart => {
            matches!(status, Status::Running | Status::Crashed | Status::InstallFailed)
        }
        Verb::Stop => matches!(status, Status::Stopped | Status::Crashed | Status::Suspended),
        Verb::Create => matches!(status, Status::Stopped | Status::InstallFailed),
        Verb::Delete => false,
    }
}

fn done(server_id: &ServerId, what: &str, error: Option<&str>) -> Value {
    let now = Became::Done(what.to_owned(), error.map(str::to_owned));
    Event { server_id: server_id.to_owned(), previous: None, now }.json()
}

fn failure(pending: &Pending, code: &str, message: &str) -> Told {
    let response = Response {
        error: Some((code.to_owned(), message.to_owned())),
        data: json!({ "serverId": pending.server_id }),
        ..answer(&pending.id, false)
    };
    vec![done(&pending.server_id, pending.verb.failed(), Some(message)), response.json()]
}
