//! When the repositories of nodes were checked last, and what is noted of all backups of a node.

use std::collections::BTreeMap;

use ids::{NodeId, ServerId};

use super::record::Backup;
use super::{list, name};
use crate::Millis;
use crate::error::Result;
use crate::settings;
use crate::tables;
use crate::tx::{ReadTx, WriteTx};

fn setting(node_id: &NodeId) -> String {
    format!("backup_checked:{node_id}")
}

/// All backups by the node where they lie, those of one server oldest first.
pub fn by_node(tx: &ReadTx) -> Result<BTreeMap<NodeId, Vec<Backup>>> {
    let mut all: BTreeMap<NodeId, Vec<Backup>> = BTreeMap::new();
    for server in tables::SERVERS.all(tx)? {
        for backup in list(tx, &server.id)? {
            all.entry(backup.node_id.clone()).or_default().push(backup);
        }
    }
    Ok(all)
}

/// When the repository of a node was checked last; `None` if it was never scheduled.
pub fn checked_at(tx: &ReadTx, node_id: &NodeId) -> Result<Option<Millis>> {
    settings::get(tx, &setting(node_id))
}

/// Notes when.
pub fn set_checked_at(tx: &WriteTx, node_id: &NodeId, at: Millis) -> Result<()> {
    settings::put(tx, &setting(node_id), &at)
}

/// Changes the backups of a node; `change` says whether it has. Gives the servers whose backups have changed.
pub fn update_node(
    tx: &WriteTx,
    node_id: &NodeId,
    mut change: impl FnMut(&mut Backup) -> bool,
) -> Result<Vec<ServerId>> {
    let mut servers = Vec::new();
    for server in tables::SERVERS.all(tx)? {
        let mut all = list(tx, &server.id)?;
        let mut changed = false;
        for backup in all.iter_mut().filter(|backup| backup.node_id == *node_id) {
            changed |= change(backup);
        }
        if changed {
            settings::put(tx, &name(&server.id), &all)?;
            servers.push(server.id);
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
    fn the_backups_of_a_node_are_changed_and_no_others() {
        let (_dir, store) = store();
        write(&store, |tx| nodes::insert(tx, &node("a")));
        write(&store, |tx| servers::insert(tx, &server("s", "a", 7)));
        write(&store, |tx| insert(tx, &backup("x")));
        write(&store, |tx| insert(tx, &Backup { node_id: "b".into(), ..backup("y") }));
        let ready = |backup: &mut Backup| {
            backup.stage = Stage::Ready;
            true
        };
        let changed = write(&store, move |tx| update_node(tx, &"a".into(), ready));
        assert_eq!(changed, [ServerId::from("s")]);
        let stages: Vec<_> =
            read(&store, |tx| list(tx, "s")).into_iter().map(|backup| backup.stage).collect();
        assert_eq!(stages, [Stage::Ready, Stage::Creating]);
        assert_eq!(read(&store, by_node).len(), 2);
        assert_eq!(read(&store, |tx| checked_at(tx, &"a".into())), None);
        write(&store, |tx| set_checked_at(tx, &"a".into(), 5));
        assert_eq!(read(&store, |tx| checked_at(tx, &"a".into())), Some(5));
    }
}
