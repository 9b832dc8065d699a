//! A backup of a game server and a repository of backups, as they are stored.

use std::fmt;

use ids::{NodeId, ServerId};
use serde::{Deserialize, Serialize};

use crate::Millis;
use crate::servers::record::Server;

/// In the place of a server's id: the panel itself. Ids of servers never begin with a dot.
pub const PANEL: &str = ".panel";

/// A backup of a game server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Never changes; by it the node finds the snapshot.
    pub id: String,
    /// The server.
    pub server_id: ServerId,
    /// The node where it lies.
    pub node_id: NodeId,
    /// What people call it.
    pub name: String,
    /// What they have to say about it.
    #[serde(default)]
    pub note: String,
    /// Whether it must not be deleted.
    #[serde(default)]
    pub locked: bool,
    /// Who or what asked for it.
    #[serde(default)]
    pub origin: Origin,
    /// Where it is in its life.
    pub stage: Stage,
    /// The id under which the node was asked for what is under way, or was last.
    #[serde(default)]
    pub job_id: String,
    /// When it was asked for.
    pub created_at: Millis,
    /// When the files were in the repository.
    #[serde(default)]
    pub finished_at: Option<Millis>,
    /// What is in it.
    #[serde(default)]
    pub contents: Contents,
    /// What went wrong last, in one sentence.
    #[serde(default)]
    pub problem: Option<String>,
    /// The backup target where it lies; none for the node's own data folder.
    #[serde(default)]
    pub target_id: Option<String>,
    /// How it is made, and what for.
    #[serde(default)]
    pub plan: Plan,
    /// Whether it is any good, as far as somebody has looked.
    #[serde(default)]
    pub checks: Checks,
}

/// How a backup is made, and what for. Written before it is begun, so that one that was cut short goes on as it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// The server is stopped for it; none where it is left alone.
    pub halt: Option<Halt>,
    /// What is to be done once it is whole.
    pub follow_up: Option<FollowUp>,
    /// Lines in gitignore's syntax: files that are left out.
    pub ignore: Vec<String>,
    /// MiB in a second at most, 0 for no limit.
    pub mib_per_sec: u32,
    /// Whether little memory is to be used, at the price of time.
    pub small_memory: bool,
    /// Of the panel: all servers are backed up first.
    pub servers: bool,
}

/// How far a server is stopped for its backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Halt {
    /// It runs, and is to be stopped.
    Stop,
    /// It was stopped, and is to be started when the backup has ended.
    Start,
}

/// What a backup was made for, and what is done once it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FollowUp {
    /// The install script runs again.
    Reinstall {
        /// The server's files are thrown away first.
        wipe: bool,
    },
    /// The image is fetched again.
    Install,
    /// The server takes the present version of its template.
    Template,
}

/// Whether a backup is any good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks {
    /// What the last look found.
    #[serde(default)]
    pub proof: Option<Proof>,
    /// The id under which the node was asked for the restore test that is under way.
    #[serde(default)]
    pub test_job: Option<String>,
    /// The server that is being made of it.
    #[serde(default)]
    pub copy: Option<Box<Copying>>,
}

impl Checks {
    /// Whether somebody needs the backup as it is.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.test_job.is_some() || self.copy.is_some()
    }
}

/// A server that is being made of a backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copying {
    /// The server as it will be; its ports are chosen at the end.
    pub server: Server,
    /// The id under which the node was asked for its files.
    pub job_id: String,
}

impl Eq for Copying {}

/// What a look at a backup found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Time of that look.
    pub at: Millis,
    /// What was done.
    pub kind: ProofKind,
    /// Whether it is as it should be.
    pub ok: bool,
    /// Why not, or how that is known, in one sentence.
    #[serde(default)]
    pub reason: String,
    /// The last lines of the game's console.
    #[serde(default)]
    pub lines: Vec<String>,
}

/// How a backup was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofKind {
    /// What it is made of was read.
    Checked,
    /// The game was started from it.
    Started,
}

/// What is in a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Bytes of all files.
    #[serde(default)]
    pub bytes: u64,
    /// Bytes that the repository has grown by.
    #[serde(default)]
    pub stored: u64,
    /// Files.
    #[serde(default)]
    pub files: u64,
    /// Files that changed while they were read.
    #[serde(default)]
    pub changed: u64,
    /// The first of those.
    #[serde(default)]
    pub changed_names: Vec<String>,
    /// Of the panel: servers whose backups lie beside it, made with it.
    #[serde(default)]
    pub servers: u32,
}

/// Who or what asked for a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Somebody.
    #[default]
    Manual,
    /// A restore, which keeps what it replaces.
    BeforeRestore,
    /// The server's policy.
    Scheduled,
    /// Something risky, which waits for it.
    BeforeChange,
}

/// Where a backup is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It was asked for, and is not whole.
    Creating,
    /// It is whole, and what it was made for is to be done.
    FollowUp,
    /// It is whole.
    Ready,
    /// It was not made.
    Failed,
    /// It is whole, and its files are being put in the place of the server's.
    Restoring {
        /// The backup of the present files that is made first; none once that is whole.
        first: Option<String>,
        /// Files and folders that are put back; empty for all.
        #[serde(default)]
        paths: Vec<String>,
    },
    /// It is being deleted.
    Deleting,
}

impl Backup {
    /// Whether it is one of the panel itself.
    #[must_use]
    pub fn is_of_panel(&self) -> bool {
        self.server_id.as_str() == PANEL
    }
}

impl Stage {
    /// Whether something is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Creating | Self::FollowUp | Self::Restoring { .. } | Self::Deleting)
    }
}

/// A repository. Its key is in the database as it is: the node wants it so.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Names its folder.
    pub id: String,
    /// The 64 bytes of its key, as Base64.
    pub key: String,
    /// With which `restic` opens it too.
    pub password: String,
    /// When it was thought of.
    pub created_at: Millis,
    /// What it takes, as far as that was told.
    #[serde(default)]
    pub space: Option<Space>,
    /// When it is checked, and what that found.
    #[serde(default)]
    pub check: RepositoryCheck,
}

/// When a repository is checked, and what the last checks found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RepositoryCheck {
    /// When the next one is due; none before it was first planned.
    pub due: Option<Millis>,
    /// The last one that came to its end.
    pub last: Option<CheckResult>,
    /// Why the last attempt came to none.
    pub problem: Option<String>,
}

/// What a check of a repository found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Time of its end.
    pub at: Millis,
    /// The node that has done it.
    pub node_id: NodeId,
    /// Damaged backups of this panel.
    pub damaged: u64,
    /// What else was found, in one sentence or two; empty if nothing.
    #[serde(default)]
    pub sentence: String,
}

/// What a repository takes of its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// Bytes of all of it.
    pub stored: u64,
    /// Bytes that are free beside it, where that can be known.
    #[serde(default)]
    pub free: Option<u64>,
    /// Backups in it.
    pub snapshots: u64,
    /// When that was told.
    pub at: Millis,
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").field("id", &self.id).finish_non_exhaustive()
    }
}
