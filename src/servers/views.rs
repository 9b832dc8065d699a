//! Servers as JSON: the record, what is known of it now, and what the caller may do with it.

use std::collections::BTreeMap;

use protocol::{self as wire, Status};
use serde::Serialize;
use storage::servers::{Limits, Port, Protocol, Server};
use utoipa::ToSchema;

use super::body;
use super::readable::Readable;
use super::reason::{self, Reason, StatusCode};
use super::run_settings::BehaviourView;
use crate::agents::ServerSnapshot;
use crate::auth::{Permission, PermissionName, Permissions};
use crate::system::clock::rfc3339;
use crate::templates::Template;
use crate::transfers::MoveView;

/// A server as its caller may see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Server)]
pub struct ServerView {
    /// Never changes.
    pub id: String,
    /// Which state of its settings this is; other settings have another one. In quotes it is the `ETag`.
    pub revision: String,
    /// What people call it.
    pub name: String,
    /// The node on which it lives.
    pub node_id: String,
    /// What people call that node.
    pub node_name: String,
    /// Whether that node's agent is connected.
    pub node_online: bool,
    /// The template that it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_id: Option<String>,
    /// What that template is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_name: Option<String>,
    /// The container image.
    pub image: String,
    /// The startup line; empty for the image's own command. Absent for those who may not change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup: Option<String>,
    /// The environment of the container. With the permission `startup` alone, those of its template's variables that
    /// users may read; absent for those who may change none of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<BTreeMap<String, String>>,
    /// Variables that have a value which the caller may replace and not read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hidden_variables: Vec<String>,
    /// What it may use.
    pub limits: LimitsView,
    /// What it is reached by.
    pub ports: Vec<PortView>,
    /// Whether it is kept from the networks of its machine, from the next start on.
    pub block_lan: bool,
    /// Why its node can't do that, whether it is asked to or not; for those who may configure the server. Absent where it can,
    /// or where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_lan_problem: Option<String>,
    /// How it is run; for those who may configure it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<BehaviourView>,
    /// Whether it is started as soon as its install is over.
    #[serde(skip_serializing_if = "is_false")]
    pub starts_when_installed: bool,
    /// What it is now.
    pub status: ServerStatus,
    /// Why, for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// Which of the panel's own sentences that is; absent where it is in the words of a node or an engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_code: Option<StatusCode>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_since: Option<String>,
    /// Of the last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// Whether the last run ended for want of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_killed: Option<bool>,
    /// When the run that goes on began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it is started again after a crash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_at: Option<String>,
    /// When the stop that is under way turns into a kill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_deadline: Option<String>,
    /// While it is being installed or starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressView>,
    /// What it uses, where somebody has looked in the last seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<StatsView>,
    /// Whether settings changed since the running container was made.
    pub needs_restart: bool,
    /// Where its files lie on the node; for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<String>,
    /// Its way to another node, while it is under way, or since it failed.
    #[serde(rename = "move", skip_serializing_if = "Option::is_none")]
    pub moving: Option<MoveView>,
    /// What the caller may do with it.
    pub permissions: Vec<PermissionName>,
    /// When it was made.
    pub created_at: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ServerStatus)]
pub enum ServerStatus {
    /// Its image is being fetched, or its template's install script runs.
    Installing,
    /// That failed or was cancelled.
    InstallFailed,
    /// Not running, on purpose or after exit code 0.
    Stopped,
    /// Asked to run, not ready yet.
    Starting,
    /// Running and, where its template says how, ready.
    Running,
    /// Running, and somebody has its container stand still.
    Paused,
    /// Asked to stop.
    Stopping,
    /// Ended unasked with another code.
    Crashed,
    /// May not start.
    Suspended,
    /// Its node is offline, or the engine there does not answer.
    Unknown,
}

impl ServerStatus {
    /// From an agent's word; other agents have words of their own.
    pub fn of(status: &Status) -> Self {
        match status {
            Status::Installing => Self::Installing,
            Status::InstallFailed => Self::InstallFailed,
            Status::Stopped | Status::Created => Self::Stopped,
            Status::Starting => Self::Starting,
            Status::Running => Self::Running,
            Status::Paused => Self::Paused,
            Status::Stopping => Self::Stopping,
            Status::Crashed => Self::Crashed,
            Status::Suspended => Self::Suspended,
            Status::Unknown | Status::Deleted | Status::Other(_) => Self::Unknown,
        }
    }
}

