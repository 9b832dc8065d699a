//! What is in a backup: its folders, listed; its files, sent as an archive ([`FileSource::Backup`](super::FileSource)).

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::backups::{BackupRepository, plain};
use super::payload::{Payload, id};
use super::{LISTED, file_paths};

/// `backup_list`: a page of a folder in a backup, by name in the order of their bytes; answered by
/// [`FileEntries`](super::FileEntries).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupList {
    /// The server's id.
    pub server_id: ServerId,
    /// Where the backup lies.
    pub repository: BackupRepository,
    /// The backup's id.
    pub backup_id: String,
    /// The folder, below the server's.
    pub path: String,
    /// The name after which the page begins; absent for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Entries of the page, at most [`LISTED`].
    pub limit: u32,
}

impl Payload for BackupList {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, repository, backup_id, path, after, limit } = self;
        id(server_id)?;
        repository.bound()?;
        plain("backupId", backup_id)?;
        file_paths::path("path", path)?;
        *limit = (*limit).clamp(1, LISTED);
        after.as_deref().map_or(Ok(()), |after| file_paths::name("after", after))
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}
