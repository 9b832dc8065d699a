//! Backups of game servers, the targets where they lie, and the servers' policies. Those of one server are few and read together, so
//! they are one value among the settings: a program that does not know them leaves it alone.

mod by_server;
mod checks;
pub mod deleted;
pub mod policies;
pub(crate) mod record;
pub mod repositories;
pub mod targets;

use self::by_server::{name, put};
use self::deleted::{is_there, owners};
use crate::error::{Error, Result};
use crate::servers::record::Server;
use crate::settings;
use crate::tx::{ReadTx, WriteTx};

pub use by_server::{MOST, list};
pub use checks::{list_at, update_at};
pub use record::{
    Backup, CheckResult, Checks, Contents, Copying, FollowUp, Halt, Origin, PANEL, Plan, Proof, ProofKind,
    Repository, RepositoryCheck, Space, Stage,
};

/// One of them.
pub fn get(tx: &ReadTx, server_id: &str, id: &str) -> Result<Option<Backup>> {
    Ok(list(tx, server_id)?.into_iter().find(|backup| backup.id == id))
}

/// Those of all servers, by which something is under way.
pub fn busy(tx: &ReadTx) -> Result<Vec<Backup>> {
    let mut busy = Vec::new();
    for server_id in owners(tx)? {
        busy.extend(list(tx, &server_id)?.into_iter().filter(|backup| backup.stage.is_busy()));
    }
    Ok(busy)
}

/// Those of all servers that are being tested, or copied.
pub fn used(tx: &ReadTx) -> Result<Vec<Backup>> {
    let mut used = Vec::new();
    for server_id in owners(tx)? {
        used.extend(list(tx, &server_id)?.into_iter().filter(|backup| backup.checks.is_used()));
    }
    Ok(used)
}

/// How many lie at a target, those of deleted servers included.
pub fn count_at(tx: &ReadTx, target_id: &str) -> Result<usize> {
    let there = |backup: &Backup| backup.target_id.as_deref() == Some(target_id);
    let mut count = orphans(tx)?.iter().filter(|backup| there(backup)).count();
    for server_id in owners(tx)? {
        count += list(tx, &server_id)?.iter().filter(|backup| there(backup)).count();
    }
    Ok(count)
}

/// Adds one. There must be the server and the target, and not too many.
pub fn insert(tx: &WriteTx, new: &Backup) -> Result<()> {
    if !is_there(tx, &new.server_id)? {
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
    put(tx, &new.server_id, &all)
}

/// Changes one, and gives it as it is then.
pub fn update(tx: &WriteTx, server_id: &str, id: &str, change: impl FnOnce(&mut Backup)) -> Result<Backup> {
    let mut all = list(tx, server_id)?;
    let one = all.iter_mut().find(|backup| backup.id == id).ok_or(Error::NotFound { what: "backup" })?;
    change(one);
    let changed = one.clone();
    put(tx, server_id, &all)?;
    Ok(changed)
}

/// Forgets one, and tells whether it was there. With the last one a deleted server is forgotten.
pub fn remove(tx: &WriteTx, server_id: &str, id: &str) -> Result<bool> {
    let mut all = list(tx, server_id)?;
    let before = all.len();
    all.retain(|backup| backup.id != id);
    put(tx, server_id, &all)?;
    deleted::forget_if_empty(tx, server_id)?;
    Ok(all.len() < before)
}

/// The name of those whose server is no more.
const ORPHANS: &str = "backup_orphans";

/// What becomes of the backups of a server that is deleted: whole ones are kept where that was asked for, the others are to
/// be deleted where they lie.
pub(crate) fn forget_server(tx: &WriteTx, server: &Server) -> Result<()> {
    let stays = |backup: &Backup| {
        let asked = match &server.deleting {
            Some(deletion) => deletion.keep_backups,
            // Its node is removed: what lies elsewhere can still be read.
            None => backup.target_id.is_some(),
        };
        asked && backup.finished_at.is_some() && backup.stage != Stage::Deleting
    };
    let (mut kept, left): (Vec<_>, Vec<_>) = list(tx, &server.id)?.into_iter().partition(stays);
    if !left.is_empty() {
        let mut all = orphans(tx)?;
        all.extend(left);
        settings::put(tx, ORPHANS, &all)?;
    }
    policies::forget(tx, &server.id)?;
    if kept.is_empty() {
        return settings::delete(tx, &name(&server.id)).map(drop);
    }
    for backup in &mut kept {
        backup.stage = Stage::Ready;
        backup.plan = Plan::default();
    }
    put(tx, &server.id, &kept)?;
    let deletion = server.deleting.as_ref();
    deleted::put(
        tx,
        &deleted::DeletedServer {
            id: server.id.clone(),
            name: server.name.clone(),
            at: deletion.map_or(server.updated_at, |deletion| deletion.since),
            by: deletion.map(|deletion| deletion.by.clone()).unwrap_or_default(),
            server: Some(Box::new(Server { deleting: None, ..server.clone() })),
            keep_days: None,
        },
    )
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
    fn the_panel_has_backups_like_a_server() {
        let (_dir, store) = store();
        let of_panel = Backup { server_id: PANEL.into(), target_id: None, ..backup("x") };
        let copy = of_panel.clone();
        write(&store, move |tx| insert(tx, &copy));
        assert_eq!(read(&store, busy), std::slice::from_ref(&of_panel));
        assert_eq!(
            read(&store, |tx| list_at(
                tx,
                &repositories::Place { target_id: None, node_id: Some("a".into()) }
            ))
            .len(),
            1
        );
        assert_eq!(read(&store, orphans), []);
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
