//! A backup's files in the place of the server's: all of them, or some.

use protocol::{NodeId, Status, capability};
use storage::backups::{self, Backup, Origin, Stage};
use storage::servers::Server;

use super::views::BackupView;
use super::{Backups, full};
use crate::auth::{Permit, need};
use crate::error::{ApiError, Code};
use crate::files::{Denied, path};

/// What the backup is called that a restore makes first.
const BEFORE_RESTORE: &str = "Before restore";

impl Backups {
    /// Puts the files of a backup in the place of the server's, which are backed up before. Without paths all of them, and
    /// the server must not run; with paths these alone, and it may: a file is replaced in one step, and a folder becomes
    /// what it was.
    pub async fn restore(
        &self,
        permit: &Permit<need::Backups>,
        id: &str,
        paths: Option<Vec<String>>,
    ) -> Result<BackupView, ApiError> {
        let server = self.idle(permit.server_id())?;
        let backup = self.get(&server.id, id)?;
        if backup.stage != Stage::Ready {
            return Err(ApiError::new(Code::Conflict, "This backup is not whole: it cannot be restored."));
        }
        if backup.node_id != server.node_id && !self.is_shared(backup.target_id.as_deref())? {
            let sentence = format!(
                "This backup lies on the node {}, the server lives on {}.",
                backup.node_id, server.node_id
            );
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        self.can_work(&server.node_id)?;
        let paths = match paths {
            None => {
                self.stands_still(&server)?;
                Vec::new()
            }
            Some(paths) => {
                self.shows_contents(&server.node_id, &backup)?;
                let paths = path::list("paths", &paths)?;
                let denied = Denied::of(&server, permit);
                paths.iter().try_for_each(|path| denied.check_tree(path))?;
                paths
            }
        };
        let first =
            Backup { name: BEFORE_RESTORE.to_owned(), ..self.planned(&server, Origin::BeforeRestore)? };
        let (record, server_id, backup_id) = (first.clone(), server.id.clone(), backup.id.clone());
        let changed = self.store.write(move |tx| {
            backups::insert(tx, &record)?;
            let first = Some(record.id);
            backups::update(tx, &server_id, &backup_id, |one| {
                one.stage = Stage::Restoring { first, paths };
                one.problem = None;
            })
        });
        let changed = changed.await.map_err(full)?;
        tracing::info!(server = %server.id, backup = backup.id, by = %permit.actor(), "a backup is to be restored");
        self.drive(&first);
        self.drive(&changed);
        Ok(self.view(changed))
    }

    /// Refuses to replace all files under a game that runs.
    fn stands_still(&self, server: &Server) -> Result<(), ApiError> {
        let seen = self.agents.server(&server.id).status;
        let still = seen.is_some_and(|seen| {
            let still = matches!(
                seen.status,
                Status::Stopped
                    | Status::Created
                    | Status::Crashed
                    | Status::InstallFailed
                    | Status::Suspended
            );
            still && seen.restart_at.is_none()
        });
        if still {
            return Ok(());
        }
        Err(ApiError::new(Code::Conflict, "Stop the server before a backup is restored."))
    }

    /// Whether the node's agent looks into backups.
    pub(super) fn shows_contents(&self, node_id: &NodeId, backup: &Backup) -> Result<(), ApiError> {
        self.can_keep(node_id, backup.target_id.as_deref())?;
        if self.agents.lacks(node_id, capability::BACKUP_CONTENTS) {
            let sentence = format!(
                "The agent of the node {node_id} is older than this panel: it cannot look into backups. Update it."
            );
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        Ok(())
    }
}
