//! The record of a game server.

use std::collections::BTreeMap;
use std::fmt;

use ids::{NodeId, ServerId};
use serde::{Deserialize, Serialize};

use crate::Millis;

/// A game server as it should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// Never changes; names the container and the data folder.
    pub id: ServerId,
    /// What people call it.
    pub name: String,
    /// The node on which it lives.
    pub node_id: NodeId,
    /// The template that it was made from.
    #[serde(default)]
    pub template_id: Option<String>,
    /// The container image.
    pub image: String,
    /// The startup line; empty for the image's own command.
    pub startup: String,
    /// Values for the startup line and the container's environment.
    pub environment: BTreeMap<String, String>,
    /// What it may use.
    pub limits: Limits,
    /// The ports that it is reached by.
    pub ports: Vec<Port>,
    /// Whether it is kept from the networks of its machine.
    #[serde(default)]
    pub block_lan: bool,
    /// Whether an administrator has put it out of use.
    #[serde(default)]
    pub suspended: bool,
    /// When it was made.
    pub created_at: Millis,
    /// When its settings last changed.
    pub updated_at: Millis,
    /// How its image is run.
    #[serde(default)]
    pub behaviour: Behaviour,
    /// Whether its agent has said that it has it: one that lacks it later has lost it.
    #[serde(default)]
    pub handed_over: bool,
    /// Whether it is started as soon as its image was fetched.
    #[serde(default)]
    pub start_when_installed: bool,
    /// Its deletion, where that was begun and is not over.
    #[serde(default)]
    pub deleting: Option<Deletion>,
    /// Its template as it was when the server was made, in the native form as JSON; absent where the template had none.
    #[serde(default)]
    pub template: Option<String>,
}

/// A deletion that was asked for. Written before anything is deleted, so that one that was cut short goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// When it was asked for.
    pub since: Millis,
    /// The name of the account that asked.
    pub by: String,
    /// The server is forgotten even where its node can't be told.
    #[serde(default)]
    pub force: bool,
}

/// What a server may use of its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes, 0 for no limit.
    pub memory: i64,
    /// Bytes beyond memory, -1 for no limit.
    pub swap: i64,
    /// Bytes, 0 for no limit.
    pub disk: i64,
    /// Weight against others, 10 to 1000.
    pub io: i64,
    /// Percent of one core, 0 for no limit.
    pub cpu: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 0, swap: 0, disk: 0, io: 500, cpu: 0 }
    }
}

/// TCP or UDP.
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

/// A port of the node that leads to one of the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Inside the container.
    pub internal: u16,
    /// On the node; unique there together with the protocol.
    pub external: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
}

/// What the template said about how the image is run. Copied when the server is made, so that a template's change never
/// alters a server by surprise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Behaviour {
    /// Who the game runs as.
    pub user: ContainerUser,
    /// Where the server's data is mounted.
    pub data_path: String,
    /// The working directory, where it is not the data path.
    pub working_dir: Option<String>,
    /// Whether everything but the data is read-only.
    pub read_only_root: bool,
    /// How the startup line reaches the image.
    pub startup_mode: StartupMode,
    /// How the game is asked to stop.
    pub stop: Stop,
    /// How long it may take over that, in seconds.
    pub stop_timeout_secs: u32,
    /// What the console says once players can join: a part of the line, or `regex:` and an expression.
    pub ready: Option<String>,
    /// Whether it is started again after a crash.
    pub restart_after_crash: bool,
    /// CPU architectures that the image is made for, in Docker's words; none for any.
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
            architectures: Vec::new(),
        }
    }
}

/// Who a game runs as inside its container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerUser {
    /// The agent's choice: 988:988 where it may give files away, else its own user.
    Agent,
    /// The one that the image names.
    Image,
    /// This one, as `uid:gid`.
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
    /// Not at all: the image's own command is run.
    ImageOwn,
}

/// How a game is asked to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// By a line on its console.
    Command(String),
    /// By a signal, named as in `SIGTERM`.
    Signal(String),
}
