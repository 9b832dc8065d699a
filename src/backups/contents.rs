//! What is in a backup, looked at and downloaded.

use std::time::Duration;

use protocol::{ArchiveFormat, BackupList, FileSource, LISTED, NodeId, ToAgent, ToPanel};
use storage::backups::{Backup, Stage};

use super::Backups;
use crate::agents::RequestError;
use crate::auth::{Permit, need};
use crate::error::{ApiError, Code};
use crate::files::{Denied, DownloadView, EntryView, Format, path};

/// How long a node may take: it may have to open the repository first.
const ANSWER: Duration = Duration::from_secs(60);
/// Entries of a page where the caller does not say how many.
const PAGE: u32 = 500;

impl Backups {
    /// A page of a folder's entries, and how many it has in all.
    pub(super) async fn contents(
        &self,
        permit: &Permit<need::Backups>,
        id: &str,
        path: &str,
        after: Option<String>,
        limit: Option<u32>,
    ) -> Result<(Vec<EntryView>, u64), ApiError> {
        let path = path::checked("path", path)?;
        if let Some(after) = &after {
            path::name("after", after)?;
        }
        if limit.is_some_and(|limit| limit == 0 || limit > LISTED) {
            return Err(ApiError::field("limit", format!("must be from 1 to {LISTED}")));
        }
        let (backup, node_id) = self.whole(permit, id)?;
        let limit = limit.unwrap_or(PAGE);
        let message = BackupList {
            server_id: backup.server_id.clone(),
            repository: self.repository(&node_id, backup.target_id.as_deref()).await?,
            backup_id: backup.id.clone(),
            path,
            after,
            limit,
        };
        let answer = self.agents.ask(&node_id, ToAgent::BackupList(Box::new(message)), ANSWER).await?;
        let ToPanel::FileEntries(found) = answer else { return Err(RequestError::Unfitting.into()) };
        Ok((found.entries.into_iter().map(EntryView::from).collect(), found.total))
    }

    /// A link to an archive of files in a backup; none of them are all.
    pub(super) async fn download(
        &self,
        permit: &Permit<need::Backups>,
        id: &str,
        paths: &[String],
        format: Option<Format>,
    ) -> Result<DownloadView, ApiError> {
        let paths = if paths.is_empty() { Vec::new() } else { path::list("paths", paths)? };
        let (backup, node_id) = self.whole(permit, id)?;
        let server = self.store.read_now(|tx| storage::servers::get(tx, permit.server_id()))?;
        let server = server.ok_or_else(|| ApiError::not_found("server"))?;
        Denied::of(&server, permit).check_archives()?;
        let stem = match paths.as_slice() {
            [only] => path::last(only).to_owned(),
            _ => format!("{} {}", server.name, backup.name),
        };
        let format = ArchiveFormat::from(format.unwrap_or(Format::Zip));
        let source = FileSource::Backup {
            repository: Box::new(self.repository(&node_id, backup.target_id.as_deref()).await?),
            backup_id: backup.id.clone(),
            paths,
            format,
        };
        let name = format!("{}.{}", stem.replace('/', "_"), format.ending());
        tracing::info!(server = %server.id, backup = backup.id, by = %permit.actor(), "a backup is to be downloaded");
        self.files.link_to_backup(permit, &node_id, source, name)
    }

    /// A backup that is whole, and the node that looks into it.
    fn whole(&self, permit: &Permit<need::Backups>, id: &str) -> Result<(Backup, NodeId), ApiError> {
        let backup = self.get(permit.server_id(), id)?;
        if !matches!(backup.stage, Stage::Ready | Stage::Restoring { .. }) {
            return Err(ApiError::new(
                Code::Conflict,
                "This backup is not whole: there is nothing to see of it.",
            ));
        }
        let node_id = self.node_for(&backup)?;
        self.shows_contents(&node_id, &backup)?;
        Ok((backup, node_id))
    }
}
