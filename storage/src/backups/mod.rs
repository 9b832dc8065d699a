//! Backups of game servers, and the keys of the repositories that they lie in. Those of one server are few and read together, so
//! they are one value among the settings: a program that does not know them leaves it alone.

pub(crate) mod record;

use ids::{NodeId, ServerId};

use crate::error::{Error, Result};
use crate::settings;
use crate::tables;
use crate::tx::{ReadTx, WriteTx};

pub use record::{Backup, Contents, Origin, Repository, Stage};

/// Backups of one server.
pub const MOST: usize = 1_000;

fn name(server_id: &str) -> String {
    format!("backups:{server_id}")
}

/// All backups of a server, oldest first.
pub fn list(tx: &ReadTx, server_id: &str) -> Result<Vec<Backup>> {
    Ok(settings::get(tx, &name(server_id))?.unwrap_or_default())
}

/// One of them.
pub fn get(tx: &ReadTx, server_id: &str, id: &str) -> Result<Option<Backup>> {
    Ok(list(tx, server_id)?.into_iter().find(|backup| backup.id == id))
}

/// Those of all servers, by which something is under way.
pub fn busy(tx: &ReadTx) -> Result<Vec<Backup>> {
    let mut busy = Vec::new();
    for server in tables::SERVERS.all(tx)? {
        busy.extend(list(tx, &server.id)?.into_iter().filter(|backup| backup.stage.is_busy()));
    }
    Ok(busy)
}

/// Adds one. There must be the server, and not too many.
pub fn insert(tx: &WriteTx, new: &Backup) -> Result<()> {
    if !tables::SERVERS.contains(tx, new.server_id.as_str())? {
        return Err(Error::NotFound { what: "server" });
    }
    let mut all = list(tx, &new.server_id)?;
    if all.len() >= MOST {
        return Err(Error::Taken { what: "every place for a backup of this server" });
    }
    all.push(new.clone());
    settings::put(tx, &name(&new.server_id), &all)
}

/// Changes one, and gives it as it is then.
pub fn update(tx: &WriteTx, server_id: &str, id: &str, change: impl FnOnce(&mut Backup)) -> Result<Backup> {
    let mut all = list(tx, server_id)?;
    let one = all.iter_mut().find(|backup| backup.id == id).ok_or(Error::NotFound { what: "backup" })?;
    change(one);
    let changed = one.clone();
    settings::put(tx, &name(server_id), &all)?;
    Ok(changed)
}

/// Forgets one, and tells whether it was there.
pub fn remove(tx: &WriteTx, server_id: &str, id: &str) -> Result<bool> {
    let mut all = list(tx, server_id)?;
    let before = all.len();
    all.retain(|backup| backup.id != id);
    settings::put(tx, &name(server_id), &all)?;
    Ok(all.len() < before)
}

/// The name of those whose server is no more.
const ORPHANS: &str = "backup_orphans";

/// Those of a server that is no more are to be deleted where they lie.
pub(crate) fn forget_server(tx: &WriteTx, server_id: &ServerId) -> Result<()> {
    let left = list(tx, server_id)?;
    if !left.is_empty() {
        let mut all = orphans(tx)?;
        all.extend(left);
        settings::put(tx, ORPHANS, &all)?;
    }
    settings::delete(tx, &name(server_id)).map(drop)
}

/// Backups that are to be deleted because their server is no more.
pub fn orphans(tx: &ReadTx) -> Result<Vec<Backup>> {
    Ok(settings::get(tx, ORPHANS)?.unwrap_or_default())
}

/// They are deleted, or lie on a node that is no more.
pub fn remove_orphans(tx: &WriteTx, ids: &[String]) -> Result<()> {
    let mut all = orphans(tx)?;
    all.retain(|backup| !ids.contains(&backup.id));
    settings::put(tx, ORPHANS, &all)
}

/// The repository of a node, where it has one.
pub fn repository(tx: &ReadTx, node_id: &NodeId) -> Result<Option<Repository>> {
    settings::get(tx, &format!("backup_repository:{node_id}"))
}

/// Keeps the repository of a node, unless it has one; gives the one that it has then.
pub fn keep_repository(tx: &WriteTx, node_id: &NodeId, new: Repository) -> Result<Repository> {
    if let Some(there) = repository(tx, node_id)? {
        return Ok(there);
    }
    settings::put(tx, &format!("backup_repository:{node_id}"), &new)?;
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{node, read, server, store, write};
    use crate::{nodes, servers};

    fn backup(id: &str) -> Backup {
        Backup {
            id: id.into(),
            server_id: "s".into(),
            node_id: "a".into(),
            name: "Before the update".into(),
            note: String::new(),
            locked: false,
            origin: Origin::Manual,
            stage: Stage::Creating,
            job_id: "j".into(),
            created_at: 1,
            finished_at: None,
            contents: Contents::default(),
            problem: None,
        }
    }

    #[test]
    fn backups_belong_to_a_server() {
        let (_dir, store) = store();
        assert!(store.write_blocking(|tx| insert(tx, &backup("x"))).is_err(), "there is no such server");
        write(&store, |tx| nodes::insert(tx, &node("a")));
        write(&store, |tx| servers::insert(tx, &server("s", "a", 7)));
        write(&store, |tx| insert(tx, &backup("x")));
        write(&store, |tx| insert(tx, &backup("y")));
        let ready = write(&store, |tx| update(tx, "s", "x", |one| one.stage = Stage::Ready));
        assert_eq!(read(&store, |tx| get(tx, "s", "x")), Some(ready));
        assert_eq!(read(&store, busy), [backup("y")]);
        assert!(write(&store, |tx| remove(tx, "s", "y")));
        assert!(!write(&store, |tx| remove(tx, "s", "y")));
        write(&store, |tx| servers::delete(tx, "s"));
        assert_eq!(read(&store, |tx| list(tx, "s")), []);
        assert_eq!(read(&store, orphans).len(), 1);
        write(&store, |tx| remove_orphans(tx, &["x".to_owned()]));
        assert_eq!(read(&store, orphans), []);
    }

    #[test]
    fn a_node_keeps_its_repository() {
        let (_dir, store) = store();
        let one =
            |id: &str| Repository { id: id.into(), key: "k3y".into(), password: "p".into(), created_at: 1 };
        assert_eq!(write(&store, move |tx| keep_repository(tx, &"a".into(), one("r"))), one("r"));
        assert_eq!(write(&store, move |tx| keep_repository(tx, &"a".into(), one("q"))), one("r"));
        assert!(!format!("{:?}", one("r")).contains("k3y"));
    }
}
