//! Messages about game servers: what is asked of one, and the settings it should have.

use std::collections::BTreeMap;

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::lenient;
use super::payload::{self, IMAGE, LINE, PATH, Payload, WORD, id, some, within};
use super::templates::ServerTemplate;

/// A message about one server that says nothing more.
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
    /// Part 2, for an agent that told of `templates`: its files are thrown away first.
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

/// What one may do to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerAction {
    /// From stopped, crashed or a failed install.
    Start,
    /// Cleanly, with the template's command or signal first.
    Stop,
    /// Stop, then start.
    Restart,
    /// SIGKILL now.
    Kill,
    /// Part 2, for an agent that told of `pause`: let one that stands still go on.
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
    /// `"tcp"` or `"udp"`, as Docker and people write it.
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
    /// Which of the two.
    pub protocol: Protocol,
}

fn default_io() -> i64 {
    500
}

/// What a server may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes; 0 for no limit.
    #[serde(default, deserialize_with = "lenient::signed")]
    pub memory: i64,
    /// Bytes beyond `memory`; -1 for no limit.
    #[serde(default, deserialize_with = "lenient::signed")]
    pub swap: i64,
    /// Bytes of its folder; 0 for no limit.
    #[serde(default, deserialize_with = "lenient::signed")]
    pub disk: i64,
    /// Block I/O weight, 10 to 1000.
    #[serde(default = "default_io", deserialize_with = "lenient::signed")]
    pub io: i64,
    /// Percent of one core; 0 for no limit.
    #[serde(default, deserialize_with = "lenient::signed")]
    pub cpu: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 0, swap: 0, disk: 0, io: default_io(), cpu: 0 }
    }
}

/// As whom the container's process runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerUser {
    /// 988:988 where the agent may give files away (as root, or with that right alone), otherwise the agent's own ids; its data folder belongs to them.
    #[default]
    Agent,
    /// Whatever the image says.
    Image,
    /// This `uid:gid`, which also owns the data folder.
    Fixed(String),
}

/// How the startup line gets to the container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartupMode {
    /// `/bin/sh -c LINE`; an empty line is the image's own command.
    #[default]
    Shell,
    /// The image's entrypoint reads the variable `STARTUP`.
    Variable,
}

/// How the game is asked to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// A line on its console.
    Command(String),
    /// A signal by name, such as `SIGINT`.
    Signal(String),
}

impl Default for Stop {
    fn default() -> Self {
        Self::Signal("SIGTERM".into())
    }
}

/// Part 2: how a template's image wants to be run. All of it may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Behaviour {
    /// The user that the process runs as.
    pub user: ContainerUser,
    /// Where the server's folder is mounted.
    pub data_path: String,
    /// The working directory; `data_path` where not given, the image's own for an empty string.
    pub working_dir: Option<String>,
    /// Read-only root file system.
    pub read_only_root: bool,
    /// How the startup line gets in.
    pub startup_mode: StartupMode,
    /// How to ask for a stop.
    pub stop: Stop,
    /// Seconds from the stop to SIGTERM (or, where the stop is SIGTERM, to SIGKILL).
    pub stop_timeout: u32,
    /// A line that holds this says "running"; `regex:` before it makes it a regular expression. Without it the
    /// started container is running.
    pub ready: Option<String>,
    /// Whether it is started again after a crash; it is when left out.
    #[serde(skip_serializing_if = "is_true")]
    pub restart_after_crash: bool,
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
        }
    }
}

/// `server_create`: the whole of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerCreate {
    /// The server's id.
    pub server_id: ServerId,
    /// Part 2: how people call it; for log lines only.
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
    /// What it may use.
    #[serde(default)]
    pub limits: Limits,
    /// Published ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// Part 2: it reaches the internet, and no address of the machine or of local networks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub block_lan: bool,
    /// Part 2: how to run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<Behaviour>,
    /// Part 2: what its template says that is acted on at the node; absent where there is nothing, or where it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Box<ServerTemplate>>,
}

/// Part 2: `server_description`: what the agent keeps of a server, so that a panel that does not know it can take it over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerDescription {
    /// The server as it was last asked for.
    pub spec: ServerCreate,
    /// It may not start.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
}

/// `server_update`: what is left out stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerUpdate {
    /// The server's id.
    pub server_id: ServerId,
    /// Part 2: the server's name, for log lines; absent where it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Part 2: image reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The startup line; absent where it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<String>,
    /// The whole environment.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::texts_or_nothing"
    )]
    pub environment: Option<BTreeMap<String, String>>,
    /// All limits; absent where they stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Part 2: all ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<Port>>,
    /// Part 2: whether it is kept from local networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_lan: Option<bool>,
    /// Part 2: how to run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<Behaviour>,
    /// Part 2: what its template says that is acted on at the node; absent where there is nothing, or where it stays.
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
