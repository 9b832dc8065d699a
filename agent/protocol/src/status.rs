//! What a game server is at the moment.

use ids::ServerId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Stats, lenient};

/// The states of a server in the API's words; other agents' words are kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its image is being fetched, or its template's install script runs.
    Installing,
    /// That failed or was cancelled.
    InstallFailed,
    /// Not running, on purpose or after exit code 0.
    Stopped,
    /// Asked to run, not ready yet.
    Starting,
    /// Running and, where the template says how, ready.
    Running,
    /// Part 2: running, and somebody has its container stand still.
    Paused,
    /// Asked to stop.
    Stopping,
    /// Ended unasked with another code.
    Crashed,
    /// May not start.
    Suspended,
    /// The engine does not answer.
    Unknown,
    /// The Go agent's word for made but never started; shown as stopped.
    Created,
    /// Gone.
    Deleted,
    /// Any other word.
    #[serde(untagged)]
    Other(String),
}

/// How far a long piece of work is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// 0 to 100, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// What is going on, for a person.
    pub text: String,
}

/// `server_status`. All but the first two and `stats`, `error` are part 2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    /// The server's id.
    pub server_id: ServerId,
    /// What the server is doing.
    pub status: Status,
    /// What the server uses; absent where it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::stats")]
    pub stats: Option<Stats>,
    /// Why it is so, for a person: crash, failed install, refused start.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::text_or_nothing")]
    pub error: Option<String>,
    /// Of the last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// The kernel ended it for want of memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oom_killed: bool,
    /// When the container that runs now was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Since when `status` is what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When a crashed one is started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_at: Option<Timestamp>,
    /// When a stop that is under way turns into a kill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_deadline: Option<Timestamp>,
    /// The engine's id of the container, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// While installing or starting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Settings changed since the running container was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_restart: bool,
    /// Where its files lie on the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<String>,
}

impl ServerStatus {
    /// A status that says nothing but the state.
    #[must_use]
    pub fn new(server_id: impl Into<ServerId>, status: Status) -> Self {
        Self {
            server_id: server_id.into(),
            status,
            stats: None,
            error: None,
            exit_code: None,
            oom_killed: false,
            started_at: None,
            since: None,
            restart_at: None,
            stop_deadline: None,
            container_id: None,
            progress: None,
            needs_restart: false,
            data_dir: None,
        }
    }
}

/// Part 2: `sync`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sync {
    /// Every server that the agent has.
    pub servers: Vec<ServerStatus>,
}
