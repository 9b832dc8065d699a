//! Backups as JSON.

use serde::Serialize;
use storage::backups::{Backup, Origin, Stage};
use utoipa::ToSchema;

use super::tracker::Progress;
use crate::system::clock::rfc3339;

/// What the node's own data folder is called where a target is named.
pub(super) const NODE: &str = "node";

/// A backup of a server.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Backup)]
pub struct BackupView {
    /// Never changes.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What they have to say about it.
    pub note: String,
    /// What goes on.
    pub status: BackupStatus,
    /// What went wrong last, or should be known of it, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// Bytes of all files in it.
    pub size: u64,
    /// What is in it.
    #[serde(flatten)]
    pub details: BackupDetails,
    /// When it was asked for.
    pub created_at: String,
    /// When it was whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// Whether it must not be deleted.
    pub locked: bool,
    /// Who or what asked for it.
    pub origin: BackupOrigin,
    /// How far what goes on is, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressView>,
}

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupDetails {
    /// The node where it lies, or that has made it where it lies at a target.
    pub node_id: String,
    /// The backup target where it lies, or `node` for the node's own data folder.
    pub target: String,
    /// Bytes that the repository has grown by.
    pub stored: u64,
    /// Files in it.
    pub files: u64,
    /// Files that changed while they were read.
    pub changed_files: u64,
    /// The first of those.
    pub changed_names: Vec<String>,
}

/// How far something is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BackupProgress)]
pub struct ProgressView {
    /// Bytes that are done.
    pub bytes: u64,
    /// Of how many; 0 where that is not known yet.
    pub total: u64,
    /// Bytes in a second.
    pub rate: u64,
}

/// What goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupStatus {
    /// It is being made.
    Creating,
    /// It is whole, and what it was made for is being done.
    Proceeding,
    /// It is whole.
    Ready,
    /// It was not made.
    Failed,
    /// Its files are being put in the place of the server's.
    Restoring,
    /// It is being deleted.
    Deleting,
}

/// Who or what asked for a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupOrigin {
    /// Somebody.
    Manual,
    /// A restore, which keeps what it replaces.
    BeforeRestore,
    /// The server's policy.
    Scheduled,
    /// Something risky, which waited for it.
    BeforeChange,
}

impl BackupView {
    /// Of the record, and how far it is.
    pub(super) fn new(backup: Backup, progress: Option<Progress>) -> Self {
        let Backup {
            id,
            node_id,
            name,
            note,
            locked,
            origin,
            stage,
            created_at,
            finished_at,
            contents,
            problem,
            target_id,
            ..
        } = backup;
        Self {
            id,
            name,
            note,
            status: match &stage {
                Stage::Creating => BackupStatus::Creating,
                Stage::FollowUp => BackupStatus::Proceeding,
                Stage::Ready => BackupStatus::Ready,
                Stage::Failed => BackupStatus::Failed,
                Stage::Restoring { .. } => BackupStatus::Restoring,
                Stage::Deleting => BackupStatus::Deleting,
            },
            status_reason: problem,
            size: contents.bytes,
            details: BackupDetails {
                node_id: node_id.to_string(),
                target: target_id.unwrap_or_else(|| NODE.to_owned()),
                stored: contents.stored,
                files: contents.files,
                changed_files: contents.changed,
                changed_names: contents.changed_names,
            },
            created_at: rfc3339(created_at),
            finished_at: finished_at.map(rfc3339),
            locked,
            origin: match origin {
                Origin::Manual => BackupOrigin::Manual,
                Origin::BeforeRestore => BackupOrigin::BeforeRestore,
                Origin::Scheduled => BackupOrigin::Scheduled,
                Origin::BeforeChange => BackupOrigin::BeforeChange,
            },
            progress: progress.filter(|_| stage.is_busy()).map(|progress| ProgressView {
                bytes: progress.bytes,
                total: progress.total,
                rate: progress.rate(),
            }),
        }
    }
}
