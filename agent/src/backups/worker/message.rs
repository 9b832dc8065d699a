//! What goes over a worker's standard input and output.

use std::io::{self, Write};
use std::path::PathBuf;

use protocol::{
    ArchiveFormat, BackupFound, BackupLimits, BackupLocation, BackupProof, BackupSpace, FileEntries,
};
use serde::{Deserialize, Serialize};

use super::key::MasterKey;

/// What a worker is to do.
#[derive(Serialize, Deserialize)]
pub struct WorkerRequest {
    /// The folder of the node's own repositories and of its files about others.
    pub node: PathBuf,
    /// The repository's id: a plain name.
    pub id: String,
    /// Where it lies.
    #[serde(default)]
    pub location: BackupLocation,
    /// The key by which all in it is encrypted.
    pub key: MasterKey,
    /// With which `restic` opens it too.
    pub password: String,
    /// How hard the work may be.
    #[serde(default)]
    pub limits: BackupLimits,
    /// The work.
    pub work: Work,
}

impl std::fmt::Debug for WorkerRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerRequest")
            .field("id", &self.id)
            .field("work", &self.work)
            .finish_non_exhaustive()
    }
}

/// The work of a worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// Makes a backup of a folder. Where there is one of this id already, it is told of.
    Create {
        /// The backup's id.
        backup_id: String,
        /// Whose it is.
        server_id: String,
        /// The server's folder.
        source: PathBuf,
        /// What is left out, in gitignore's syntax.
        #[serde(default)]
        ignore: Vec<String>,
    },
    /// Writes the files of a backup into a new folder.
    Restore {
        /// The backup's id.
        backup_id: String,
        /// The folder, which is made.
        destination: PathBuf,
        /// What of it; empty for all.
        #[serde(default)]
        paths: Vec<String>,
    },
    /// Answers each further line of its input, a [`ContentsQuery`], until that ends.
    Browse,
    /// Finds the key by the password, and says which backups there are.
    Find,
    /// Sends files of a backup as an archive.
    Send {
        /// The backup's id.
        backup_id: String,
        /// Which; empty for all.
        paths: Vec<String>,
        /// The archive's format.
        format: ArchiveFormat,
    },
    /// Forgets backups and removes what nothing needs any more.
    Delete {
        /// Their ids.
        backup_ids: Vec<String>,
    },
    /// Tries whether backups can be kept there.
    Test,
    /// Reads the repository and says which backups are damaged.
    Check {
        /// The data of one in so many packs is read.
        #[serde(default = "all")]
        share: u32,
    },
    /// Removes what nothing needs any more.
    Prune,
    /// Says whether there is a repository; opened by its password, also its key and what lies in it.
    Adopt {
        /// Whether it is opened.
        open: bool,
    },
}

fn all() -> u32 {
    1
}

impl Work {
    /// Whether it only reads: beside others, and without a lock.
    pub(super) fn only_reads(&self) -> bool {
        matches!(self, Self::Browse | Self::Send { .. } | Self::Find | Self::Adopt { .. })
    }
}

/// A page of a folder in a backup.
#[derive(Debug, Serialize, Deserialize)]
pub struct ContentsQuery {
    /// The backup's id.
    pub backup_id: String,
    /// The folder.
    pub path: String,
    /// The name after which the page begins.
    pub after: Option<String>,
    /// Entries of the page.
    pub limit: u32,
}

/// One line of what a worker has to say.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WorkerEvent {
    /// How far it is.
    Progress {
        /// Bytes that are done.
        bytes: u64,
        /// Of how many; 0 where that is not known yet.
        total: u64,
    },
    /// The repository is open; it waits for questions.
    Ready,
    /// The answer to a question.
    Listed(FileEntries),
    /// So many bytes of an archive come behind this line.
    Bytes {
        /// How many.
        length: usize,
    },
    /// It has done its work.
    Done(Box<Outcome>),
    /// It has not.
    Failed {
        /// Why, for programs.
        code: FailureCode,
        /// Why, for people.
        message: String,
    },
}

/// What became of the work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes that the repository has grown by.
    pub stored: u64,
    /// Files.
    pub files: u64,
    /// Files that changed or vanished while they were read.
    pub changed: u64,
    /// The first of those.
    pub changed_names: Vec<String>,
    /// Whether all folders of the new backup can be read.
    #[serde(default)]
    pub proof: Option<BackupProof>,
    /// The most memory that the worker had, in bytes.
    pub peak_memory: u64,
    /// What should be known of it although it was done.
    #[serde(default)]
    pub warning: Option<String>,
    /// An SFTP server's key.
    #[serde(default)]
    pub host_key: Option<String>,
    /// How much room the repository takes.
    #[serde(default)]
    pub space: Option<BackupSpace>,
    /// Backups that are damaged.
    #[serde(default)]
    pub damaged: Vec<String>,
    /// What was found in a repository that was opened by its password.
    #[serde(default)]
    pub opened: Option<Box<Unlocked>>,
    /// What was found of a repository that was there before.
    #[serde(default)]
    pub found: Option<Box<BackupFound>>,
}

/// A repository that its password has opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlocked {
    /// Its key.
    pub key: MasterKey,
    /// The backups in it, oldest first.
    pub found: Vec<Found>,
}

/// A backup that was found in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Its id.
    pub backup_id: String,
    /// Of which server it is; [`PANEL`] for the panel itself.
    pub server_id: String,
    /// When it was made, in milliseconds since 1970.
    pub at: i64,
    /// The machine on which it was made.
    pub host: String,
    /// Bytes of all files.
    pub bytes: u64,
}

/// In the place of a server's id: the panel itself. Ids of servers never begin with a dot.
pub const PANEL: &str = ".panel";

/// Why the work failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    /// There is no such backup.
    NotFound,
    /// Another program is at work in the repository.
    Locked,
    /// No room.
    DiskFull,
    /// The repository is damaged, or of another key.
    Damaged,
    /// The place where it lies cannot be reached.
    Unreachable,
    /// The place where it lies refuses us.
    Denied,
    /// Everything else.
    Failed,
}

/// A failure of the work.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Failure {
    pub(super) code: FailureCode,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Whether only this file is affected.
    pub(super) fn is_of_the_disk(&self) -> bool {
        self.code == FailureCode::Failed
    }

    /// An error of the system, while something was done to a file.
    pub(super) fn io(doing: impl std::fmt::Display, error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                return Self::new(FailureCode::DiskFull, format!("{doing} failed: the disk has no room."));
            }
            io::ErrorKind::NotFound => FailureCode::NotFound,
            io::ErrorKind::StaleNetworkFileHandle | io::ErrorKind::NotConnected => FailureCode::Unreachable,
            _ => FailureCode::Failed,
        };
        Self::new(code, format!("{doing} failed: {error}."))
    }
}

/// Writes a piece of an archive.
pub(super) fn say_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut line = serde_json::to_vec(&WorkerEvent::Bytes { length: bytes.len() })?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.write_all(bytes)?;
    out.flush()
}

/// Writes one event. Whoever reads them may be gone: the end of standard input says so too.
pub(super) fn say(event: &WorkerEvent) {
    let Ok(mut line) = serde_json::to_vec(event) else { return };
    line.push(b'\n');
    let mut out = io::stdout().lock();
    let _ = out.write_all(&line).and_then(|()| out.flush());
}
