//! Messages about the machine that an agent runs on.

use std::collections::BTreeMap;

use ids::{NodeId, ServerId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::codes::ProblemCode;
use super::payload::{self, Payload};
use super::{Port, UpgradeOutcome, lenient};

/// A word in `system_info.capabilities`.
pub type Capability = String;

/// The words that our agent knows.
pub mod capability {
    /// Part 1.
    pub const DOCKER: &str = "docker";
    /// Part 1.
    pub const MONITORING: &str = "monitoring";
    /// Every request is answered under its id.
    pub const ACK: &str = "ack";
    /// `sync` follows `system_info`.
    pub const SYNC: &str = "sync";
    /// `console_*`.
    pub const CONSOLE: &str = "console";
    /// `console_lines` tell of the unfinished line, where it was asked for.
    pub const PARTIAL: &str = "partial";
    /// `stats_*`, `node_stats`.
    pub const STATS: &str = "stats";
    /// `install_cancel`, progress of installs.
    pub const INSTALL: &str = "install";
    /// `host_check`.
    pub const HOST_CHECK: &str = "host-check";
    /// `server_describe`.
    pub const DESCRIBE: &str = "describe";
    /// `file_read` and `file_write`.
    pub const FILES: &str = "files";
    /// All other messages about files: `file_*`, `upload_*`, `disk_usage`.
    pub const FILE_MANAGER: &str = "file-manager";
    /// `blockLan` of a server, and `system_info.firewall`.
    pub const BLOCK_LAN: &str = "block-lan";
    /// The status `paused` and the power action `resume`.
    pub const PAUSE: &str = "pause";
    /// `template` of a server, `wipe` of a reinstall, `install_log`.
    pub const TEMPLATES: &str = "templates";
    /// `transfer_*`: servers may move here and away.
    pub const TRANSFER: &str = "transfer";
    /// `upgrade_receive`: a guard watches over this agent's program and goes back where the next one does not come up, and the
    /// agent knows the key by which programs of a release are known.
    pub const UPGRADE: &str = "upgrade";
    /// `registry_login`, and `registry` of `host_check`.
    pub const REGISTRY: &str = "registry";
    /// `backup_*`.
    pub const BACKUP: &str = "backup";
    /// `location`, `limits` and `ignore` of backups, and the actions `test`, `check` and `prune`.
    pub const BACKUP_TARGETS: &str = "backup-targets";
}

/// `heartbeat`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heartbeat {
    /// The node's id; empty where the agent does not say.
    #[serde(default, deserialize_with = "lenient::text")]
    pub node_id: NodeId,
    /// When it was measured or sent, by the agent's clock.
    #[serde(default = "Timestamp::now", deserialize_with = "lenient::time")]
    pub timestamp: Timestamp,
    /// Always `online`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub status: String,
}

/// The container engine as the agent sees it. Part 2.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Engine {
    /// Whether the engine answers.
    pub available: bool,
    /// The engine's version; absent where it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The API version that was agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Why it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Something that is wrong, and what to do. Part 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What it is, for programs.
    pub code: ProblemCode,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// Whether an agent's firewall rules for games are in place. Part 2.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// They are: games with `blockLan` reach no LAN address.
    pub active: bool,
    /// Why they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `system_info`. All below `networks` is part 2.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemInfo {
    /// The node's id; empty where the agent does not say.
    #[serde(default)]
    pub node_id: NodeId,
    /// `linux`.
    #[serde(default)]
    pub os: String,
    /// In Go's words: `amd64`, `arm64`, `arm`.
    #[serde(default)]
    pub arch: String,
    /// Memory of the machine in bytes; 0 where unknown.
    #[serde(default, deserialize_with = "lenient::unsigned")]
    pub memory: u64,
    /// For people, such as `4 cores, Cortex-A72`.
    #[serde(default, deserialize_with = "lenient::text")]
    pub cpu: String,
    /// Empty or missing where the engine does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_version: Option<String>,
    /// What this agent can do.
    #[serde(default)]
    pub capabilities: Vec<Capability>,
    /// Interface name to address, the machine's own on its networks; the one with the default route first by name
    /// is `default`.
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
    /// Where servers' folders lie, as the host has them where the agent is in a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<String>,
    /// The container engine; absent from legacy agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// The firewall rules for games; nothing before that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall: Option<Firewall>,
    /// What is wrong with the machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// What became of the last upgrade of its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<UpgradeOutcome>,
}

/// Bytes of something that fills up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Bytes in use.
    pub used: u64,
    /// Bytes in all.
    pub total: u64,
}

/// Part 2: `node_stats`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStats {
    /// Percent of the whole machine, 0 to 100.
    pub cpu: f64,
    /// Memory that is not available.
    pub memory: Space,
    /// The file system of the data folder.
    pub disk: Space,
    /// When it was measured or sent, by the agent's clock.
    pub timestamp: Timestamp,
}

/// Part 2: `host_check`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCheck {
    /// Is this image here already?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Are these ports free on the host?
    #[serde(default)]
    pub ports: Vec<Port>,
    /// What does the image's registry say of it? Takes the capability `registry`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub registry: bool,
}

/// Part 2: `host_report`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostReport {
    /// The engine has the image.
    pub image_present: bool,
    /// Which of the variables that a game gets from us this image sets by itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "lenient::texts")]
    pub image_environment: BTreeMap<String, String>,
    /// Those of the asked ports that another program holds.
    #[serde(default)]
    pub ports_taken: Vec<Port>,
    /// Memory of the machine; `total - used` is what a new server could have.
    pub memory: Space,
    /// The file system of the data folder.
    pub disk: Space,
    /// What the image's registry says; absent where it was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageReport>,
}

/// What a registry says of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageReport {
    /// CPU architectures that it is made for, in Docker's words; none where that is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// Whether the registry has another image under this reference than the engine; absent where the engine has none, or
    /// cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer: Option<bool>,
    /// Why the registry did not say, for people.
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
