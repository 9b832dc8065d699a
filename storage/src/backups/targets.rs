//! Backup targets: places beside the nodes' data folders where backups are kept. They are few and read together, so they are one
//! value among the settings.

use std::fmt;

use ids::NodeId;
use serde::{Deserialize, Serialize};

use super::{policies, repositories};
use crate::Millis;
use crate::error::{Error, Result};
use crate::settings;
use crate::tables;
use crate::tx::{ReadTx, WriteTx};

/// Targets.
pub const MOST: usize = 50;
const NAME: &str = "backup_targets";

/// A place where backups are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Never changes.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How it is reached.
    pub location: Location,
    /// When it was added.
    pub created_at: Millis,
    /// Whether somebody has said that he keeps its emergency kit.
    #[serde(default)]
    pub kit_saved: bool,
}

/// How a target is reached. Its secrets are in the database as they are: the target wants them so.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// A folder of each node: a mounted disk or share.
    Folder {
        /// Where it is.
        path: String,
    },
    /// A bucket of an S3-compatible service.
    S3 {
        /// The service's address.
        endpoint: String,
        /// The region that requests are signed for.
        region: String,
        /// The bucket.
        bucket: String,
        /// The folder in it; may be empty.
        prefix: String,
        /// The access key's id.
        access_key: String,
        /// The key that requests are signed with.
        secret_key: String,
    },
    /// restic's REST server.
    Rest {
        /// Its address.
        url: String,
        /// User name; empty if the server asks for none.
        user: String,
        /// The password.
        password: String,
    },
    /// An SSH server with SFTP.
    Sftp {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
        /// User name.
        user: String,
        /// The folder there.
        path: String,
        /// The password, where it is used.
        password: Option<String>,
        /// The private key, where it is used.
        private_key: Option<String>,
        /// The server's own key, as `SHA256:…`; none before it was seen.
        host_key: Option<String>,
    },
}

impl Location {
    /// Whether all nodes reach the same place by it, so that they share one repository.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        !matches!(self, Self::Folder { .. })
    }

    /// Whether it is known who answers there: an SSH server's key has been seen.
    #[must_use]
    pub fn host_is_known(&self) -> bool {
        !matches!(self, Self::Sftp { host_key: None, .. })
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Folder { .. } => "Folder",
            Self::S3 { .. } => "S3",
            Self::Rest { .. } => "Rest",
            Self::Sftp { .. } => "Sftp",
        };
        f.write_str(kind)
    }
}

/// All targets, in the order in which they were added.
pub fn list(tx: &ReadTx) -> Result<Vec<Target>> {
    Ok(settings::get(tx, NAME)?.unwrap_or_default())
}

/// One of them.
pub fn get(tx: &ReadTx, id: &str) -> Result<Option<Target>> {
    Ok(list(tx)?.into_iter().find(|target| target.id == id))
}

/// Adds one, where there are not too many.
pub fn insert(tx: &WriteTx, new: Target) -> Result<()> {
    let mut all = list(tx)?;
    if all.len() >= MOST {
        return Err(Error::Taken { what: "every place for a backup target" });
    }
    all.push(new);
    settings::put(tx, NAME, &all)
}

/// Changes one, and gives it as it is then.
pub fn update(tx: &WriteTx, id: &str, change: impl FnOnce(&mut Target)) -> Result<Target> {
    let mut all = list(tx)?;
    let one = all.iter_mut().find(|one| one.id == id).ok_or(Error::NotFound { what: "backup target" })?;
    change(one);
    let changed = one.clone();
    settings::put(tx, NAME, &all)?;
    Ok(changed)
}

/// Forgets one, and the keys of its repositories. Nothing may lie there any more.
pub fn delete(tx: &WriteTx, id: &str) -> Result<()> {
    let mut all = list(tx)?;
    all.retain(|one| one.id != id);
    settings::put(tx, NAME, &all)?;
    for place in places(tx, id)? {
        repositories::forget(tx, &place)?;
    }
    Ok(())
}

/// Where its repositories may be: the one of all nodes, and each node's.
pub fn places(tx: &ReadTx, id: &str) -> Result<Vec<repositories::Place>> {
    let place = |node_id: Option<NodeId>| repositories::Place { target_id: Some(id.to_owned()), node_id };
    let nodes = tables::NODES.all(tx)?.into_iter().map(|node| Some(node.id));
    Ok(std::iter::once(None).chain(nodes).map(place).collect())
}

/// The places of all repositories that are known: the nodes' own, and those at targets.
pub fn all_places(tx: &ReadTx) -> Result<Vec<repositories::Place>> {
    let own = |node_id| repositories::Place { target_id: None, node_id: Some(node_id) };
    let mut all: Vec<_> = tables::NODES.all(tx)?.into_iter().map(|node| own(node.id)).collect();
    for target in list(tx)? {
        all.extend(places(tx, &target.id)?);
    }
    let mut known = Vec::new();
    for place in all {
        if repositories::get(tx, &place)?.is_some() {
            known.push(place);
        }
    }
    Ok(known)
}

/// How many servers' policies name it.
pub fn users(tx: &ReadTx, id: &str) -> Result<usize> {
    let all = policies::list(tx)?;
    Ok(all.iter().filter(|(_, kept)| kept.policy.target_id.as_deref() == Some(id)).count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{read, store, write};

    #[test]
    fn targets_come_and_go_with_their_keys() {
        let (_dir, store) = store();
        let location =
            Location::Rest { url: "https://x".into(), user: "u".into(), password: "s3cret".into() };
        let target = Target { id: "t".into(), name: "NAS".into(), location, created_at: 1, kit_saved: false };
        assert!(!format!("{target:?}").contains("s3cret"));
        let copy = target.clone();
        write(&store, move |tx| insert(tx, copy));
        assert_eq!(read(&store, list), [target]);
        let place = repositories::Place { target_id: Some("t".into()), node_id: None };
        let repository = super::super::Repository {
            id: "r".into(),
            key: "k".into(),
            password: "p".into(),
            created_at: 1,
            space: None,
            check: super::super::RepositoryCheck::default(),
        };
        let at = place.clone();
        write(&store, move |tx| repositories::keep(tx, &at, repository));
        assert!(write(&store, |tx| update(tx, "t", |one| one.kit_saved = true)).kit_saved);
        assert!(store.write_blocking(|tx| update(tx, "u", |_| ())).is_err());
        write(&store, |tx| delete(tx, "t"));
        assert_eq!(read(&store, list), []);
        assert_eq!(read(&store, |tx| repositories::get(tx, &place)), None);
    }
}
