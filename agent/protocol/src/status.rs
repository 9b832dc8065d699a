//! The status of a game server.

use ids::ServerId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Stats, lenient};

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// The status of a server, as named in the API; unknown names of other agents are kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its image is being pulled, or its template's install script is running.
    Installing,
    /// The installation failed or was cancelled.
    InstallFailed,
    /// Not running: it was stopped, or exited with code 0.
    Stopped,
    /// Started, but not ready yet.
    Starting,
    /// Running and, if the template has a ready line, ready.
    Running,
    /// Extension: running, but its container is paused.
    Paused,
    /// Being stopped.
    Stopping,
    /// Exited by itself with a code other than 0.
    Crashed,
    /// Suspended; cannot be started.
    Suspended,
    /// The engine does not answer.
    Unknown,
    /// Sent by the Go agent: created but never started; shown as stopped.
    Created,
    /// Deleted.
    Deleted,
    /// Any other status.
    #[serde(untagged)]
    Other(String),
}

/// Progress of long work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Percentage, 0 to 100; absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// What is being done, for users.
    pub text: String,
}

/// `server_status`. All fields except the first two, `stats` and `error` are extensions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    /// The server's id.
    pub server_id: ServerId,
    /// The status.
    pub status: Status,
    /// Resource usage; absent if it is not running.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::stats")]
    pub stats: Option<Stats>,
    /// The reason, for users: a crash, a failed installation, a refused start.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::text_or_nothing")]
    pub error: Option<String>,
    /// Exit code of the last run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it for lack of memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oom_killed: bool,
    /// When the running container was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When `status` last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When it is restarted after a crash; absent if that is not planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_at: Option<Timestamp>,
    /// When the stop in progress turns into a kill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_deadline: Option<Timestamp>,
    /// The engine's id of the container; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// Progress of an installation or a start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Whether settings changed since the running container was created.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_restart: bool,
    /// Path of its files on the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<String>,
}

impl ServerStatus {
    /// A status without further details.
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

/// Extension: `sync`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sync {
    /// The status of every server of the agent.
    pub servers: Vec<ServerStatus>,
}
