//! The interface to a container engine, in terms of game servers. Implemented by [`crate::docker`]; the life cycle of
//! servers only knows this interface.

pub(crate) mod engine_watch;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use protocol::{ImageReport, Port, Progress, RegistryLogin, ServerId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};

use crate::stats::Counters;

/// A call to the engine.
pub type Call<'a, T> = BoxFuture<'a, Result<T, EngineError>>;

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The engine cannot be reached, hung up or took too long.
    Away,
    /// The container or image does not exist.
    Missing,
    /// The name is in use, or the container is in another state.
    Conflict,
    /// The disk is full.
    DiskFull,
    /// Any other error response.
    Refused,
}

/// A failed engine call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not {action}: {message}")]
pub struct EngineError {
    /// What was attempted, on what.
    pub action: String,
    /// Its kind.
    pub fault: Fault,
    /// The reason, for users.
    pub message: String,
}

impl EngineError {
    /// Creates an error of this kind.
    #[must_use]
    pub fn new(fault: Fault, action: impl Into<String>, message: impl Into<String>) -> Self {
        Self { action: action.into(), fault, message: message.into() }
    }
}

/// The engine's answer to a probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineInfo {
    /// The engine's version.
    pub version: String,
    /// The negotiated API version.
    pub api_version: String,
}

/// The specification of a container: every setting that is ever used, and nothing that a message could extend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// The server's id.
    pub server_id: ServerId,
    /// Fingerprint of the settings; returned as [`ContainerState::settings`].
    pub settings: String,
    /// Image reference.
    pub image: String,
    /// The process in it.
    pub process: Process,
    /// The server's folder, as this process sees it.
    pub data_dir: PathBuf,
    /// Mount point of the folder in the container.
    pub data_path: String,
    /// Whether the root is read-only, with a small writable `/tmp`.
    pub read_only_root: bool,
    /// Resource limits.
    pub resources: Resources,
    /// Published ports.
    pub ports: Vec<Port>,
    /// Whether it must not reach LAN addresses; the internet stays reachable.
    pub block_lan: bool,
    /// Small files mounted into it: its time zone and identity.
    pub files: Vec<MountedFile>,
}

/// The game's process in its container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Replaces the image's entrypoint and command; `None` keeps both.
    pub command: Option<Vec<String>>,
    /// Environment variables, which override the image's.
    pub environment: BTreeMap<String, String>,
    /// Variables used if neither `environment` nor the image has a value.
    pub defaults: BTreeMap<String, String>,
    /// User as `uid:gid`; `None` for the image's own.
    pub user: Option<String>,
    /// Working directory; `None` for the image's own.
    pub working_dir: Option<String>,
    /// Signal sent by `docker stop`.
    pub stop_signal: Option<String>,
}

/// Resource limits of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Bytes; 0 for no limit.
    pub memory: i64,
    /// Memory guaranteed to the game, in bytes; 0 for none.
    pub memory_reservation: i64,
    /// Bytes of memory and swap together; -1 for no limit.
    pub memory_swap: i64,
    /// Percent of one core; 0 for no limit.
    pub cpu: i64,
    /// Processes and threads.
    pub processes: i64,
    /// Block I/O weight; `None` for the engine's default.
    pub io_weight: Option<u16>,
}

/// A file mounted read-only into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountedFile {
    /// The file, as this process sees it.
    pub file: PathBuf,
    /// Its path in the container.
    pub place: String,
}

/// The specification of an install container: root, with the server's folder and the script's, and nothing that a
/// message could extend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstallContainer {
    /// The server's id.
    pub server_id: ServerId,
    /// Image reference.
    pub image: String,
    /// The command, or the arguments for the image's entrypoint.
    pub command: Vec<String>,
    /// Environment variables, which override the image's.
    pub environment: BTreeMap<String, String>,
    /// The server's folder, as this process sees it.
    pub server_dir: PathBuf,
    /// The script's folder, as this process sees it.
    pub script_dir: PathBuf,
    /// Bytes; 0 for no limit.
    pub memory: i64,
    /// Percent of one core; 0 for no limit.
    pub cpu: i64,
    /// Whether it must not reach LAN addresses; the internet stays reachable.
    pub block_lan: bool,
}

