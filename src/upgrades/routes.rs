//! `/api/upgrade`.

use serde::Deserialize;
use utoipa::ToSchema;

use super::Upgrades;
use super::views::UpgradeView;
use crate::auth::Admin;
use crate::http::{DELETE, GET, POST, Route, endpoint};

/// All endpoints of this feature.
pub fn routes(upgrades: &Upgrades) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/upgrade")
            .access::<Admin>()
            .doc("What there is to upgrade, and how far that is")
            .ok::<UpgradeView>()
            .handle(upgrades, |upgrades, _call| async move { upgrades.view() }),
        endpoint(POST, "/api/upgrade/check")
            .access::<Admin>()
            .doc("Looks for a newer version now, at most once in ten seconds")
            .ok::<UpgradeView>()
            .refusals(&[409, 429])
            .handle(upgrades, |upgrades, _call| async move { upgrades.check_asked().await }),
        endpoint(POST, "/api/upgrade")
            .access::<Admin>()
            .doc("Fetches a version and starts anew with it; goes back by itself where it does not come up")
            .body::<BeginRequest>()
            .accepted::<UpgradeView>()
            .refusals(&[409])
            .handle(upgrades, |upgrades, call| async move { upgrades.begin(&call.by, &call.body.version) }),
        endpoint(POST, "/api/upgrade/nodes")
            .access::<Admin>()
            .doc("Gives other machines' agents the panel's version, one after another, until one fails")
            .body::<NodesRequest>()
            .accepted::<UpgradeView>()
            .refusals(&[404, 409])
            .handle(upgrades, |upgrades, call| async move {
                upgrades.begin_nodes(&call.by, call.body.nodes.as_deref())
            }),
        endpoint(DELETE, "/api/upgrade/nodes")
            .access::<Admin>()
            .doc("Upgrades no more agents after the one whose turn it is; puts away what failed")
            .no_content()
            .handle(upgrades, |upgrades, call| async move { upgrades.stop_nodes(&call.by) }),
    ]
}

/// To which version.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BeginUpgrade)]
struct BeginRequest {
    /// One that was published, above the panel's own.
    version: String,
}

/// Which agents.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BeginNodeUpgrades)]
struct NodesRequest {
    /// These nodes; all that are older than the panel when left out.
    #[serde(default)]
    nodes: Option<Vec<String>>,
}
