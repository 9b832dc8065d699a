//! A backup of a game server and a repository of backups, as they are stored.

use std::fmt;

use ids::{NodeId, ServerId};
use serde::{Deserialize, Serialize};

use crate::Millis;

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
}

/// Where a backup is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It was asked for, and is not whole.
    Creating,
    /// It is whole.
    Ready,
    /// It was not made.
    Failed,
    /// It is whole, and its files are being put in the place of the server's.
    Restoring {
        /// The backup of the present files that is made first; none once that is whole.
        first: Option<String>,
    },
    /// It is being deleted.
    Deleting,
}

impl Stage {
    /// Whether something is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Creating | Self::Restoring { .. } | Self::Deleting)
    }
}

/// The repository of a node. Its key is in the database as it is: the node wants it so.
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
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").field("id", &self.id).finish_non_exhaustive()
    }
}
