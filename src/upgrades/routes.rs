//! `/api/upgrade`.

use serde::Deserialize;
use utoipa::ToSchema;

use super::Upgrades;
use super::views::UpgradeView;
use crate::auth::Admin;
use crate::http::{
    Access, DELETE, Doc, Filter, GET, POST, Route, accepted, admin, json, no_content, ok, route, with,
};

/// All endpoints of this feature.
pub fn routes(upgrades: &Upgrades) -> Vec<Route> {
    vec![get(upgrades), check(upgrades), begin(upgrades), begin_nodes(upgrades), stop_nodes(upgrades)]
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

fn get(upgrades: &Upgrades) -> Route {
    route(
        GET,
        "/api/upgrade",
        Access::Admin,
        Doc::new("What there is to upgrade, and how far that is").answer::<UpgradeView>(200),
        with(upgrades)
            .and(admin())
            .then(|upgrades: Upgrades, _admin: Admin| async move { upgrades.view() })
            .map(ok),
    )
}

fn check(upgrades: &Upgrades) -> Route {
    route(
        POST,
        "/api/upgrade/check",
        Access::Admin,
        Doc::new("Looks for a newer version now, at most once in ten seconds")
            .answer::<UpgradeView>(200)
            .refusals(&[409, 429]),
        with(upgrades)
            .and(admin())
            .then(|upgrades: Upgrades, _admin: Admin| async move { upgrades.check_asked().await })
            .map(ok),
    )
}

fn begin(upgrades: &Upgrades) -> Route {
    route(
        POST,
        "/api/upgrade",
        Access::Admin,
        Doc::new("Fetches a version and starts anew with it; goes back by itself where it does not come up")
            .body::<BeginRequest>()
            .answer::<UpgradeView>(202)
            .refusals(&[409]),
        with(upgrades)
            .and(admin())
            .and(json::<BeginRequest>())
            .then(|upgrades: Upgrades, admin: Admin, body: BeginRequest| async move {
                upgrades.begin(&admin, &body.version)
            })
            .map(accepted),
    )
}

fn begin_nodes(upgrades: &Upgrades) -> Route {
    route(
        POST,
        "/api/upgrade/nodes",
        Access::Admin,
        Doc::new("Gives other machines' agents the panel's version, one after another, until one fails")
            .body::<NodesRequest>()
            .answer::<UpgradeView>(202)
            .refusals(&[404, 409]),
        with(upgrades)
            .and(admin())
            .and(json::<NodesRequest>())
            .then(|upgrades: Upgrades, admin: Admin, body: NodesRequest| async move {
                upgrades.begin_nodes(&admin, body.nodes.as_deref())
            })
            .map(accepted),
    )
}

fn stop_nodes(upgrades: &Upgrades) -> Route {
    route(
        DELETE,
        "/api/upgrade/nodes",
        Access::Admin,
        Doc::new("Upgrades no more agents after the one whose turn it is; puts away what failed").plain(204),
        with(upgrades)
            .and(admin())
            .then(|upgrades: Upgrades, admin: Admin| async move { upgrades.stop_nodes(&admin) })
            .map(no_content),
    )
}
