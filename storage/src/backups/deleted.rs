//! Servers that are no more, and whose backups were kept. The backups stay where they were, under the server's id.

use std::collections::HashSet;

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::by_server::{MOST, list, name, put as put_list};
use super::record::{Backup, PANEL};
use crate::Millis;
use crate::error::{Error, Result};
use crate::servers::record::Server;
use crate::settings;
use crate::tables;
use crate::tx::{ReadTx, WriteTx};

/// The name of the list of their ids.
const ALL: &str = "deleted_servers";

/// A server that is no more, and whose backups were kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeletedServer {
    /// The server.
    pub id: ServerId,
    /// What people called it.
    pub name: String,
    /// When it was deleted, or when its backups were found.
    pub at: Millis,
    /// Who has done that.
    #[serde(default)]
    pub by: String,
    /// Its last settings; none where its backups were found at a target.
    #[serde(default)]
    pub server: Option<Box<Server>>,
    /// Days after which its backups are deleted; none for never.
    #[serde(default)]
    pub keep_days: Option<u32>,
}

fn setting(server_id: &str) -> String {
    format!("deleted_server:{server_id}")
}

/// Their ids, in the order in which they were deleted.
pub fn ids(tx: &ReadTx) -> Result<Vec<ServerId>> {
    Ok(settings::get(tx, ALL)?.unwrap_or_default())
}

/// Whether it may get backups: a server that is there, or the panel.
pub(super) fn is_there(tx: &ReadTx, id: &str) -> Result<bool> {
    Ok(id == PANEL || tables::SERVERS.contains(tx, id)?)
}

/// Who has backups: the servers, those that are no more and whose backups were kept, and the panel.
pub(super) fn owners(tx: &ReadTx) -> Result<Vec<ServerId>> {
    let mut all: Vec<_> = tables::SERVERS.all(tx)?.into_iter().map(|server| server.id).collect();
    for server_id in ids(tx)? {
        if !all.contains(&server_id) {
            all.push(server_id);
        }
    }
    all.push(PANEL.into());
    Ok(all)
}

/// One of them.
pub fn get(tx: &ReadTx, server_id: &str) -> Result<Option<DeletedServer>> {
    settings::get(tx, &setting(server_id))
}

/// All of them.
pub fn all(tx: &ReadTx) -> Result<Vec<DeletedServer>> {
    let mut all = Vec::new();
    for server_id in ids(tx)? {
        all.extend(get(tx, &server_id)?);
    }
    Ok(all)
}

/// Adds one, or replaces it.
pub fn put(tx: &WriteTx, deleted: &DeletedServer) -> Result<()> {
    let mut all = ids(tx)?;
    if !all.contains(&deleted.id) {
        all.push(deleted.id.clone());
        settings::put(tx, ALL, &all)?;
    }
    settings::put(tx, &setting(&deleted.id), deleted)
}

/// Changes one, and gives it as it is then.
pub fn update(
    tx: &WriteTx,
    server_id: &str,
    change: impl FnOnce(&mut DeletedServer),
) -> Result<DeletedServer> {
    let mut one = get(tx, server_id)?.ok_or(Error::NotFound { what: "deleted server" })?;
    change(&mut one);
    settings::put(tx, &setting(server_id), &one)?;
    Ok(one)
}

