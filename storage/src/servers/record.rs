//! The record of a game server.

use std::collections::BTreeMap;
use std::fmt;

use ids::{NodeId, ServerId};
use serde::{Deserialize, Serialize};

use crate::Millis;

/// The intended state of a game server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// Id; never changes. Names the container and the data folder.
    pub id: ServerId,
    /// Display name.
    pub name: String,
    /// The node it is placed on.
    pub node_id: NodeId,
    /// Id of the template it was created from.
    #[serde(default)]
    pub template_id: Option<String>,
    /// The container image.
    pub image: String,
    /// The startup line; empty for the image's own command.
    pub startup: String,
    /// Variables for the startup line and the container's environment.
    pub environment: BTreeMap<String, String>,
    /// Its resource limits.
    pub limits: Limits,
    /// The ports it is reached at.
    pub ports: Vec<Port>,
    /// Whether it cannot reach the private networks of its machine.
    #[serde(default)]
    pub block_lan: bool,
    /// Whether an administrator suspended it.
    #[serde(default)]
    pub suspended: bool,
    /// When it was created.
    pub created_at: Millis,
    /// When its settings last changed.
    pub updated_at: Millis,
    /// How its image is run.
    #[serde(default)]
    pub behaviour: Behaviour,
    /// Whether its agent confirmed that it has the server; if it is missing later, the agent lost it.
    #[serde(default)]
    pub handed_over: bool,
    /// Whether it is started once its installation is complete.
    #[serde(default)]
    pub start_when_installed: bool,
    /// Its deletion in progress, if any.
    #[serde(default)]
    pub deleting: Option<Deletion>,
    /// Its template at the time of creation, in the native form as JSON; absent if the template had none.
    #[serde(default)]
    pub template: Option<String>,
}

/// A requested deletion. Written before anything is deleted, so that an interrupted one continues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// When it was requested.
    pub since: Millis,
    /// Name of the account that requested it.
    pub by: String,
    /// Whether to remove the record even if the node cannot be reached.
    #[serde(default)]
    pub force: bool,
    /// Whether its backups are kept.
    #[serde(default)]
    pub keep_backups: bool,
}

/// Resource limits of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory in bytes; 0 for no limit.
    pub memory: i64,
    /// Swap in bytes, in addition to memory; -1 for no limit.
    pub swap: i64,
    /// Disk space in bytes; 0 for no limit.
    pub disk: i64,
    /// I/O weight relative to other containers, 10 to 1000.
    pub io: i64,
    /// CPU in percent of one core; 0 for no limit.
    pub cpu: i64,
    /// Processes and threads.
    #[serde(default = "usual_processes")]
    pub processes: i64,
}

fn usual_processes() -> i64 {
    512
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 0, swap: 0, disk: 0, io: 500, cpu: 0, processes: usual_processes() }
    }
}

/// Transport protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// A port of the node, forwarded to one of the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Port inside the container.
    pub internal: u16,
    /// Port on the node; unique there per protocol.
    pub external: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
}

/// How the image is run, according to the template. Copied when the server is created, so that changes of the template
/// never affect existing servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Behaviour {
    /// User of the game.
    pub user: ContainerUser,
    /// Where the server's data is mounted.
    pub data_path: String,
    /// Working directory, if it is not the data path.
    pub working_dir: Option<String>,
    /// Whether the file system is read-only except for the data.
    pub read_only_root: bool,
    /// How the startup line reaches the image.
    pub startup_mode: StartupMode,
    /// How the game is asked to stop.
    pub stop: Stop,
    /// Time limit for stopping, in seconds.
    pub stop_timeout_secs: u32,
    /// The ready line, printed once players can join: a part of the line, or `regex:` and an expression.
    pub ready: Option<String>,
    /// Whether it is started again after a crash.
    pub restart_after_crash: bool,
    /// Whether the server is stopped when its files exceed the disk limit.
    pub stop_at_disk_limit: bool,
    /// CPU architectures supported by the image, as named by Docker; empty for any.
    pub architectures: Vec<String>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            user: ContainerUser::Agent,
            data_path: "/home/container".to_owned(),
            working_dir: None,
            read_only_root: true,
            startup_mode: StartupMode::Shell,
            stop: Stop::Signal("SIGTERM".to_owned()),
            stop_timeout_secs: 30,
            ready: None,
            restart_after_crash: true,
            stop_at_disk_limit: true,
            architectures: Vec::new(),
        }
    }
}

/// The user of a game inside its container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerUser {
    /// Chosen by the agent: 988:988 if it may change file owners, else its own user.
    Agent,
    /// The image's user.
    Image,
    /// This user, as `uid:gid`.
    Fixed(String),
}

/// How the startup line reaches the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartupMode {
    /// `/bin/sh -c LINE`.
    Shell,
    /// In the variable `STARTUP`, which the image's entrypoint reads.
    Variable,
    /// Not passed: the image's own command is run.
    ImageOwn,
}

/// How a game is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// By this console line.
    Command(String),
    /// By this signal, for example `SIGTERM`.
    Signal(String),
}
