//! `/api/panel-backups`.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::auth::Admin;
use crate::backups::policy::{PolicyBody, PolicyView, with_tag};
use crate::backups::{BackupView, Backups};
use crate::http::{DELETE, GET, POST, PUT, Route, endpoint};

/// All endpoints of panel backups.
pub(in crate::backups) fn routes(backups: &Backups) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/panel-backups")
            .access::<Admin>()
            .doc("Lists the backups of the panel itself, newest first")
            .list::<BackupView>()
            .handle(backups, |backups, _call| async move { backups.panel_backups() }),
        endpoint(POST, "/api/panel-backups")
            .access::<Admin>()
            .doc("Makes a backup of the panel: database, settings, secrets, and by choice all servers before it")
            .body::<CreatePanelBackup>()
            .accepted::<BackupView>()
            .refusals(&[409, 503, 507])
            .handle(backups, |backups, call| async move {
                let CreatePanelBackup { target, servers } = call.body;
                backups.create_of_panel(&call.by, target.as_deref(), servers).await
            }),
        endpoint(GET, "/api/panel-backups/policy")
            .access::<Admin>()
            .doc("How the panel is backed up by itself, when the next backup is due, and what went wrong with the last one")
            .ok::<PolicyView>()
            .with_headers()
            .handle(backups, |backups, _call| async move { backups.panel_policy().map(with_tag) }),
        endpoint(PUT, "/api/panel-backups/policy")
            .access::<Admin>()
            .doc("Says how the panel is backed up by itself")
            .body::<PolicyBody>()
            .conditional()
            .ok::<PolicyView>()
            .with_headers()
            .refusals(&[507])
            .handle(backups, |backups, call| async move {
                let expected = call.request.expected()?;
                backups.set_panel_policy(&call.by, call.body, expected).await.map(with_tag)
            }),
        endpoint(POST, "/api/panel-backups/{id}/cancel")
            .access::<Admin>()
            .doc("Calls off a panel backup that is being made")
            .no_content()
            .refusals(&[404, 409])
            .handle(backups, |backups, call| async move {
                backups.cancel_of_panel(&call.by, call.request.id())
            }),
        endpoint(DELETE, "/api/panel-backups/{id}")
            .access::<Admin>()
            .doc("Deletes a panel backup. Those of servers that were made with it stay")
            .no_content()
            .refusals(&[404, 409, 507])
            .handle(backups, |backups, call| async move {
                backups.delete_of_panel(&call.by, call.request.id()).await
            }),
    ]
}

/// A new panel backup.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreatePanelBackup {
    /// The backup target's id, or `node` for this machine's data folder; as the policy says when left out.
    target: Option<String>,
    /// Whether all servers are backed up with it; as the policy says when left out.
    servers: Option<bool>,
}
