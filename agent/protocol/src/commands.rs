//! The command form of the legacy protocol: flat frames without `data`. A command is answered by a `response` with its
//! id; later changes are reported by `event`s without an id.
//!
//! One implementation of the agent only reads commands inside `data`, another only flat ones: ours sends both and
//! accepts either.

use ids::ServerId;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::text::TextRule;
use super::{ServerStatus, Status, bounded};

/// The action that stops a server, or kills it.
pub const STOP_SERVER: &str = "stop_server";
/// The action that requests a container's state.
pub const GET_STATUS: &str = "get_status";
/// The type of the only event.
pub const STATUS_CHANGED: &str = "server_status_changed";

/// A frame in this form.
#[derive(Clone, Debug, PartialEq)]
pub enum CommandName {
    /// Panel to agent.
    Command(Command),
    /// Agent to panel.
    Response(Response),
    /// Agent to panel.
    Event(Event),
}

/// `command`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Command {
    /// Id, repeated in the responses.
    pub id: String,
    /// The agent's node id.
    pub agent_id: String,
    /// The action, by name.
    pub action: String,
    /// The server's id; absent if it is in the payload.
    pub server_id: Option<ServerId>,
    /// Parameters; null for none.
    pub payload: Value,
}

/// `response`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// Id of the command that it answers.
    pub id: String,
    /// Whether it is done or in progress; false if it failed.
    pub success: bool,
    /// A message for users.
    pub message: Option<String>,
    /// `{serverId, status, …}`.
    pub data: Value,
    /// Error code and message, if it failed.
    pub error: Option<(String, String)>,
}

/// `event`.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The server's id.
    pub server_id: ServerId,
    /// The previous status, if known.
    pub previous: Option<Status>,
    /// The new status, or the result of a command.
    pub now: Became,
}

/// The content of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Became {
    /// `currentStatus`.
    Is(Status),
    /// `status`: `created`, `deleted`, or a failure such as `start_failed`, with the reason.
    Done(String, Option<String>),
}

impl CommandName {
    /// Parses a frame; `None` if it is not in this form.
    #[must_use]
    pub fn read(frame: &[u8]) -> Option<Self> {
        let Value::Object(frame) = bounded::tree(frame, bounded::USUAL)? else { return None };
        match frame.get("type")?.as_str()? {
            "command" => Some(Self::Command(Command::of(&frame))),
            "response" => Some(Self::Response(Response::of(&frame))),
            "event" => Event::of(&frame).map(Self::Event),
            _ => None,
        }
    }
}

fn text(from: &Map<String, Value>, key: &str) -> Option<String> {
    match from.get(key)? {
        Value::String(text) if text.len() <= 256 => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A message for users, whatever its JSON type.
fn sentence(value: &Value) -> String {
    let mut text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    TextRule::SENTENCE.apply(&mut text);
    text
}

impl Command {
    fn of(frame: &Map<String, Value>) -> Self {
        let inner = match frame.get("data") {
            Some(Value::Object(inner)) if !frame.contains_key("action") => inner,
            _ => frame,
        };
        let id = text(inner, "id").or_else(|| text(frame, "id")).unwrap_or_default();
        Self {
            id,
            agent_id: text(inner, "agentId").unwrap_or_default(),
            action: text(inner, "action").unwrap_or_default(),
            server_id: text(inner, "serverId").map(ServerId::from),
            payload: inner.get("payload").cloned().unwrap_or(Value::Null),
        }
    }

    /// The frame: flat, and repeated under `data`.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut flat = json!({
            "id": self.id,
            "type": "command",
            "timestamp": Timestamp::now(),
            "agentId": self.agent_id,
            "action": self.action,
        });
        if let Some(server_id) = &self.server_id {
            flat["serverId"] = json!(server_id);
        }
        if !self.payload.is_null() {
            flat["payload"] = self.payload.clone();
        }
        let inner = flat.clone();
        flat["data"] = inner;
        flat
    }
}

impl Response {
    fn of(frame: &Map<String, Value>) -> Self {
        let inner = match frame.get("data") {
            Some(Value::Object(inner)) if !frame.contains_key("success") => inner,
            _ => frame,
        };
        let error = match inner.get("error") {
            None | Some(Value::Null) => None,
            Some(Value::Object(error)) => {
                let message = error.get("message").map(sentence);
                Some((text(error, "code").unwrap_or_default(), message.unwrap_or_default()))
            }
            Some(other) => Some((String::new(), sentence(other))),
        };
        Self {
            id: text(inner, "id").or_else(|| text(frame, "id")).unwrap_or_default(),
            success: inner.get("success").and_then(Value::as_bool).unwrap_or(error.is_none()),
            message: inner.get("message").map(sentence),
            data: inner.get("data").cloned().unwrap_or(Value::Null),
            error,
        }
    }

    /// The frame as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut json = json!({
            "type": "response", "id": self.id, "timestamp": Timestamp::now(), "success": self.success,
        });
        if let Some(message) = &self.message {
            json["message"] = json!(message);
        }
        if !self.data.is_null() {
            json["data"] = self.data.clone();
        }
        if let Some((code, message)) = &self.error {
            json["error"] = json!({ "code": code, "message": message });
        }
        json
    }
}

impl Event {
    fn of(frame: &Map<String, Value>) -> Option<Self> {
        let data = frame.get("data")?.as_object()?;
        let server_id = text(data, "serverId")?;
        let word = |key: &str| {
            let mut status = serde_json::from_value::<Status>(data.get(key)?.clone()).ok()?;
            status.bound();
            Some(status)
        };
        let reason = |value: &Value| match value {
            Value::Object(error) => error.get("message").map(sentence).unwrap_or_default(),
            other => sentence(other),
        };
        let now = match (word("currentStatus"), text(data, "status")) {
            (Some(status), _) => Became::Is(status),
            (None, Some(done)) => Became::Done(done, data.get("error").map(reason)),
            (None, None) => return None,
        };
        Some(Self { server_id: server_id.into(), previous: word("previousStatus"), now })
    }

    /// The frame as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut data = json!({ "serverId": self.server_id });
        if let Some(previous) = &self.previous {
            data["previousStatus"] = json!(previous);
        }
        match &self.now {
            Became::Is(status) => data["currentStatus"] = json!(status),
            Became::Done(done, error) => {
                data["status"] = json!(done);
                if let Some(error) = error {
                    data["error"] = json!(error);
                }
            }
        }
        json!({ "type": "event", "timestamp": Timestamp::now(), "event": STATUS_CHANGED, "data": data })
    }

    /// The event as a server status, if it contains one. Failures are reported with their reason by the code that knows
    /// the status.
    #[must_use]
    pub fn status(&self) -> Option<ServerStatus> {
        let status = match &self.now {
            Became::Is(status) => status.clone(),
            Became::Done(done, _) => match done.as_str() {
                "created" => Status::Created,
                "deleted" => Status::Deleted,
                _ => return None,
            },
        };
        Some(ServerStatus::new(self.server_id.clone(), status))
    }
}
