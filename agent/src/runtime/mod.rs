//! What a container engine can do, in the words of a game server. [`crate::docker`] does it; the life cycle of a
//! server knows only this.

pub(crate) mod engine_watch;

use std::collections::BTreeMap;
use std::fmt::Debug;
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

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It cannot be reached, hung up or took too long.
    Away,
    /// There is no such container or image.
    Missing,
    /// The name is taken, or the container is in another state.
    Conflict,
    /// No room on the disk.
    DiskFull,
    /// Anything else that it said no to.
    Refused,
}

/// A call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not {action}: {message}")]
pub struct EngineError {
    /// What was tried, on what.
    pub action: String,
    /// How it failed.
    pub fault: Fault,
    /// Why, for a person.
    pub message: String,
}

impl EngineError {
    /// A failure of this kind.
    #[must_use]
    pub fn new(fault: Fault, action: impl Into<String>, message: impl Into<String>) -> Self {
        Self { action: action.into(), fault, message: message.into() }
    }
}

/// The engine as it answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineInfo {
    /// Its version.
    pub version: String,
    /// The API version that was agreed.
    pub api_version: String,
}

/// A container to be made: everything that we ever ask for, and nothing that a message could widen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// The server's id.
    pub server_id: ServerId,
    /// Tells settings apart; comes back as [`ContainerState::settings`].
    pub settings: String,
    /// Image reference.
    pub image: String,
    /// What runs in it.
    pub process: Process,
    /// The server's folder, as this process sees it.
    pub data_dir: PathBuf,
    /// Where it is mounted.
    pub data_path: String,
    /// Read-only root with a small writable `/tmp`.
    pub read_only_root: bool,
    /// What it may take of the machine.
    pub resources: Resources,
    /// Published ports.
    pub ports: Vec<Port>,
    /// It reaches the internet and no LAN address.
    pub block_lan: bool,
    /// Files of ours that it sees: its time zone, and who it is.
    pub files: Vec<MountedFile>,
}

/// The game's process in its container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Instead of the image's entrypoint and command; none keeps both.
    pub command: Option<Vec<String>>,
    /// Variables, whatever the image says.
    pub environment: BTreeMap<String, String>,
    /// Variables where neither `environment` nor the image has a value.
    pub defaults: BTreeMap<String, String>,
    /// `uid:gid`; none for the image's own.
    pub user: Option<String>,
    /// None for the image's own.
    pub working_dir: Option<String>,
    /// What `docker stop` would send.
    pub stop_signal: Option<String>,
}

/// What a container may take of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Bytes; 0 for no limit.
    pub memory: i64,
    /// Bytes that the game was promised; 0 for none.
    pub memory_reservation: i64,
    /// Bytes of memory and swap together; -1 for no limit.
    pub memory_swap: i64,
    /// Percent of one core; 0 for no limit.
    pub cpu: i64,
    /// Block I/O weight; none for the engine's default.
    pub io_weight: Option<u16>,
}

/// A file that a container sees and may not write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountedFile {
    /// The file, as this process sees it.
    pub file: PathBuf,
    /// Where it lies in the container.
    pub place: String,
}

/// The container of an install script: root, with the server's folder and the script's, and nothing that a message could
/// widen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstallContainer {
    /// The server's id.
    pub server_id: ServerId,
    /// Image reference.
    pub image: String,
    /// What the image's entrypoint gets, or the command itself.
    pub command: Vec<String>,
    /// Variables, whatever the image says.
    pub environment: BTreeMap<String, String>,
    /// The server's folder, as this process sees it.
    pub server_dir: PathBuf,
    /// The script's folder, as this process sees it.
    pub script_dir: PathBuf,
    /// Bytes; 0 for no limit.
    pub memory: i64,
    /// Percent of one core; 0 for no limit.
    pub cpu: i64,
    /// It reaches the internet and no LAN address.
    pub block_lan: bool,
}

/// A container that was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Created {
    /// The engine's id.
    pub id: String,
    /// What the engine did not like about it.
    pub warnings: Vec<String>,
    /// Why it reaches LAN addresses, where it is not to.
    pub lan_open: Option<String>,
}

/// Who made a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This agent, with this data folder.
    This,
    /// An agent that says nothing of its data folder: the Go agent.
    Legacy,
    /// Somebody else: hands off.
    Foreign,
}

/// A container as the engine tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerState {
    /// The engine's id.
    pub id: String,
    /// Of which server, by its label.
    pub server_id: Option<ServerId>,
    /// Who made it.
    pub owner: Owner,
    /// It runs.
    pub running: bool,
    /// It runs, and somebody has it stand still.
    pub paused: bool,
    /// Somebody is removing it.
    pub removing: bool,
    /// Its main process on the host.
    pub pid: Option<u32>,
    /// Its last start.
    pub started_at: Option<Timestamp>,
    /// Of the last run.
    pub exit_code: i64,
    /// The kernel ended the last run for want of memory.
    pub oom_killed: bool,
    /// Why the engine could not start it.
    pub error: Option<String>,
    /// With which settings it was made.
    pub settings: Option<String>,
    /// It has a terminal.
    pub tty: bool,
    /// Image reference.
    pub image: String,
}

/// What somebody told the engine to do to a container, before its last run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// To stop it.
    pub stopped: bool,
    /// To kill it.
    pub killed: bool,
}

/// How another agent made a container: what ours would have to be told to make the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignContainer {
    /// The line that its shell runs; empty for the image's own command.
    pub startup: String,
    /// What was set beside the image's own variables.
    pub environment: BTreeMap<String, String>,
    /// Where it works, `/` where nobody said.
    pub working_dir: String,
    /// Bytes; 0 for no limit.
    pub memory: i64,
    /// Percent of one core; 0 for no limit.
    pub cpu: i64,
    /// Published ports.
    pub ports: Vec<Port>,
    /// Places in it that lie elsewhere on the host.
    pub mounts: Vec<String>,
}