/// Sets when it was deleted, where its backups were kept.
pub(crate) fn set_time(tx: &WriteTx, server_id: &str, at: Millis) -> Result<()> {
    match update(tx, server_id, |one| one.at = at) {
        Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Gives the backups of a deleted server to one that is there. [`Error::Taken`] where one of them is in use, or where that
/// server would have too many.
pub fn give(tx: &WriteTx, from: &str, to: &ServerId) -> Result<()> {
    if !tables::SERVERS.contains(tx, to.as_str())? {
        return Err(Error::NotFound { what: "server" });
    }
    let (moved, mut all) = (list(tx, from)?, list(tx, to)?);
    if moved.iter().any(|backup| backup.stage.is_busy() || backup.checks.is_used()) {
        return Err(Error::Taken { what: "a backup of the deleted server" });
    }
    if all.len() + moved.len() > MOST {
        return Err(Error::Taken { what: "every place for a backup of this server" });
    }
    all.extend(moved.into_iter().map(|backup| Backup { server_id: to.clone(), ..backup }));
    all.sort_by_key(|backup| backup.created_at);
    put_list(tx, to, &all)?;
    put_list(tx, from, &Vec::new())?;
    forget_if_empty(tx, from)
}

/// Takes in backups that were found at a target: to the server of this id, or as those of a deleted one. Those that are known
/// already stay as they are.
pub fn adopt(tx: &WriteTx, found: &DeletedServer, backups: Vec<Backup>) -> Result<()> {
    let mut all = list(tx, &found.id)?;
    let mut known: HashSet<_> = all.iter().map(|backup| backup.id.clone()).collect();
    all.extend(backups.into_iter().filter(|backup| known.insert(backup.id.clone())));
    all.sort_by_key(|backup| backup.created_at);
    let surplus = all.len().saturating_sub(MOST);
    all.drain(..surplus);
    put_list(tx, &found.id, &all)?;
    if tables::SERVERS.contains(tx, found.id.as_str())? || get(tx, &found.id)?.is_some() {
        return Ok(());
    }
    put(tx, found)
}

/// Forgets one of which there is no backup any more.
pub fn forget_if_empty(tx: &WriteTx, server_id: &str) -> Result<()> {
    if get(tx, server_id)?.is_none() || !list(tx, server_id)?.is_empty() {
        return Ok(());
    }
    let mut all = ids(tx)?;
    all.retain(|id| id.as_str() != server_id);
    settings::put(tx, ALL, &all)?;
    settings::delete(tx, &name(server_id))?;
    settings::delete(tx, &setting(server_id)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::{Stage, insert, orphans, remove, tests::backup, used};
    use super::*;
    use crate::servers::{self, Deletion};
    use crate::testing::{node, read, server, store, write};
    use crate::{Store, nodes};

    fn with_backups() -> (tempfile::TempDir, Store) {
        let (dir, store) = store();
        write(&store, |tx| nodes::insert(tx, &node("a")));
        write(&store, |tx| servers::insert(tx, &server("s", "a", 7)));
        let whole = |id: &str| Backup { stage: Stage::Ready, finished_at: Some(2), ..backup(id) };
        let (one, two) = (whole("whole"), Backup { stage: Stage::Deleting, ..whole("going") });
        write(&store, move |tx| insert(tx, &one));
        write(&store, move |tx| insert(tx, &two));
        write(&store, |tx| insert(tx, &backup("begun")));
        (dir, store)
    }

    fn delete(store: &Store, keep_backups: bool) {
        let deletion = Deletion { since: 5, by: "ann".into(), force: false, keep_backups };
        write(store, move |tx| servers::begin_deletion(tx, "s", deletion));
        write(store, |tx| servers::delete(tx, "s"));
    }

    #[test]
    fn whole_backups_outlive_their_server() {
        let (_dir, store) = with_backups();
        delete(&store, true);
        let kept = read(&store, all);
        assert_eq!((kept.len(), kept[0].by.as_str(), kept[0].keep_days), (1, "ann", None));
        assert!(kept[0].server.as_ref().is_some_and(|server| server.deleting.is_none()));
        let left: Vec<_> = read(&store, |tx| list(tx, "s")).into_iter().map(|one| one.id).collect();
        assert_eq!(left, ["whole"]);
        assert_eq!(read(&store, orphans).len(), 2, "the others are removed");
        assert_eq!(read(&store, used), []);
        write(&store, |tx| forget_if_empty(tx, "s"));
        assert_eq!(read(&store, all).len(), 1, "there is a backup of it");
        assert_eq!(write(&store, |tx| update(tx, "s", |one| one.keep_days = Some(3))).keep_days, Some(3));
        write(&store, |tx| remove(tx, "s", "whole"));
        write(&store, |tx| forget_if_empty(tx, "s"));
        assert_eq!(read(&store, all), []);
    }

    #[test]
    fn a_server_that_is_there_takes_them_over() {
        let (_dir, store) = with_backups();
        delete(&store, true);
        assert!(store.write_blocking(|tx| give(tx, "s", &"t".into())).is_err(), "there is no such server");
        write(&store, |tx| servers::insert(tx, &server("t", "a", 8)));
        write(&store, |tx| give(tx, "s", &"t".into()));
        let there = read(&store, |tx| list(tx, "t"));
        assert_eq!((there[0].id.as_str(), there[0].server_id.as_str()), ("whole", "t"));
        assert_eq!((read(&store, all), read(&store, |tx| list(tx, "s"))), (vec![], vec![]));
    }

    #[test]
    fn they_go_with_it_where_that_was_asked() {
        let (_dir, store) = with_backups();
        delete(&store, false);
        assert_eq!((read(&store, all), read(&store, orphans).len()), (vec![], 3));
    }
}
