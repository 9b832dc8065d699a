//! What is sent about a backup, for servers that are there and that are no more.

use serde::Deserialize;
use utoipa::ToSchema;

use super::BackupChange;

/// What is to be changed of a backup.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeBackup {
    /// What people call it.
    name: Option<String>,
    /// What they have to say about it.
    note: Option<String>,
    /// Whether it must not be deleted.
    locked: Option<bool>,
}

impl From<ChangeBackup> for BackupChange {
    fn from(ChangeBackup { name, note, locked }: ChangeBackup) -> Self {
        Self { name, note, locked }
    }
}