/// What to read of what the engine kept of a container's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRange {
    /// At most so many lines, the newest; none for all.
    pub last: Option<u32>,
    /// From then on; none for all.
    pub since: Option<Timestamp>,
}

/// Reads a log.
pub type LogReader = Box<dyn AsyncRead + Send + Unpin>;

/// The two ends of a container's terminal.
pub struct Attached {
    /// What it prints.
    pub output: Box<dyn AsyncRead + Send + Unpin>,
    /// What it reads.
    pub input: Box<dyn AsyncWrite + Send + Unpin>,
}

impl Debug for Attached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attached")
    }
}

/// A container engine. Every call ends within its deadline (30 s at most), but for [`Runtime::wait`],
/// [`Runtime::pull`], [`Runtime::copy_out`] and [`Runtime::paused_or_not`], which end when the caller drops them.
pub trait Runtime: Debug + Send + Sync + 'static {
    /// Is it there? Agrees on the API version.
    fn probe(&self, deadline: Duration) -> Call<'_, EngineInfo>;
    /// Has it this image?
    fn has_image<'a>(&'a self, image: &'a str) -> Call<'a, bool> {
        Box::pin(async move { Ok(self.image_environment(image).await?.is_some()) })
    }
    /// The variables that an image sets by itself; `None` where it does not have the image.
    fn image_environment<'a>(&'a self, image: &'a str) -> Call<'a, Option<BTreeMap<String, String>>>;
    /// Fetches an image, telling how far it is at most four times a second.
    fn pull<'a>(&'a self, image: &'a str, progress: &'a watch::Sender<Option<Progress>>) -> Call<'a, ()>;
    /// What the image's registry says of it, within some seconds.
    fn image_at_registry<'a>(&'a self, image: &'a str) -> Call<'a, ImageReport>;
    /// Who we are at a registry, for the calls of the next hour.
    fn log_in(&self, login: RegistryLogin);
    /// As whom the image runs: `uid:gid`, names looked up in a container that was made from it.
    fn image_user<'a>(&'a self, image: &'a str, container: &'a str) -> Call<'a, String>;
    /// Makes a container under the server's name.
    fn create<'a>(&'a self, container: &'a Container) -> Call<'a, Created>;
    /// By which address containers reach this machine, where that is known.
    fn gateway(&self, block_lan: bool) -> Option<String>;
    /// Makes the container of an install script, under a name of its own.
    fn create_install<'a>(&'a self, container: &'a InstallContainer) -> Call<'a, Created>;
    /// The container of a server's install script, where there is one.
    fn inspect_install<'a>(&'a self, server_id: &'a str) -> Call<'a, Option<ContainerState>>;
    /// Starts it; one that runs is started.
    fn start<'a>(&'a self, id: &'a str) -> Call<'a, ()>;
    /// Connects to its terminal, from now on.
    fn attach<'a>(&'a self, id: &'a str, tty: bool) -> Call<'a, Attached>;
    /// What the engine kept of its output: lines with the engine's time in front, to an end. The reading has no deadline.
    fn log<'a>(&'a self, id: &'a str, tty: bool, range: LogRange) -> Call<'a, LogReader>;
    /// Sets the terminal's size, where it was not set at creation.
    fn resize<'a>(&'a self, id: &'a str) -> Call<'a, ()>;
    /// Resolves with the exit code when it does not run (any more).
    fn wait<'a>(&'a self, id: &'a str) -> Call<'a, i64>;
    /// Sends a signal to its main process.
    fn signal<'a>(&'a self, id: &'a str, signal: &'a str) -> Call<'a, ()>;
    /// Lets one that stands still go on.
    fn unpause<'a>(&'a self, id: &'a str) -> Call<'a, ()>;
    /// What the engine was told to do to it, by whomever, before its last run ended.
    fn told<'a>(&'a self, id: &'a str) -> Call<'a, Told>;
    /// The signals that were sent to it through the engine since its start.
    fn signals<'a>(&'a self, id: &'a str) -> Call<'a, Vec<String>>;
    /// Names servers whose containers somebody has stand still or go on, as it happens; ends now and then.
    fn paused_or_not(&self, to: mpsc::Sender<String>) -> Call<'_, ()>;
    /// Kills and removes it; one that is not there is removed.
    fn remove<'a>(&'a self, id: &'a str) -> Call<'a, ()>;
    /// What it is, by id.
    fn inspect<'a>(&'a self, id: &'a str) -> Call<'a, Option<ContainerState>>;
    /// The container that holds a server's name.
    fn inspect_server<'a>(&'a self, server_id: &'a ServerId) -> Call<'a, Option<ContainerState>>;
    /// How a container was made, by another agent.
    fn describe<'a>(&'a self, id: &'a str) -> Call<'a, Option<ForeignContainer>>;
    /// The engine starts it no more by itself.
    fn disable_restart<'a>(&'a self, id: &'a str) -> Call<'a, ()>;
    /// What lies in a folder of a container, as a tar archive in pieces; ends early where nobody takes them.
    fn copy_out<'a>(&'a self, id: &'a str, folder: &'a str, to: mpsc::Sender<Bytes>) -> Call<'a, ()>;
    /// All containers that some agent made, running or not: (server id, owner).
    fn list(&self) -> Call<'_, Vec<(ServerId, Owner)>>;
    /// What it has used so far. `pid` is its main process where it is known.
    fn counters<'a>(&'a self, id: &'a str, pid: Option<u32>) -> Call<'a, Counters>;
}
