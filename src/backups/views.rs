//! Backups as JSON.

use serde::Serialize;
use storage::backups::{Backup, Origin, Proof, ProofKind, Stage};
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
    /// Whether it is any good, as far as somebody has looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<VerifiedView>,
    /// Whether its restore test is under way.
    pub testing: bool,
    /// The name of the server that is being made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copying: Option<String>,
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
    /// Of a panel backup: servers whose backups lie beside it, made with it.
    pub servers: u32,
}

/// What the last look at a backup found.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BackupVerified)]
pub struct VerifiedView {
    /// Time of that look.
    pub at: String,
    /// What was done.
    pub kind: VerifiedKind,
    /// Whether it is as it should be.
    pub ok: bool,
    /// Why not, or how that is known, in one sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The last lines of the game's console, where it was started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// How a backup was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BackupVerifiedKind)]
pub enum VerifiedKind {
    /// What it is made of was read.
    Checked,
    /// The game was started from it.
    Started,
}

impl From<Proof> for VerifiedView {
    fn from(proof: Proof) -> Self {
        let Proof { at, kind, ok, reason, lines } = proof;
        let kind = match kind {
            ProofKind::Checked => VerifiedKind::Checked,
            ProofKind::Started => VerifiedKind::Started,
        };
        Self { at: rfc3339(at), kind, ok, reason, lines }
    }
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

impl From<Progress> for ProgressView {
    fn from(progress: Progress) -> Self {
        Self { bytes: progress.bytes, total: progress.total, rate: progress.rate() }
    }
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
            checks,
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
            testing: checks.test_job.is_some(),
            copying: checks.copy.as_ref().map(|copy| copy.server.name.clone()),
            size: contents.bytes,
            details: BackupDetails {
                node_id: node_id.to_string(),
                target: target_id.unwrap_or_else(|| NODE.to_owned()),
                stored: contents.stored,
                files: contents.files,
                changed_files: contents.changed,
                changed_names: contents.changed_names,
                servers: contents.servers,
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
            progress: progress.filter(|_| stage.is_busy() || checks.is_used()).map(ProgressView::from),
            verified: checks.proof.map(VerifiedView::from),
        }
    }
}