/// A created container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Created {
    /// The engine's id.
    pub id: String,
    /// Warnings of the engine.
    pub warnings: Vec<String>,
    /// Why it can reach LAN addresses although it must not, if so.
    pub lan_open: Option<String>,
}

/// Who created a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This agent, with this data folder.
    This,
    /// A legacy agent, which does not record its data folder: the Go agent.
    Legacy,
    /// Someone else; it must not be touched.
    Foreign,
}

/// The state of a container as reported by the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerState {
    /// The engine's id.
    pub id: String,
    /// Id of the server, according to its label.
    pub server_id: Option<ServerId>,
    /// Who created it.
    pub owner: Owner,
    /// Whether it is running.
    pub running: bool,
    /// Whether it is running and paused.
    pub paused: bool,
    /// Whether it is being removed.
    pub removing: bool,
    /// Process id of its main process on the host.
    pub pid: Option<u32>,
    /// Time of its last start.
    pub started_at: Option<Timestamp>,
    /// Exit code of the last run.
    pub exit_code: i64,
    /// Whether the kernel killed a process of the last run for lack of memory.
    pub oom_killed: bool,
    /// Why the engine could not start it.
    pub error: Option<String>,
    /// Fingerprint of the settings it was created with.
    pub settings: Option<String>,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Image reference.
    pub image: String,
    /// Its address on the engine's network; `None` if it does not run, or has the host's network.
    pub address: Option<IpAddr>,
}

/// What the engine was told to do to a container before its last run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// It was told to stop it.
    pub stopped: bool,
    /// It was told to kill it.
    pub killed: bool,
}

/// How a legacy agent created a container, as far as needed to create an equal one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignContainer {
    /// Startup line for the shell; empty for the image's own command.
    pub startup: String,
    /// Variables that differ from the image's own.
    pub environment: BTreeMap<String, String>,
    /// Working directory, `/` if none was set.
    pub working_dir: String,
    /// Bytes; 0 for no limit.
    pub memory: i64,
    /// Percent of one core; 0 for no limit.
    pub cpu: i64,
    /// Published ports.
    pub ports: Vec<Port>,
    /// Paths in it that are mounted from elsewhere.
    pub mounts: Vec<String>,
}

/// Which part of a container's log to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRange {
    /// Maximum number of lines, counted from the end; `None` for all.
    pub last: Option<u32>,
    /// Start time; `None` for the beginning.
    pub since: Option<Timestamp>,
}

/// A stream of log bytes.
pub type LogReader = Box<dyn AsyncRead + Send + Unpin>;

/// The two ends of a container's terminal.
pub struct Attached {
    /// Its output.
    pub output: Box<dyn AsyncRead + Send + Unpin>,
    /// Its input.
    pub input: Box<dyn AsyncWrite + Send + Unpin>,
}

impl Debug for Attached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attached")
    }
}

