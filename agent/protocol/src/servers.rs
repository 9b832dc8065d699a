//! Messages about game servers: requests, and settings.

use std::collections::BTreeMap;

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::lenient;
use super::payload::{self, IMAGE, LINE, PATH, Payload, WORD, id, some, within};
use super::templates::ServerTemplate;

/// A message about one server without further data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerRef {
    /// The server's id.
    pub server_id: ServerId,
}

/// `server_reinstall`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerReinstall {
    /// The server's id.
    pub server_id: ServerId,
    /// Extension, for agents with the capability `templates`: whether to delete its files first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wipe: bool,
}

/// `server_power`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerPower {
    /// The server's id.
    pub server_id: ServerId,
    /// The action, by name.
    pub action: PowerAction,
}

/// A power action on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerAction {
    /// Start it if it is stopped, crashed or failed to install.
    Start,
    /// Stop it cleanly, with the template's command or signal first.
    Stop,
    /// Stop, then start.
    Restart,
    /// Send SIGKILL at once.
    Kill,
    /// Extension, for agents with the capability `pause`: resume it if it is paused.
    Resume,
}

/// `tcp` or `udp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TCP.
    #[serde(alias = "TCP")]
    Tcp,
    /// UDP.
    #[serde(alias = "UDP")]
    Udp,
}

impl Protocol {
    /// `"tcp"` or `"udp"`, as in Docker.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Port {
    /// Port number inside the container.
    pub internal: u16,
    /// Port number on the host.
    pub external: u16,
    /// The transport protocol.
    pub protocol: Protocol,
}

fn default_io() -> i64 {
    500
}

fn usual_processes() -> i64 {
    512
}

fn is_usual_processes(processes: &i64) -> bool {
    *processes == usual_processes()
}

/// Resource limits of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory in bytes; 0 for no limit.
    #[serde(default, deserialize_with = "lenient::signed")]
    pub memory: i64,
    /// Swap in bytes, in addition to `memory`; -1 for no limit.
    #[serde(default, deserialize_with = "lenient::signed")]
    pub swap: i64,
    /// Size of its folder in bytes; 0 for no limit.
    #[serde(default, deserialize_with = "lenient::signed")]
    pub disk: i64,
    /// Block I/O weight, 10 to 1000.
    #[serde(default = "default_io", deserialize_with = "lenient::signed")]
    pub io: i64,
    /// CPU in percent of one core; 0 for no limit.
    #[serde(default, deserialize_with = "lenient::signed")]
    pub cpu: i64,
    /// Processes and threads, 16 to 16,384. The usual number is not sent: other agents do not know this field.
    #[serde(
        default = "usual_processes",
        deserialize_with = "lenient::signed",
        skip_serializing_if = "is_usual_processes"
    )]
    pub processes: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 0, swap: 0, disk: 0, io: default_io(), cpu: 0, processes: usual_processes() }
    }
}

/// The user of the container's process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerUser {
    /// 988:988 if the agent may change file owners (as root, or with that capability alone), else the agent's own ids;
    /// the data folder belongs to them.
    #[default]
    Agent,
    /// The image's user.
    Image,
    /// This `uid:gid`, which also owns the data folder.
    Fixed(String),
}

/// How the startup line is passed to the container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartupMode {
    /// `/bin/sh -c LINE`; an empty line is the image's own command.
    #[default]
    Shell,
    /// The image's entrypoint reads the variable `STARTUP`.
    Variable,
}

/// How the game is stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// By a console line.
    Command(String),
    /// By a signal, such as `SIGINT`.
    Signal(String),
}

impl Default for Stop {
    fn default() -> Self {
        Self::Signal("SIGTERM".into())
    }
}

/// Extension: how a template's image is run. Every field may be omitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Behaviour {
    /// The user of the process.
    pub user: ContainerUser,
    /// Mount point of the server's folder.
    pub data_path: String,
    /// The working directory; absent for `data_path`, empty for the image's own.
    pub working_dir: Option<String>,
    /// Whether the root file system is read-only.
    pub read_only_root: bool,
    /// How the startup line is passed.
    pub startup_mode: StartupMode,
    /// How the game is stopped.
    pub stop: Stop,
    /// Seconds from the stop to SIGTERM (or, if the stop is SIGTERM, to SIGKILL).
    pub stop_timeout: u32,
    /// The ready line: a line that contains this text, or with the prefix `regex:` matches the expression. Absent: the
    /// server is running as soon as its container is started.
    pub ready: Option<String>,
    /// Whether it is restarted after a crash; defaults to true.
    #[serde(skip_serializing_if = "is_true")]
    pub restart_after_crash: bool,
    /// Whether to stop the server when its files exceed the disk limit; true if absent.
    #[serde(skip_serializing_if = "is_true")]
    pub stop_at_disk_limit: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
