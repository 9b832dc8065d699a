//! What each back end has to offer, and what they share.

use std::fmt::Debug;

use bytes::Bytes;
use rustic_core::{FileType, Id};

use crate::backups::worker::message::{Failure, FailureCode};
use crate::backups::worker::seal::name_of;

/// The largest file that is read as a whole.
pub(super) const LARGEST: u64 = 256 << 20;
/// Most files of one kind.
pub(super) const FILES: usize = 2_000_000;

/// The kind of a repository file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backups::worker) enum Kind {
    /// The repository's configuration; there is one.
    Config,
    /// The repository's key, encrypted by a password.
    Key,
    /// A backup.
    Snapshot,
    /// Maps blobs to packs.
    Index,
    /// A lock.
    Lock,
    /// Blobs.
    Pack,
}

impl Kind {
    /// The folder of this kind.
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Config => "",
            Self::Key => "keys",
            Self::Snapshot => "snapshots",
            Self::Index => "index",
            Self::Lock => "locks",
            Self::Pack => "data",
        }
    }

    /// A file's path in the repository.
    pub(super) fn path(self, id: &Id) -> String {
        let hex = id.to_hex();
        let hex = hex.as_str();
        match self {
            Self::Config => "config".to_owned(),
            Self::Pack => format!("data/{}/{hex}", &hex[..2]),
            _ => format!("{}/{hex}", self.folder()),
        }
    }
}

impl From<FileType> for Kind {
    fn from(file_type: FileType) -> Self {
        match file_type {
            FileType::Config => Self::Config,
            FileType::Index => Self::Index,
            FileType::Key => Self::Key,
            FileType::Snapshot => Self::Snapshot,
            FileType::Pack => Self::Pack,
        }
    }
}

/// A range of a file: offset and length in bytes.
pub(in crate::backups::worker) type Part = Option<(u32, u32)>;

/// The files of a repository. All functions block.
pub(in crate::backups::worker) trait Store: Debug + Send + Sync {
    /// Creates missing folders and removes temporary files of killed workers. Must not run beside another worker of
    /// this node.
    fn prepare(&self) -> Result<(), Failure>;

    /// Writes a new file, which only appears under its name once it is complete and synced.
    fn write(&self, kind: Kind, id: &Id, content: &[Bytes]) -> Result<(), Failure>;

    /// Reads a file. Fails with [`FailureCode::NotFound`] if it does not exist.
    fn read(&self, kind: Kind, id: &Id, part: Part) -> Result<Bytes, Failure>;

    /// Lists the files of a kind with their sizes. Empty if their folder is missing.
    fn list(&self, kind: Kind) -> Result<Vec<(Id, u32)>, Failure>;

    /// Removes a file. Succeeds if it does not exist.
    fn remove(&self, kind: Kind, id: &Id) -> Result<(), Failure>;

    /// Writes, reads and removes a probe. Returns a warning, if there is one.
    fn probe(&self, content: &Bytes) -> Result<Option<String>, Failure>;

    /// Free space in bytes, if known.
    fn free(&self) -> Option<u64>;

    /// The host key of an SFTP server.
    fn host_key(&self) -> Option<String> {
        None
    }

    /// Whether a repository exists.
    fn exists(&self) -> Result<bool, Failure> {
        Ok(!self.list(Kind::Config)?.is_empty())
    }
}

/// Parses a file name as an id.
pub(super) fn id_of(name: &str) -> Option<Id> {
    if name.len() == 64 { name.parse().ok() } else { None }
}

/// Adds a file to a list, up to [`FILES`].
pub(super) fn push(found: &mut Vec<(Id, u32)>, id: Id, size: u64) -> Result<(), Failure> {
    if found.len() >= FILES {
        return Err(Failure::new(FailureCode::Failed, "The backup repository has too many files."));
    }
    found.push((id, u32::try_from(size).unwrap_or(u32::MAX)));
    Ok(())
}

/// Writes, reads and removes a probe as a shared lock, which does not disturb other programs.
pub(super) fn probe_as_lock(store: &dyn Store, content: &Bytes) -> Result<Option<String>, Failure> {
    let id = name_of(content);
    store.write(Kind::Lock, &id, std::slice::from_ref(content))?;
    let read = store.read(Kind::Lock, &id, None);
    store.remove(Kind::Lock, &id)?;
    if read? == *content {
        return Ok(None);
    }
    Err(Failure::new(FailureCode::Failed, "What was written there was not read as it was written."))
}