/// What a server may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Limits)]
pub struct LimitsView {
    /// Bytes, 0 for none.
    pub memory: i64,
    /// Bytes beyond memory, -1 for no limit.
    pub swap: i64,
    /// Bytes, 0 for none.
    pub disk: i64,
    /// 10 to 1000.
    pub io: i64,
    /// Percent of one core, 0 for none.
    pub cpu: i64,
    /// Processes and threads.
    pub processes: i64,
}

impl From<Limits> for LimitsView {
    fn from(limits: Limits) -> Self {
        let Limits { memory, swap, disk, io, cpu, processes } = limits;
        Self { memory, swap, disk, io, cpu, processes }
    }
}

/// A port of the node that leads to one of the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Port)]
pub struct PortView {
    /// Inside the container.
    pub internal: u16,
    /// On the node.
    pub external: u16,
    /// `tcp` or `udp`.
    pub protocol: body::Protocol,
}

impl From<Port> for PortView {
    fn from(port: Port) -> Self {
        let protocol = match port.protocol {
            Protocol::Tcp => body::Protocol::Tcp,
            Protocol::Udp => body::Protocol::Udp,
        };
        Self { internal: port.internal, external: port.external, protocol }
    }
}

/// How far a piece of work is.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Progress)]
pub struct ProgressView {
    /// 0 to 100, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// What is going on.
    pub text: String,
}

/// What a server uses.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Stats)]
pub struct StatsView {
    /// Percent of one core.
    pub cpu: f64,
    /// Bytes, without the page cache.
    pub memory: u64,
    /// Bytes in its folder.
    pub disk: u64,
    /// Bytes since its start.
    pub network: NetworkView,
    /// Players, where they can be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub players: Option<serde_json::Value>,
    /// When it was looked at.
    pub timestamp: String,
}

/// Bytes since a server's start.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Network)]
pub struct NetworkView {
    /// Received.
    #[serde(rename = "in")]
    pub received: u64,
    /// Sent.
    #[serde(rename = "out")]
    pub sent: u64,
}

impl From<&wire::Stats> for StatsView {
    fn from(stats: &wire::Stats) -> Self {
        // JSON has no word for what is not a number.
        let cpu = if stats.cpu.is_finite() { stats.cpu.max(0.0) } else { 0.0 };
        Self {
            cpu,
            memory: stats.memory,
            disk: stats.disk,
            network: NetworkView { received: stats.network.received, sent: stats.network.sent },
            players: stats.players.clone(),
            timestamp: stats.timestamp.to_string(),
        }
    }
}

/// The last 10 minutes.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = StatsHistory)]
pub struct StatsHistoryView {
    /// Oldest first.
    pub samples: Vec<StatsView>,
}

/// The state in which a request left a server.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PowerAnswer {
    /// What it is now.
    pub status: ServerStatus,
    /// The backup that is made first, where that was asked for. What was asked for is done once it is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
}

impl PowerAnswer {
    pub(super) fn new(status: ServerStatus) -> Self {
        Self { status, backup: None }
    }
}

/// The last lines of a console.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ConsoleTail)]
pub(super) struct ConsoleView {
    /// Oldest first; `{"skipped": n}` stands for lines that were dropped.
    #[schema(value_type = Vec<ConsoleLineView>)]
    pub lines: Vec<wire::ConsoleItem>,
    /// The line that is being written and has not ended yet; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ConsolePartialView>)]
    pub partial: Option<wire::ConsolePartial>,
}

impl From<wire::ConsoleLines> for ConsoleView {
    fn from(wire::ConsoleLines { lines, partial, .. }: wire::ConsoleLines) -> Self {
        Self { lines, partial }
    }
}

/// A line that has not ended yet, as it stands now. For the document; the agent's own is what is sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ConsolePartial)]
#[allow(dead_code)]
pub(super) struct ConsolePartialView {
    /// When it was last written to.
    pub time: String,
    /// `stdout`, `stderr` or `system`.
    pub stream: String,
    /// What stands in it, with colour escapes.
    pub text: String,
    /// It was longer than 16 KiB.
    pub truncated: Option<bool>,
}

/// One line of a console. For the document; the agent's own is what is sent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ConsoleLine)]
#[allow(dead_code)]
pub(super) struct ConsoleLineView {
    /// Counts lines without gaps over restarts of the game.
    pub seq: u64,
    /// When it was read.
    pub time: String,
    /// `stdout`, `stderr` or `system`.
    pub stream: String,
    /// The line, with colour escapes.
    pub text: String,
    /// It was longer than 16 KiB.
    pub truncated: Option<bool>,
}

