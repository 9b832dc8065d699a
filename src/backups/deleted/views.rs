//! Deleted servers as JSON.

use serde::Serialize;
use storage::backups::Backup;
use storage::backups::deleted::DeletedServer;
use templates::model;
use utoipa::ToSchema;

use crate::system::clock::rfc3339;

/// A server that is no more, and whose backups were kept.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeletedServer)]
pub(super) struct DeletedServerView {
    /// The id that the server had.
    id: String,
    /// What people called it.
    name: String,
    /// The game, by the name of its template; absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    game: Option<String>,
    /// When it was deleted, or when its backups were found at a target.
    deleted_at: String,
    /// Who has done that.
    deleted_by: String,
    /// Whether a new server can be made of its backups: its settings are known.
    restorable: bool,
    /// Its backups.
    backups: usize,
    /// Those of them that are locked.
    locked: usize,
    /// Bytes of the files in the largest of them.
    size: u64,
    /// Days after which its backups are deleted by themselves; absent where never.
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_days: Option<u32>,
}

impl DeletedServerView {
    pub(super) fn new(one: DeletedServer, some: &[Backup]) -> Self {
        let DeletedServer { id, name, at, by, server, keep_days } = one;
        let template = server.as_ref().and_then(|server| server.template.as_deref());
        let template = template.and_then(|text| serde_json::from_str::<model::Template>(text).ok());
        Self {
            id: id.to_string(),
            name,
            game: template.map(|template| template.about.name),
            deleted_at: rfc3339(at),
            deleted_by: by,
            restorable: server.is_some(),
            backups: some.len(),
            locked: some.iter().filter(|backup| backup.locked).count(),
            size: some.iter().map(|backup| backup.contents.bytes).max().unwrap_or(0),
            keep_days,
        }
    }
}
