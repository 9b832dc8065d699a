//! Servers that are no more, and whose backups were kept.

mod routes;
mod views;

use protocol::{NodeId, ServerId};
use storage::backups::deleted::{self, DeletedServer};
use storage::backups::{self, Backup};
use storage::{Millis, ReadTx};

pub(super) use routes::routes;

use self::views::DeletedServerView;
use super::{BackupChange, BackupView, Backups, busy};
use crate::auth::Admin;
use crate::error::{ApiError, Code};
use crate::system::clock;

const DAY: Millis = 86_400_000;
/// The longest time after which backups are deleted, in days.
const LONGEST: u32 = 36_500;

impl Backups {
    /// All of them, the last one first.
    fn deleted_servers(&self) -> Result<Vec<DeletedServerView>, ApiError> {
        let read = |tx: &ReadTx| {
            let with = |one: DeletedServer| Ok((backups::list(tx, &one.id)?, one));
            deleted::all(tx)?.into_iter().map(with).collect::<storage::Result<Vec<_>>>()
        };
        let mut all = self.store.read_now(read)?;
        all.sort_by_key(|(_, one)| std::cmp::Reverse(one.at));
        Ok(all.into_iter().map(|(some, one)| DeletedServerView::new(one, &some)).collect())
    }

    fn deleted_server(&self, id: &str) -> Result<DeletedServer, ApiError> {
        let found = self.store.read_now(|tx| deleted::get(tx, id))?;
        found.ok_or_else(|| ApiError::not_found("deleted server"))
    }

    fn deleted_view(&self, id: &str) -> Result<DeletedServerView, ApiError> {
        let one = self.deleted_server(id)?;
        let some = self.store.read_now(|tx| backups::list(tx, id))?;
        Ok(DeletedServerView::new(one, &some))
    }

    /// The backups of one of them, newest first.
    fn deleted_backups(&self, id: &str) -> Result<Vec<BackupView>, ApiError> {
        self.list_of(&self.deleted_server(id)?.id)
    }

    /// After how many days its backups are deleted.
    async fn keep_deleted(
        &self,
        admin: &Admin,
        id: &str,
        keep_days: Option<u32>,
    ) -> Result<DeletedServerView, ApiError> {
        if keep_days.is_some_and(|days| days == 0 || days > LONGEST) {
            return Err(ApiError::field(
                "keepDays",
                format!("must be from 1 to {LONGEST}, or null for ever"),
            ));
        }
        let key = id.to_owned();
        let written = self.store.write(move |tx| deleted::update(tx, &key, |one| one.keep_days = keep_days));
        written.await.map_err(|error| missing(error, "deleted server"))?;
        tracing::info!(server = id, ?keep_days, by = %admin, "how long backups of a deleted server are kept was changed");
        self.deleted_view(id)
    }

    async fn change_deleted_backup(
        &self,
        id: &str,
        backup: &str,
        change: BackupChange,
    ) -> Result<BackupView, ApiError> {
        self.change_one(&self.deleted_server(id)?.id, backup, change).await
    }

    async fn delete_deleted_backup(&self, admin: &Admin, id: &str, backup: &str) -> Result<(), ApiError> {
        self.delete_one(&self.deleted_server(id)?.id, backup, &admin.to_string()).await
    }

    fn cancel_deleted_backup(&self, admin: &Admin, id: &str, backup: &str) -> Result<(), ApiError> {
        self.cancel_one(&self.deleted_server(id)?.id, backup, &admin.to_string())
    }

    /// Makes a new server of a backup, with the settings that the server had.
    async fn restore_deleted(
        &self,
        admin: &Admin,
        id: &str,
        backup: &str,
        name: &str,
        node_id: Option<NodeId>,
    ) -> Result<BackupView, ApiError> {
        self.restore_as(admin, &self.deleted_server(id)?.id, backup, name, node_id).await
    }

    /// Deletes all backups of a deleted server, of which none may be locked or in use.
    async fn delete_all_deleted(&self, admin: &Admin, id: &str) -> Result<(), ApiError> {
        let server_id = self.deleted_server(id)?.id;
        let all = self.store.read_now(|tx| backups::list(tx, &server_id))?;
        let locked = all.iter().filter(|backup| backup.locked).count();
        if locked > 0 {
            let sentence = format!("Locked backups are among them ({locked}). Unlock these first.");
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        if all.iter().any(|backup| backup.checks.is_used()) {
            return Err(busy());
        }
        tracing::info!(server = %server_id, by = %admin, "all backups of a deleted server are to be deleted");
        self.delete_old(&server_id, all.into_iter().map(|backup| backup.id).collect()).await
    }

    /// Gives its backups to a server that is there.
    async fn give_deleted(&self, admin: &Admin, id: &str, to: ServerId) -> Result<(), ApiError> {
        let from = self.deleted_server(id)?.id;
        let (key, server_id) = (from.clone(), to.clone());
        let written = self.store.write(move |tx| {
            if storage::servers::get(tx, &server_id)?.is_none() {
                return Err(ApiError::field("serverId", "is not a server of this panel"));
            }
            deleted::give(tx, &key, &server_id).map_err(|error| match error {
                storage::Error::Taken { what } => {
                    let sentence = format!("The backups could not be moved: {what} is taken.");
                    ApiError::new(Code::Conflict, sentence)
                }
                other => other.into(),
            })
        });
        written.await?;
        tracing::info!(server = %from, %to, by = %admin, "backups of a deleted server were given to another");
        self.told(&to);
        Ok(())
    }

    /// Deletes those that are older than they are kept.
    pub(super) async fn delete_expired(&self) -> Result<(), ApiError> {
        for one in self.store.read_now(deleted::all)? {
            let Some(days) = one.keep_days else { continue };
            let oldest = clock::now() - Millis::from(days) * DAY;
            let all = self.store.read_now(|tx| backups::list(tx, &one.id))?;
            let old = |backup: &Backup| backup.created_at < oldest;
            let going: Vec<_> = all.into_iter().filter(old).map(|backup| backup.id).collect();
            self.delete_old(&one.id, going).await?;
        }
        Ok(())
    }
}

fn missing(error: storage::Error, what: &'static str) -> ApiError {
    match error {
        storage::Error::NotFound { .. } => ApiError::not_found(what),
        other => other.into(),
    }
}
