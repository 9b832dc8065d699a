//! `/api/servers/{id}/backups`.

use serde::Deserialize;
use utoipa::ToSchema;

use super::body::ChangeBackup;
use super::views::BackupView;
use super::{Backups, contents_routes};
use crate::auth::{Permit, need};
use crate::http::{DELETE, GET, PATCH, POST, Route, endpoint};

/// All endpoints of this feature.
pub fn routes(backups: &Backups) -> Vec<Route> {
    let mut routes = of_servers(backups);
    routes.extend(contents_routes::routes(backups));
    routes.extend(super::targets::routes(backups));
    routes.extend(super::policy::routes(backups));
    routes.extend(super::deleted::routes(backups));
    routes.extend(super::panel::routes(backups));
    routes
}

fn of_servers(backups: &Backups) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/servers/{id}/backups")
            .access::<Permit<need::Backups>>()
            .doc("Lists the backups of a server, newest first")
            .list::<BackupView>()
            .handle(backups, |backups, call| async move { backups.list(&call.by) }),
        endpoint(POST, "/api/servers/{id}/backups")
            .access::<Permit<need::Backups>>()
            .doc("Makes a backup of a server. A running game is told to save, where its template says how")
            .body::<CreateBackup>()
            .accepted::<BackupView>()
            .refusals(&[409, 503, 507])
            .handle(backups, |backups, call| async move {
                let CreateBackup { name, note, target } = call.body;
                backups.create(&call.by, name, note, target.as_deref()).await
            }),
        endpoint(PATCH, "/api/servers/{id}/backups/{backup}")
            .access::<Permit<need::Backups>>()
            .doc("Renames a backup, changes the note about it, locks or unlocks it; left-out keys stay")
            .body::<ChangeBackup>()
            .ok::<BackupView>()
            .refusals(&[404, 507])
            .handle(backups, |backups, call| async move {
                backups.change(&call.by, call.request.param("backup"), call.body.into()).await
            }),
        endpoint(POST, "/api/servers/{id}/backups/{backup}/cancel")
            .access::<Permit<need::Backups>>()
            .doc("Calls off a backup that is being made or restored, or its restore test")
            .no_content()
            .refusals(&[409])
            .handle(backups, |backups, call| async move {
                backups.cancel(&call.by, call.request.param("backup"))
            }),
        endpoint(DELETE, "/api/servers/{id}/backups/{backup}")
            .access::<Permit<need::Backups>>()
            .doc("Deletes a backup that is not locked")
            .no_content()
            .refusals(&[409, 507])
            .handle(backups, |backups, call| async move {
                backups.delete(&call.by, call.request.param("backup")).await
            }),
    ]
}

/// A new backup.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateBackup {
    /// What people call it.
    #[serde(default)]
    name: String,
    /// What they have to say about it.
    #[serde(default)]
    note: String,
    /// The backup target's id, or `node` for the node's own data folder; as the server's policy says when left out.
    target: Option<String>,
}
