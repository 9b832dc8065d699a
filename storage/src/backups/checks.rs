//! What is noted of all backups in one repository.

use ids::ServerId;

use super::by_server::{list, put};
use super::deleted::owners;
use super::record::Backup;
use super::repositories::{Place, holds};
use crate::error::Result;
use crate::tx::{ReadTx, WriteTx};

/// All backups in a repository, those of one server oldest first.
pub fn list_at(tx: &ReadTx, place: &Place) -> Result<Vec<Backup>> {
    let mut all = Vec::new();
    for server_id in owners(tx)? {
        all.extend(list(tx, &server_id)?.into_iter().filter(|backup| holds(place, backup)));
    }
    Ok(all)
}

/// Changes the backups in a repository; `change` says whether it has. Gives the servers whose backups have changed.
pub fn update_at(
    tx: &WriteTx,
    place: &Place,
    mut change: impl FnMut(&mut Backup) -> bool,
) -> Result<Vec<ServerId>> {
    let mut servers = Vec::new();
    for server_id in owners(tx)? {
        let mut all = list(tx, &server_id)?;
        let mut changed = false;
        for backup in all.iter_mut().filter(|backup| holds(place, backup)) {
            changed |= change(backup);
        }
        if changed {
            put(tx, &server_id, &all)?;
            servers.push(server_id);
        }
    }
    Ok(servers)
}

#[cfg(test)]
mod tests {
    use super::super::{Stage, insert, tests::backup};
    use super::*;
    use crate::testing::{node, read, server, store, write};
    use crate::{nodes, servers};

    #[test]
    fn the_backups_of_a_repository_are_changed_and_no_others() {
        let (_dir, store) = store();
        write(&store, |tx| nodes::insert(tx, &node("a")));
        write(&store, |tx| servers::insert(tx, &server("s", "a", 7)));
        write(&store, |tx| insert(tx, &backup("x")));
        write(&store, |tx| insert(tx, &Backup { node_id: "b".into(), ..backup("y") }));
        let ready = |backup: &mut Backup| {
            backup.stage = Stage::Ready;
            true
        };
        let place = Place { target_id: None, node_id: Some("a".into()) };
        let at = place.clone();
        let changed = write(&store, move |tx| update_at(tx, &at, ready));
        assert_eq!(changed, [ServerId::from("s")]);
        let stages: Vec<_> =
            read(&store, |tx| list(tx, "s")).into_iter().map(|backup| backup.stage).collect();
        assert_eq!(stages, [Stage::Ready, Stage::Creating]);
        assert_eq!(read(&store, |tx| list_at(tx, &place)).len(), 1);
        let shared = Place { target_id: Some("t".into()), node_id: None };
        assert_eq!(read(&store, |tx| list_at(tx, &shared)), []);
    }
}