/// A container engine. Every call ends within its deadline (30 s at most), except [`Runtime::wait`], [`Runtime::pull`],
/// [`Runtime::copy_out`] and [`Runtime::paused_or_not`], which run until the caller drops them.
pub trait Runtime: Debug + Send + Sync + 'static {
    /// Checks that the engine answers and negotiates the API version.
    fn probe(&self, deadline: Duration) -> Call<'_, EngineInfo>;
    /// Whether the engine has this image.
    fn has_image<'a>(&'a self, image: &'a str) -> Call<'a, bool> {
        Box::pin(async move { Ok(self.image_environment(image).await?.is_some()) })
    }
    /// The variables set by an image; `None` if the engine does not have it.
    fn image_environment<'a>(&'a self, image: &'a str) -> Call<'a, Option<BTreeMap<String, String>>>;
    /// Pulls an image; reports progress at most four times a second.
    fn pull<'a>(&'a self, image: &'a str, progress: &'a watch::Sender<Option<Progress>>) -> Call<'a, ()>;
    /// What the image's registry says about it. Takes some seconds at most.
    fn image_at_registry<'a>(&'a self, image: &'a str) -> Call<'a, ImageReport>;
    /// Sets the login for a registry, used by pulls of the next hour.
    fn log_in(&self, login: RegistryLogin);
    /// The image's user as `uid:gid`; names are looked up in `container`, which was created from it.
    fn image_user<'a>(&'a self, image: &'a str, container: &'a str) -> Call<'a, String>;
    /// Creates a container under the server's name.
    fn create<'a>(&'a self, container: &'a Container) -> Call<'a, Created>;
    /// Address by which containers reach this machine, if known.
    fn gateway(&self, block_lan: bool) -> Option<String>;
    /// Creates an install container under its own name.
    fn create_install<'a>(&'a self, container: &'a InstallContainer) -> Call<'a, Created>;
    /// The install container of a server; `None` if there is none.
    fn inspect_install<'a>(&'a self, server_id: &'a str) -> Call<'a, Option<ContainerState>>;
    /// Makes the container of a server's restore test, under a name of its own: no port is published, and there is no network.
    fn create_test<'a>(&'a self, container: &'a Container) -> Call<'a, Created>;
    /// The container of a server's restore test, where there is one.
    fn inspect_test<'a>(&'a self, server_id: &'a ServerId) -> Call<'a, Option<ContainerState>>;
    /// Starts a container; no error if it is already running.
    fn start<'a>(&'a self, id: &'a str) -> Call<'a, ()>;
    /// Connects to its terminal; output starts from now.
    fn attach<'a>(&'a self, id: &'a str, tty: bool) -> Call<'a, Attached>;
    /// Reads its log: lines preceded by the engine's time, up to the present. Reading the stream has no deadline.
    fn log<'a>(&'a self, id: &'a str, tty: bool, range: LogRange) -> Call<'a, LogReader>;
    /// Sets the terminal's size, if it was not set at creation.
    fn resize<'a>(&'a self, id: &'a str) -> Call<'a, ()>;
    /// Resolves with the exit code when it is not running (any more).
    fn wait<'a>(&'a self, id: &'a str) -> Call<'a, i64>;
    /// Sends a signal to its main process.
    fn signal<'a>(&'a self, id: &'a str, signal: &'a str) -> Call<'a, ()>;
    /// Resumes a paused container.
    fn unpause<'a>(&'a self, id: &'a str) -> Call<'a, ()>;
    /// What the engine was told to do to it, by anyone, before its last run ended.
    fn told<'a>(&'a self, id: &'a str) -> Call<'a, Told>;
    /// Signals sent to it through the engine since its start.
    fn signals<'a>(&'a self, id: &'a str) -> Call<'a, Vec<String>>;
    /// Sends the ids of servers whose containers are paused or resumed, as it happens; the stream ends from time to
    /// time.
    fn paused_or_not(&self, to: mpsc::Sender<String>) -> Call<'_, ()>;
    /// Kills and removes it; no error if it does not exist.
    fn remove<'a>(&'a self, id: &'a str) -> Call<'a, ()>;
    /// The state of a container by id; `None` if it does not exist.
    fn inspect<'a>(&'a self, id: &'a str) -> Call<'a, Option<ContainerState>>;
    /// The container with a server's name; `None` if there is none.
    fn inspect_server<'a>(&'a self, server_id: &'a ServerId) -> Call<'a, Option<ContainerState>>;
    /// How a legacy agent created a container; `None` if it does not exist.
    fn describe<'a>(&'a self, id: &'a str) -> Call<'a, Option<ForeignContainer>>;
    /// Disables its restart policy.
    fn disable_restart<'a>(&'a self, id: &'a str) -> Call<'a, ()>;
    /// Sends the content of a folder in a container as a tar archive in chunks; ends early if the receiver is dropped.
    fn copy_out<'a>(&'a self, id: &'a str, folder: &'a str, to: mpsc::Sender<Bytes>) -> Call<'a, ()>;
    /// All containers created by an agent, running or not, as (server id, owner).
    fn list(&self) -> Call<'_, Vec<(ServerId, Owner)>>;
    /// Its resource usage so far. `pid` is its main process, if known.
    fn counters<'a>(&'a self, id: &'a str, pid: Option<u32>) -> Call<'a, Counters>;
}
