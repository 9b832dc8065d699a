//! `/api/deleted-servers`.

use serde::Deserialize;
use utoipa::ToSchema;

use super::views::DeletedServerView;
use crate::auth::Admin;
use crate::backups::body::ChangeBackup;
use crate::backups::contents_routes::RestoreAs;
use crate::backups::{BackupView, Backups};
use crate::http::{DELETE, GET, PATCH, POST, Route, endpoint};

/// All endpoints of deleted servers.
pub(in crate::backups) fn routes(backups: &Backups) -> Vec<Route> {
    let mut routes = of_servers(backups);
    routes.extend(of_backups(backups));
    routes
}

fn of_servers(backups: &Backups) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/deleted-servers")
            .access::<Admin>()
            .doc("Lists the servers that are no more and whose backups were kept, the last one first")
            .list::<DeletedServerView>()
            .handle(backups, |backups, _call| async move { backups.deleted_servers() }),
        endpoint(PATCH, "/api/deleted-servers/{id}")
            .access::<Admin>()
            .doc("Sets after how many days the backups of a deleted server are deleted by themselves; locked ones never are")
            .body::<ChangeDeleted>()
            .ok::<DeletedServerView>()
            .refusals(&[404, 507])
            .handle(backups, |backups, call| async move {
                backups.keep_deleted(&call.by, call.request.id(), call.body.keep_days).await
            }),
        endpoint(DELETE, "/api/deleted-servers/{id}")
            .access::<Admin>()
            .doc("Deletes all backups of a deleted server, of which none may be locked. It is gone when they are")
            .no_content()
            .refusals(&[404, 409, 507])
            .handle(backups, |backups, call| async move {
                backups.delete_all_deleted(&call.by, call.request.id()).await
            }),
        endpoint(POST, "/api/deleted-servers/{id}/give")
            .access::<Admin>()
            .doc("Gives the backups of a deleted server to a server that is there, where they can be restored")
            .body::<GiveDeleted>()
            .no_content()
            .refusals(&[404, 409, 507])
            .handle(backups, |backups, call| async move {
                backups.give_deleted(&call.by, call.request.id(), call.body.server_id.into()).await
            }),
    ]
}

fn of_backups(backups: &Backups) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/deleted-servers/{id}/backups")
            .access::<Admin>()
            .doc("Lists the backups of a deleted server, newest first")
            .list::<BackupView>()
            .refusals(&[404])
            .handle(backups, |backups, call| async move { backups.deleted_backups(call.request.id()) }),
        endpoint(PATCH, "/api/deleted-servers/{id}/backups/{backup}")
            .access::<Admin>()
            .doc("Renames a backup of a deleted server, changes the note about it, locks or unlocks it; left-out keys stay")
            .body::<ChangeBackup>()
            .ok::<BackupView>()
            .refusals(&[404, 507])
            .handle(backups, |backups, call| async move {
                let (id, backup) = (call.request.id(), call.request.param("backup"));
                backups.change_deleted_backup(id, backup, call.body.into()).await
            }),
        endpoint(DELETE, "/api/deleted-servers/{id}/backups/{backup}")
            .access::<Admin>()
            .doc("Deletes a backup of a deleted server that is not locked")
            .no_content()
            .refusals(&[404, 409, 507])
            .handle(backups, |backups, call| async move {
                let (id, backup) = (call.request.id(), call.request.param("backup"));
                backups.delete_deleted_backup(&call.by, id, backup).await
            }),
        endpoint(POST, "/api/deleted-servers/{id}/backups/{backup}/restore-as")
            .access::<Admin>()
            .doc("Makes a new server with the settings that the deleted one had and the files of the backup. It is there when its files are; it is not started")
            .body::<RestoreAs>()
            .accepted::<BackupView>()
            .refusals(&[404, 409, 503, 507])
            .handle(backups, |backups, call| async move {
                let RestoreAs { name, node_id } = call.body;
                let (id, backup) = (call.request.id(), call.request.param("backup"));
                backups.restore_deleted(&call.by, id, backup, &name, node_id.map(Into::into)).await
            }),
        endpoint(POST, "/api/deleted-servers/{id}/backups/{backup}/cancel")
            .access::<Admin>()
            .doc("Calls off a server that is being made of a backup")
            .no_content()
            .refusals(&[404, 409])
            .handle(backups, |backups, call| async move {
                let (id, backup) = (call.request.id(), call.request.param("backup"));
                backups.cancel_deleted_backup(&call.by, id, backup)
            }),
    ]
}

/// What is to be changed of a deleted server.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangeDeleted {
    /// Days after which its backups are deleted by themselves; null for never.
    #[schema(required)]
    keep_days: Option<u32>,
}

/// Who is given the backups of a deleted server.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GiveDeleted {
    /// The server's id.
    server_id: String,
}
