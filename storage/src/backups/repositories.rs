//! The repositories that backups lie in, with their keys: one for each node, and those at targets.

use ids::NodeId;

use super::record::{Backup, Repository, Space};
use crate::error::Result;
use crate::settings;
use crate::tx::{ReadTx, WriteTx};

/// Names a repository: a node's own, a target's for one node, or a target's for all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The target; none for the node's own data folder.
    pub target_id: Option<String>,
    /// The node; none where all nodes share one at the target.
    pub node_id: Option<NodeId>,
}

impl Place {
    /// The name of the setting.
    fn name(&self) -> String {
        let node = self.node_id.as_ref().map(NodeId::as_str).unwrap_or_default();
        match &self.target_id {
            None => format!("backup_repository:{node}"),
            Some(target) => format!("backup_target_repository:{target}:{node}"),
        }
    }
}

/// The repository there, where it was thought of.
pub fn get(tx: &ReadTx, place: &Place) -> Result<Option<Repository>> {
    settings::get(tx, &place.name())
}

/// Keeps a repository, unless there is one; gives the one that there is then.
pub fn keep(tx: &WriteTx, place: &Place, new: Repository) -> Result<Repository> {
    if let Some(there) = get(tx, place)? {
        return Ok(there);
    }
    settings::put(tx, &place.name(), &new)?;
    Ok(new)
}

/// Keeps what it takes of its disk.
pub fn put_space(tx: &WriteTx, place: &Place, space: Space) -> Result<()> {
    update(tx, place, |there| there.space = Some(space))
}

/// Changes what is kept of it, where it is there.
pub fn update(tx: &WriteTx, place: &Place, change: impl FnOnce(&mut Repository)) -> Result<()> {
    match get(tx, place)? {
        Some(mut there) => {
            change(&mut there);
            settings::put(tx, &place.name(), &there)
        }
        None => Ok(()),
    }
}

/// Whether a backup lies in the repository of this place.
#[must_use]
pub fn holds(place: &Place, backup: &Backup) -> bool {
    backup.target_id == place.target_id
        && place.node_id.as_ref().is_none_or(|node_id| *node_id == backup.node_id)
}

/// Forgets it, and its key.
pub(super) fn forget(tx: &WriteTx, place: &Place) -> Result<()> {
    settings::delete(tx, &place.name()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::record::RepositoryCheck;
    use super::*;
    use crate::testing::{read, store, write};

    #[test]
    fn each_place_keeps_its_repository() {
        let (_dir, store) = store();
        let one = |id: &str| Repository {
            id: id.into(),
            key: "k3y".into(),
            password: "p".into(),
            created_at: 1,
            space: None,
            check: RepositoryCheck::default(),
        };
        let place = |target: Option<&str>, node: Option<&str>| Place {
            target_id: target.map(Into::into),
            node_id: node.map(Into::into),
        };
        let own = place(None, Some("a"));
        let copy = own.clone();
        assert_eq!(write(&store, move |tx| keep(tx, &copy, one("r"))), one("r"));
        let copy = own.clone();
        assert_eq!(write(&store, move |tx| keep(tx, &copy, one("q"))), one("r"));
        for (at, id) in [(place(Some("t"), None), "s"), (place(Some("t"), Some("a")), "u")] {
            assert_eq!(read(&store, |tx| get(tx, &at)), None);
            let copy = at.clone();
            assert_eq!(write(&store, move |tx| keep(tx, &copy, one(id))).id, id);
        }
        let space = Space { stored: 7, free: None, snapshots: 1, at: 2 };
        let copy = own.clone();
        write(&store, move |tx| put_space(tx, &copy, space));
        assert_eq!(read(&store, |tx| get(tx, &own)).unwrap().space, Some(space));
        assert!(!format!("{:?}", one("r")).contains("k3y"));
    }
}
