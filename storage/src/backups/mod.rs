//! Backups of game servers, the targets where they lie, and the servers' policies. Those of one server are few and read together, so
//! they are one value among the settings: a program that does not know them leaves it alone.

mod checks;
pub mod policies;
pub(crate) mod record;
pub mod repositories;
pub mod targets;

use ids::ServerId;

use crate::error::{Error, Result};
use crate::settings;
use crate::tables;
use crate::tx::{ReadTx, WriteTx};

pub use checks::{by_node, checked_at, set_checked_at, update_node};
pub use record::{
    Backup, Checks, Contents, Copying, FollowUp, Halt, Origin, Plan, Proof, ProofKind, Repository, Space,
    Stage,
};

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

/// Those of all servers that are being tested, or copied.
pub fn used(tx: &ReadTx) -> Result<Vec<Backup>> {
    let mut used = Vec::new();
    for server in tables::SERVERS.all(tx)? {
        used.extend(list(tx, &server.id)?.into_iter().filter(|backup| backup.checks.is_used()));
    }
    Ok(used)
}

/// How many lie at a target, those of deleted servers included.
pub fn count_at(tx: &ReadTx, target_id: &str) -> Result<usize> {
    let there = |backup: &Backup| backup.target_id.as_deref() == Some(target_id);
    let mut count = orphans(tx)?.iter().filter(|backup| there(backup)).count();
    for server in tables::SERVERS.all(tx)? {
        count += list(tx, &server.id)?.iter().filter(|backup| there(backup)).count();
    }
    Ok(count)
}

/// Adds one. There must be the server and the target, and not too many.
pub fn insert(tx: &WriteTx, new: &Backup) -> Result<()> {
    if !tables::SERVERS.contains(tx, new.server_id.as_str())? {
        return Err(Error::NotFound { what: "server" });
    }
    if let Some(target) = &new.target_id
        && targets::get(tx, target)?.is_none()
    {
        return Err(Error::NotFound { what: "backup target" });
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
    policies::forget(tx, server_id)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{node, read, server, store, write};
    use crate::{nodes, servers};

    pub(super) fn backup(id: &str) -> Backup {
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
            target_id: None,
            plan: Plan::default(),
            checks: Checks::default(),
        }
    }

    #[test]
    fn backups_belong_to_a_server() {
        let (_dir, store) = store();
        assert!(store.write_blocking(|tx| insert(tx, &backup("x"))).is_err(), "there is no such server");
        write(&store, |tx| nodes::insert(tx, &node("a")));
        write(&store, |tx| servers::insert(tx, &server("s", "a", 7)));
        let elsewhere = Backup { target_id: Some("t".into()), ..backup("x") };
        assert!(store.write_blocking(move |tx| insert(tx, &elsewhere)).is_err(), "there is no such target");
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
}
