//! Backup targets as JSON, without their secrets.

use protocol::{BackupSpace, NodeId};
use serde::Serialize;
use storage::backups::targets::{Location, Target};
use storage::backups::{CheckResult, Repository, RepositoryCheck, Space};
use utoipa::ToSchema;

use crate::backups::tracker::Progress;
use crate::backups::views::ProgressView;
use crate::system::clock::rfc3339;

/// A place where backups are kept.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BackupTarget)]
pub(super) struct TargetView {
    /// Never changes.
    id: String,
    /// What people call it.
    name: String,
    /// How it is reached.
    location: LocationView,
    /// When it was added.
    created_at: String,
    /// Whether somebody has said that he keeps its emergency kit.
    kit_saved: bool,
    /// Backups that lie there.
    backups: usize,
    /// Servers that are backed up there.
    servers: usize,
    /// The repositories there.
    repositories: Vec<RepositoryView>,
}

/// A repository at a target.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BackupRepository)]
pub(super) struct RepositoryView {
    /// Names its folder.
    id: String,
    /// The node whose backups lie in it; absent where all nodes share it.
    #[serde(skip_serializing_if = "Option::is_none")]
    node_id: Option<String>,
    /// What it takes; absent as long as no node has told.
    #[serde(skip_serializing_if = "Option::is_none")]
    space: Option<SpaceView>,
    /// When it is checked, and what that found.
    check: CheckView,
}

/// When a repository is checked, and what the last check found.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BackupCheck)]
pub(super) struct CheckView {
    /// Whether one is under way, or waits for another one at the same target.
    running: bool,
    /// How far the one is that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<ProgressView>,
    /// When the next one is due; absent before it was planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<String>,
    /// Why the last attempt failed; absent where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// The last one that came to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<CheckedView>,
}

/// What a check of a repository found.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BackupCheckResult)]
pub(super) struct CheckedView {
    /// Time of its end.
    at: String,
    /// The node that has done it.
    node_id: String,
    /// Damaged backups of this panel.
    damaged: u64,
    /// What else was found; empty if nothing.
    sentence: String,
}

/// What a repository takes.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BackupSpace)]
pub(super) struct SpaceView {
    /// Bytes of all of it.
    stored: u64,
    /// Bytes that are free there, where that can be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    free: Option<u64>,
    /// Backups in it.
    snapshots: u64,
    /// When that was told; absent where it was just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
}

/// How a target is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BackupTargetKind)]
pub(in crate::backups) enum KindView {
    /// A folder of each node.
    Folder,
    /// An S3-compatible service.
    S3,
    /// restic's REST server.
    Rest,
    /// An SSH server with SFTP.
    Sftp,
}

/// How a target is reached, without secrets.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = BackupTargetAddress)]
pub(super) enum LocationView {
    /// A folder of each node.
    Folder {
        /// The whole path.
        path: String,
    },
    /// A bucket of an S3-compatible service.
    S3 {
        /// The service's address.
        endpoint: String,
        /// The region.
        region: String,
        /// The bucket.
        bucket: String,
        /// The folder in it.
        prefix: String,
        /// The access key's id.
        #[serde(rename = "accessKey")]
        access_key: String,
    },
    /// restic's REST server.
    Rest {
        /// Its address.
        url: String,
        /// User name.
        user: String,
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
        /// Whether a private key is used, and not a password.
        #[serde(rename = "byKey")]
        by_key: bool,
        /// The server's own key; absent before it was seen.
        #[serde(rename = "hostKey", skip_serializing_if = "Option::is_none")]
        host_key: Option<String>,
    },
}

/// What became of a try.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BackupTargetTest)]
pub(super) struct TestView {
    /// Whether backups can be kept there.
    pub(super) ok: bool,
    /// What was found, in one sentence or two.
    pub(super) sentence: String,
    /// The node that tried it.
    pub(super) node_id: String,
    /// The key that an SSH server has shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host_key: Option<String>,
    /// What lies there, where there is a repository of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) space: Option<SpaceView>,
    /// Whether a backup repository lies there that this panel does not know: its password is needed to take its backups in.
    pub(super) foreign: bool,
    /// What lies in it, where its password was given.
    pub(super) found: Vec<FoundView>,
}

/// Backups of one server or folder that were found in a repository.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FoundBackups)]
pub(super) struct FoundView {
    /// The server's name where it is known, its id, or the folder.
    pub(super) name: String,
    /// Whether a server of this panel gets them.
    pub(super) known: bool,
    /// How many.
    pub(super) backups: usize,
    /// When the newest was made.
    pub(super) newest_at: String,
}

impl KindView {
    pub(in crate::backups) fn of(location: &Location) -> Self {
        match location {
            Location::Folder { .. } => Self::Folder,
            Location::S3 { .. } => Self::S3,
            Location::Rest { .. } => Self::Rest,
            Location::Sftp { .. } => Self::Sftp,
        }
    }
}

impl From<BackupSpace> for SpaceView {
    fn from(BackupSpace { stored, free, snapshots }: BackupSpace) -> Self {
        Self { stored, free, snapshots, at: None }
    }
}

impl RepositoryView {
    pub(super) fn new(
        node_id: Option<NodeId>,
        repository: Repository,
        under_way: bool,
        progress: Option<Progress>,
    ) -> Self {
        let space = repository.space.map(|Space { stored, free, snapshots, at }| SpaceView {
            stored,
            free,
            snapshots,
            at: Some(rfc3339(at)),
        });
        let RepositoryCheck { due, last, problem } = repository.check;
        let check = CheckView {
            running: under_way,
            progress: progress.map(ProgressView::from),
            due_at: due.map(rfc3339),
            problem,
            last: last.map(|CheckResult { at, node_id, damaged, sentence }| CheckedView {
                at: rfc3339(at),
                node_id: node_id.to_string(),
                damaged,
                sentence,
            }),
        };
        Self { id: repository.id, node_id: node_id.map(String::from), space, check }
    }
}

impl TargetView {
    pub(super) fn new(
        target: Target,
        repositories: Vec<RepositoryView>,
        backups: usize,
        servers: usize,
    ) -> Self {
        let Target { id, name, location, created_at, kit_saved } = target;
        let location = match location {
            Location::Folder { path } => LocationView::Folder { path },
            Location::S3 { endpoint, region, bucket, prefix, access_key, secret_key: _ } => {
                LocationView::S3 { endpoint, region, bucket, prefix, access_key }
            }
            Location::Rest { url, user, password: _ } => LocationView::Rest { url, user },
            Location::Sftp { host, port, user, path, password: _, private_key, host_key } => {
                LocationView::Sftp { host, port, user, path, by_key: private_key.is_some(), host_key }
            }
        };
        let created_at = rfc3339(created_at);
        Self { id, name, location, created_at, kit_saved, backups, servers, repositories }
    }
}