fn is_true(flag: &bool) -> bool {
    *flag
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            user: ContainerUser::default(),
            data_path: "/home/container".into(),
            working_dir: None,
            read_only_root: true,
            startup_mode: StartupMode::default(),
            stop: Stop::default(),
            stop_timeout: 30,
            ready: None,
            restart_after_crash: true,
            stop_at_disk_limit: true,
        }
    }
}

/// `server_create`: all settings of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerCreate {
    /// The server's id.
    pub server_id: ServerId,
    /// Extension: display name, for log lines only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Image reference, with or without a tag.
    pub image: String,
    /// Startup line; may be empty.
    #[serde(default)]
    pub startup: String,
    /// Environment of the container.
    #[serde(default, deserialize_with = "lenient::texts")]
    pub environment: BTreeMap<String, String>,
    /// Resource limits.
    #[serde(default)]
    pub limits: Limits,
    /// Published ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// Extension: whether it must not reach the machine and local networks; the internet stays reachable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub block_lan: bool,
    /// Extension: how to run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<Behaviour>,
    /// Extension: the parts of its template that matter on the node; absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Box<ServerTemplate>>,
}

/// Extension: `server_description`: the agent's settings of a server, so that a panel that does not know it can adopt
/// it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerDescription {
    /// The last settings.
    pub spec: ServerCreate,
    /// Whether it is suspended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
}

/// `server_update`: absent fields stay unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerUpdate {
    /// The server's id.
    pub server_id: ServerId,
    /// Extension: display name, for log lines only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Extension: image reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The startup line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<String>,
    /// All environment variables.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::texts_or_nothing"
    )]
    pub environment: Option<BTreeMap<String, String>>,
    /// All limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Extension: all ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<Port>>,
    /// Extension: whether it must not reach local networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_lan: Option<bool>,
    /// Extension: how to run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<Behaviour>,
    /// Extension: the parts of its template that matter on the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Box<ServerTemplate>>,
}

impl Payload for ServerRef {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id } = self;
        id(server_id)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for ServerReinstall {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, wipe: _ } = self;
        id(server_id)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for ServerPower {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, action: _ } = self;
        id(server_id)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for ServerCreate {
    fn bound(&mut self) -> Result<(), String> {
        let Self {
            server_id,
            name,
            image,
            startup,
            environment,
            limits: _,
            ports,
            block_lan: _,
            behaviour,
            template,
        } = self;
        some("name", name.as_deref(), IMAGE)?;
        id(server_id)?;
        within("image", image, IMAGE)?;
        within("startup", startup, LINE)?;
        payload::environment(environment)?;
        payload::ports(ports.len())?;
        behaviour.as_ref().map_or(Ok(()), Behaviour::bounded)?;
        template.as_ref().map_or(Ok(()), |template| template.bounded())
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for ServerUpdate {
    fn bound(&mut self) -> Result<(), String> {
        let Self {
            server_id,
            name,
            image,
            startup,
            environment,
            limits: _,
            ports,
            block_lan: _,
            behaviour,
            template,
        } = self;
        some("name", name.as_deref(), IMAGE)?;
        id(server_id)?;
        some("image", image.as_deref(), IMAGE)?;
        some("startup", startup.as_deref(), LINE)?;
        environment.as_ref().map_or(Ok(()), payload::environment)?;
        payload::ports(ports.as_ref().map_or(0, Vec::len))?;
        behaviour.as_ref().map_or(Ok(()), Behaviour::bounded)?;
        template.as_ref().map_or(Ok(()), |template| template.bounded())
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Behaviour {
    fn bounded(&self) -> Result<(), String> {
        let Self {
            user,
            data_path,
            working_dir,
            read_only_root: _,
            startup_mode: _,
            stop,
            stop_timeout: _,
            ready,
            restart_after_crash: _,
            stop_at_disk_limit: _,
        } = self;
        user.bounded()?;
        within("dataPath", data_path, PATH)?;
        some("workingDir", working_dir.as_deref(), PATH)?;
        match stop {
            Stop::Command(line) => within("stop", line, LINE)?,
            Stop::Signal(name) => within("stop", name, WORD)?,
        }
        some("ready", ready.as_deref(), LINE)
    }
}

impl ContainerUser {
    pub(super) fn bounded(&self) -> Result<(), String> {
        match self {
            Self::Agent | Self::Image => Ok(()),
            Self::Fixed(pair) => within("user", pair, WORD),
        }
    }
}
