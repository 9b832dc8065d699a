//! Messages about the machine that an agent runs on.

use std::collections::BTreeMap;

use ids::{NodeId, ServerId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::codes::ProblemCode;
use super::payload::{self, Payload};
use super::{Port, UpgradeOutcome, lenient};

/// An entry of `system_info.capabilities`.
pub type Capability = String;

/// The capabilities that our agent may announce.
pub mod capability {
    /// Legacy: runs Docker containers.
    pub const DOCKER: &str = "docker";
    /// Legacy: sends stats.
    pub const MONITORING: &str = "monitoring";
    /// Every request is answered with its id.
    pub const ACK: &str = "ack";
    /// `sync` follows `system_info`.
    pub const SYNC: &str = "sync";
    /// `console_*`.
    pub const CONSOLE: &str = "console";
    /// `console_lines` contain the unfinished line, if requested.
    pub const PARTIAL: &str = "partial";
    /// `stats_*`, `node_stats`.
    pub const STATS: &str = "stats";
    /// `install_cancel`, and progress of installations.
    pub const INSTALL: &str = "install";
    /// `host_check`.
    pub const HOST_CHECK: &str = "host-check";
    /// `server_describe`.
    pub const DESCRIBE: &str = "describe";
    /// `file_read` and `file_write`.
    pub const FILES: &str = "files";
    /// All other file messages: `file_*`, `upload_*`, `disk_usage`.
    pub const FILE_MANAGER: &str = "file-manager";
    /// `file_sftp`.
    pub const FILES_SFTP: &str = "files-sftp";
    /// `blockLan` of a server, and `system_info.firewall`.
    pub const BLOCK_LAN: &str = "block-lan";
    /// The status `paused` and the power action `resume`.
    pub const PAUSE: &str = "pause";
    /// `template` of a server, `wipe` of a reinstall, `install_log`.
    pub const TEMPLATES: &str = "templates";
    /// `transfer_*`: servers can be transferred to and from this node.
    pub const TRANSFER: &str = "transfer";
    /// `upgrade_receive`: a guard watches over this agent's program and rolls back if the next one does not come up,
    /// and the agent has the key that signs releases.
    pub const UPGRADE: &str = "upgrade";
    /// `registry_login`, and `registry` of `host_check`.
    pub const REGISTRY: &str = "registry";
    /// `backup_*`.
    pub const BACKUP: &str = "backup";
    /// `location`, `limits` and `ignore` of backups, and the actions `test`, `check` and `prune`.
    pub const BACKUP_TARGETS: &str = "backup-targets";
    /// `backup_list`, `file_send` of a backup, `paths` of a restore, the action `restore_test`.
    pub const BACKUP_CONTENTS: &str = "backup-contents";
    /// `players_query`.
    pub const PLAYERS: &str = "players";
    /// `reach_query` and `router_allow`.
    pub const REACH: &str = "reach";
    /// `schedules_set`, `schedule_run` and `schedules_query`.
    pub const SCHEDULES: &str = "schedules";
    /// The action `adopt` of backups.
    pub const BACKUP_ADOPT: &str = "backup-adopt";
}

/// `heartbeat`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// The node's id; empty if the agent does not send it.
    #[serde(default, deserialize_with = "lenient::text")]
    pub node_id: NodeId,
    /// When it was measured or sent, by the agent's clock.
    #[serde(default = "Timestamp::now", deserialize_with = "lenient::time")]
    pub timestamp: Timestamp,
    /// Always `online`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub status: String,
}

/// Extension: the state of the container engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Engine {
    /// Whether the engine answers.
    pub available: bool,
    /// The engine's version; absent if it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The negotiated API version; absent if it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Why it does not answer; absent if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Extension: a problem of the machine, with advice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The code, for programs.
    pub code: ProblemCode,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// Extension: whether the firewall rules for games are in place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// Whether they are active: games with `blockLan` reach no LAN address.
    pub active: bool,
    /// Why they are not; absent if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `system_info`. All fields after `networks` are extensions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemInfo {
    /// The node's id; empty if the agent does not send it.
    #[serde(default)]
    pub node_id: NodeId,
    /// `linux`.
    #[serde(default)]
    pub os: String,
    /// The architecture by its Go name: `amd64`, `arm64`, `arm`.
    #[serde(default)]
    pub arch: String,
    /// Memory of the machine in bytes; 0 if unknown.
    #[serde(default, deserialize_with = "lenient::unsigned")]
    pub memory: u64,
    /// CPU description, such as `4 cores, Cortex-A72`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub cpu: String,
    /// The engine's version; empty or absent if it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_version: Option<String>,
    /// The agent's capabilities.
    #[serde(default)]
    pub capabilities: Vec<Capability>,
    /// Interface name to address, without virtual interfaces; `default` is the address of the interface with the
    /// default route.
    #[serde(default, deserialize_with = "lenient::texts")]
    pub networks: BTreeMap<String, String>,
    /// The machine's host name; absent from legacy agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Kernel release, such as `6.1.0-28-amd64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// Number of logical cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Version of control groups: `v1` or `v2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// The agent's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<String>,
    /// The folder of the servers' data, as a path on the host if the agent is in a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<String>,
    /// The container engine; absent from legacy agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// The firewall rules for games; absent until their state is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall: Option<Firewall>,
    /// Problems of the machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// The outcome of the last upgrade of its program; absent if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<UpgradeOutcome>,
}

/// Usage of memory or a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Bytes in use.
    pub used: u64,
    /// Total bytes.
    pub total: u64,
}

/// Extension: `node_stats`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStats {
    /// CPU usage in percent of the whole machine, 0 to 100.
    pub cpu: f64,
    /// Memory that is not available.
    pub memory: Space,
    /// The file system of the data folder.
    pub disk: Space,
    /// When it was measured or sent, by the agent's clock.
    pub timestamp: Timestamp,
}

/// Extension: `host_check`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCheck {
    /// The image to look for, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The ports to check.
    #[serde(default)]
    pub ports: Vec<Port>,
    /// Whether to query the image's registry. Needs the capability `registry`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub registry: bool,
}

/// Extension: `host_report`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostReport {
    /// Whether the engine has the image.
    pub image_present: bool,
    /// The variables set by the image, among those for which our agent has defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "lenient::texts")]
    pub image_environment: BTreeMap<String, String>,
    /// The requested ports that another program uses.
    #[serde(default)]
    pub ports_taken: Vec<Port>,
    /// Memory of the machine; `total - used` is available to a new server.
    pub memory: Space,
    /// The file system of the data folder.
    pub disk: Space,
    /// What the image's registry says; absent if not requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageReport>,
}

/// What a registry says about an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageReport {
    /// CPU architectures it supports, by their Docker names; empty if unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// Whether the registry has another image under this reference than the engine; absent if the engine has none or
    /// cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer: Option<bool>,
    /// Why the registry gave no answer, for users; absent if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Payload for HostCheck {
    fn bound(&mut self) -> Result<(), String> {
        let Self { image, ports, registry: _ } = self;
        payload::ports(ports.len())?;
        payload::some("image", image.as_deref(), payload::IMAGE)
    }

    fn server_id(&self) -> Option<&ServerId> {
        None
    }
}