/// What somebody may do with a server.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ServerUser {
    /// The account's id.
    pub user: String,
    /// The account's name.
    pub username: String,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// Which state of that this is.
    pub revision: String,
}

impl ServerView {
    /// Builds the view from the record, the snapshot and the template, limited to what these permissions may see.
    pub fn new(
        server: Server,
        seen: &ServerSnapshot,
        template: Option<&Template>,
        permissions: &Permissions,
    ) -> Self {
        let admin = permissions.is_admin();
        let configures = permissions.allow(Permission::Configure);
        let readable = Readable::of(&server, template, permissions);
        let (status, reason) = status_of(&server, seen, configures);
        let status_code = reason.as_ref().and_then(|reason| reason.code);
        let told = seen.status.as_ref();
        let time = |pick: fn(&wire::ServerStatus) -> Option<jiff::Timestamp>| {
            told.and_then(pick).map(|at| at.to_string())
        };
        let alive = matches!(
            status,
            ServerStatus::Starting | ServerStatus::Running | ServerStatus::Paused | ServerStatus::Stopping
        );
        let ended = told.and_then(|told| told.exit_code);
        Self {
            template_name: template.map(|template| template.name.clone()),
            status,
            status_reason: reason.map(|reason| reason.text),
            status_code,
            status_since: match seen.away_since.filter(|_| !seen.online) {
                Some(away) => Some(rfc3339(away)),
                None => time(|told| told.since),
            },
            exit_code: ended,
            oom_killed: told.filter(|told| ended.is_some() || told.oom_killed).map(|told| told.oom_killed),
            started_at: time(|told| told.started_at),
            restart_at: time(|told| told.restart_at),
            stop_deadline: time(|told| told.stop_deadline),
            progress: told.and_then(|told| told.progress.as_ref()).map(|progress| ProgressView {
                percent: progress.percent.filter(|percent| percent.is_finite()),
                text: progress.text.clone(),
            }),
            stats: seen.stats.as_ref().filter(|_| alive).map(StatsView::from),
            needs_restart: told.is_some_and(|told| told.needs_restart),
            data_dir: told.filter(|_| admin).and_then(|told| told.data_dir.clone()),
            moving: None,
            permissions: permissions.names(),
            created_at: rfc3339(server.created_at),
            revision: revision(&server),
            id: server.id.into_string(),
            name: server.name,
            node_id: server.node_id.into_string(),
            node_online: seen.online,
            node_name: seen.node_name.clone(),
            template_id: server.template_id,
            image: server.image,
            startup: readable.startup,
            environment: readable.environment,
            hidden_variables: readable.hidden,
            limits: server.limits.into(),
            behaviour: configures.then(|| BehaviourView::from(&server.behaviour)),
            starts_when_installed: server.start_when_installed,
            block_lan: server.block_lan,
            block_lan_problem: seen.lan_problem.clone().filter(|_| configures),
            ports: server.ports.into_iter().map(PortView::from).collect(),
        }
    }
}

/// Status of a server and its reason.
fn status_of(server: &Server, seen: &ServerSnapshot, configures: bool) -> (ServerStatus, Option<Reason>) {
    let node = &seen.node_name;
    if server.deleting.is_some() {
        return match seen.online {
            true => (ServerStatus::Stopping, Some(Reason::of(StatusCode::Deleting, "It is being deleted."))),
            false => {
                let text = format!(
                    "It is being deleted. Its node {node} is offline; this goes on when the node is back."
                );
                (ServerStatus::Unknown, Some(Reason::of(StatusCode::DeletingOffline, text)))
            }
        };
    }
    let unknown = |code, text: String| (ServerStatus::Unknown, Some(Reason::of(code, text)));
    if !seen.online {
        return unknown(StatusCode::NodeOffline, format!("Its node {node} is offline."));
    }
    if seen.missing {
        let text = format!("Its node {node} has lost it: its data folder there is not what it was.");
        return unknown(StatusCode::Lost, text);
    }
    match &seen.status {
        Some(told) => (ServerStatus::of(&told.status), reason::reason_of(told, configures)),
        None if server.suspended => (ServerStatus::Suspended, None),
        None => unknown(StatusCode::NotTold, "Its node has not told about it yet.".to_owned()),
    }
}

/// Revision of a server's settings. Not a hash of them, because they contain secrets.
pub(super) fn revision(server: &Server) -> String {
    format!("{:x}", server.updated_at)
}
