//! Backups whose server is no more: they are deleted where they lie, when that node is there.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{BackupAction, NodeId};
use storage::backups::{self, Backup};
use tokio_util::sync::CancellationToken;

use super::Backups;
use super::job::Ended;
use crate::error::ApiError;
use crate::system::ids;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(600);
/// Before the first: nodes connect meanwhile.
const FIRST: Duration = Duration::from_secs(60);
/// Backups in one job.
const AT_ONCE: usize = 500;

impl Backups {
    /// Deletes them for as long as the panel runs.
    pub(super) fn sweep(&self) {
        let (all, end) = (self.clone(), self.tasks.token());
        drop(self.tasks.spawn("backup-orphans", async move {
            let work = async {
                tokio::time::sleep(FIRST).await;
                loop {
                    if let Err(error) = all.delete_expired().await {
                        tracing::warn!(%error, "old backups of deleted servers could not be deleted; that is tried again");
                    }
                    if let Err(error) = all.delete_orphans().await {
                        tracing::warn!(%error, "backups of deleted servers could not be deleted; that is tried again");
                    }
                    tokio::time::sleep(EVERY).await;
                }
            };
            tokio::select! {
                () = end.cancelled() => {}
                () = work => {}
            }
        }));
    }

    async fn delete_orphans(&self) -> Result<(), ApiError> {
        let mut by_place: BTreeMap<(NodeId, Option<String>), Vec<Backup>> = BTreeMap::new();
        for backup in self.store.read_now(backups::orphans)? {
            by_place.entry((self.node_for(&backup)?, backup.target_id.clone())).or_default().push(backup);
        }
        for ((node, _), mut left) in by_place {
            left.truncate(AT_ONCE);
            let known = self.store.read_now(|tx| storage::nodes::get(tx, &node))?.is_some();
            if known && self.can_work(&node).is_err() {
                continue;
            }
            let backup_ids: Vec<_> = left.iter().map(|backup| backup.id.clone()).collect();
            let Some(mut one) = left.pop() else { continue };
            one.job_id = ids::long();
            let action = BackupAction::Delete { backup_ids: backup_ids.clone() };
            if known && !matches!(self.job(&one, action, &CancellationToken::new()).await, Ended::Done(_)) {
                continue;
            }
            tracing::info!(%node, count = backup_ids.len(), "backups of deleted servers are deleted");
            self.store.write(move |tx| backups::remove_orphans(tx, &backup_ids)).await?;
        }
        Ok(())
    }
}
