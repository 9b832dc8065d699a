//! The repositories that backups lie in: where they are, and their keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::{BackupLocation, BackupReport, BackupRepository, BackupSpace, NodeId, capability};
use storage::Millis;
use storage::backups::repositories::{self, Place};
use storage::backups::targets::{self, Location, Target};
use storage::backups::{Backup, Repository, RepositoryCheck, Space};

use super::Backups;
use super::views::NODE;
use crate::error::{ApiError, Code};
use crate::system::{clock, ids};

impl Backups {
    /// The id of a target that somebody names; none for the node's own data folder.
    pub(super) fn known_target(&self, named: &str) -> Result<Option<String>, ApiError> {
        if named == NODE {
            return Ok(None);
        }
        match self.store.read_now(|tx| targets::get(tx, named))? {
            Some(target) => Ok(Some(target.id)),
            None => Err(ApiError::field("target", "is not a backup target of this panel")),
        }
    }

    /// The target of this id; none for the node's own data folder.
    fn target(&self, target_id: Option<&str>) -> Result<Option<Target>, ApiError> {
        let Some(id) = target_id else { return Ok(None) };
        let gone =
            || ApiError::new(Code::Conflict, "The backup target of this backup is not there any more.");
        self.store.read_now(|tx| targets::get(tx, id))?.ok_or_else(gone).map(Some)
    }

    /// Whether all nodes reach what lies there.
    pub(super) fn is_shared(&self, target_id: Option<&str>) -> Result<bool, ApiError> {
        Ok(self.target(target_id)?.is_some_and(|target| target.location.is_shared()))
    }

    /// The node that works on a backup: the one where it lies, or, where all nodes reach it, the one of its server.
    pub(super) fn node_for(&self, backup: &Backup) -> Result<NodeId, ApiError> {
        if !self.is_shared(backup.target_id.as_deref())? {
            return Ok(backup.node_id.clone());
        }
        let read = |tx: &storage::ReadTx| {
            if let Some(server) = storage::servers::get(tx, &backup.server_id)? {
                return Ok(Some(server.node_id));
            }
            // The one that made it, or any that is there.
            let mut nodes: Vec<_> = storage::nodes::list(tx)?.into_iter().map(|node| node.id).collect();
            nodes.sort_by_key(|node| (!self.agents.node(node).online, *node != backup.node_id));
            Ok::<_, storage::Error>(nodes.into_iter().next())
        };
        Ok(self.store.read_now(read)?.unwrap_or_else(|| backup.node_id.clone()))
    }

    /// Whether a backup lies on a node that is no more.
    pub(super) fn is_out_of_reach(&self, backup: &Backup) -> Result<bool, ApiError> {
        let node_id = self.node_for(backup)?;
        Ok(self.store.read_now(|tx| storage::nodes::get(tx, &node_id))?.is_none())
    }

    /// Whether the node is there and can keep backups at the target.
    pub(super) fn can_keep(&self, node_id: &NodeId, target_id: Option<&str>) -> Result<(), ApiError> {
        self.can_work(node_id)?;
        if target_id.is_some() && self.agents.lacks(node_id, capability::BACKUP_TARGETS) {
            let sentence = format!(
                "The agent of the node {node_id} knows no backup targets: it is older than this panel. Update it first."
            );
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        Ok(())
    }

    /// The repository of a node at a target; its key is made when it is first asked for.
    pub(super) async fn repository(
        &self,
        node_id: &NodeId,
        target_id: Option<&str>,
    ) -> Result<BackupRepository, ApiError> {
        let target = self.target(target_id)?;
        let place = place(node_id, target.as_ref());
        let kept = match self.store.read_now(|tx| repositories::get(tx, &place))? {
            Some(there) => there,
            None => {
                let new = new_repository();
                self.store.write(move |tx| repositories::keep(tx, &place, new)).await?
            }
        };
        let location = target.map_or(BackupLocation::Node, |target| wire(target.location));
        let Repository { id, key, password, .. } = kept;
        Ok(BackupRepository { id, key, password, location })
    }

    /// Keeps what a node has told of the space that its repository takes.
    pub(super) async fn keep_space(&self, backup: &Backup, report: &BackupReport) -> Result<(), ApiError> {
        let Some(space) = report.space else { return Ok(()) };
        let place = place(&self.node_for(backup)?, self.target(backup.target_id.as_deref())?.as_ref());
        let space = kept_space(space, clock::now());
        Ok(self.store.write(move |tx| repositories::put_space(tx, &place, space)).await?)
    }
}

/// What a node has told of the space of a repository, as it is kept.
pub(super) fn kept_space(told: BackupSpace, at: Millis) -> Space {
    let BackupSpace { stored, free, snapshots } = told;
    Space { stored, free, snapshots, at }
}

fn place(node_id: &NodeId, target: Option<&Target>) -> Place {
    let shared = target.is_some_and(|target| target.location.is_shared());
    Place { target_id: target.map(|target| target.id.clone()), node_id: (!shared).then(|| node_id.clone()) }
}

/// A repository that there is not yet.
pub(super) fn new_repository() -> Repository {
    let key: [u8; 64] = rand::random();
    Repository {
        id: ids::short(),
        key: STANDARD.encode(key),
        password: ids::random(ids::LONG * 2),
        created_at: clock::now(),
        space: None,
        check: RepositoryCheck::default(),
    }
}

/// As a node is told of it.
pub(crate) fn wire(location: Location) -> BackupLocation {
    match location {
        Location::Folder { path } => BackupLocation::Folder { path },
        Location::S3 { endpoint, region, bucket, prefix, access_key, secret_key } => {
            BackupLocation::S3 { endpoint, region, bucket, prefix, access_key, secret_key }
        }
        Location::Rest { url, user, password } => BackupLocation::Rest { url, user, password },
        Location::Sftp { host, port, user, path, password, private_key, host_key } => {
            BackupLocation::Sftp { host, port, user, path, password, private_key, host_key }
        }
    }
}
