//! Backups on this machine's own disk that are not there: those of the machine that a panel was restored from.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use storage::backups::repositories::{self, Place};
use storage::backups::{self, Backup, Stage};

use super::Backups;
use crate::agents::local;
use crate::error::ApiError;

/// What is said of each of them.
const ABSENT: &str = "It is not here: the folder with this backup is not on this machine. A panel that was restored from another \
                      machine has the list of its backups, and not those on its disk. Copy the folder backups from that \
                      machine's data folder to this one's and start the panel again, or delete this backup.";

impl Backups {
    /// Looks once at each start.
    pub(super) fn look_for_absent(&self) {
        let all = self.clone();
        drop(self.tasks.spawn("backup-absent", async move {
            if let Err(error) = all.mark_absent().await {
                tracing::warn!(%error, "could not look whether this machine's backups are there");
            }
        }));
    }

    async fn mark_absent(&self) -> Result<(), ApiError> {
        let place = Place { target_id: None, node_id: Some(local::NODE_ID) };
        let (repository, all) = self.store.read_now(|tx| {
            Ok::<_, storage::Error>((repositories::get(tx, &place)?, backups::list_at(tx, &place)?))
        })?;
        let Some(repository) = repository.filter(|_| !all.is_empty()) else { return Ok(()) };
        let folder = self.data_dir.join("backups").join(repository.id);
        let looked = tokio::task::spawn_blocking(move || is_there(&folder)).await;
        let there = match looked.map_err(io::Error::other).flatten() {
            Ok(there) => there,
            Err(error) => {
                tracing::warn!(%error, "this machine's backups cannot be looked at");
                return Ok(());
            }
        };
        // Others are made meanwhile.
        let seen = all.into_iter().filter_map(|mut one| mark(&mut one, there).then_some(one.id));
        let seen: HashSet<String> = seen.collect();
        if seen.is_empty() {
            return Ok(());
        }
        let write = self.store.write(move |tx| {
            backups::update_at(tx, &place, |one| seen.contains(&one.id) && mark(one, there))
        });
        for server_id in write.await? {
            if !there {
                tracing::warn!(server = %server_id, "backups of a server are not on this machine's disk any more");
            }
            self.told(&server_id);
        }
        Ok(())
    }
}

/// Whether there is a repository.
fn is_there(folder: &Path) -> io::Result<bool> {
    folder.join("config").try_exists()
}

/// Says so in the record, or takes it back; gives whether that has changed it.
fn mark(backup: &mut Backup, there: bool) -> bool {
    let said = backup.problem.as_deref() == Some(ABSENT);
    if backup.stage != Stage::Ready || said != there {
        return false;
    }
    backup.problem = (!there).then(|| ABSENT.to_owned());
    if !there {
        // Nothing proves it any more.
        backup.checks.proof = None;
    }
    true
}
