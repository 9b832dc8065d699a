//! `/api/servers/{id}/move`.

use serde::Deserialize;
use utoipa::ToSchema;

use super::Transfers;
use super::views::MoveView;
use crate::auth::Admin;
use crate::http::{
    Access, DELETE, Doc, Filter, GET, POST, Route, accepted, admin, id, json, no_content, ok, route, with,
};

/// All endpoints of this feature.
pub fn routes(moves: &Transfers) -> Vec<Route> {
    vec![begin(moves), get(moves), cancel(moves)]
}

/// Where to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MoveServer)]
struct MoveRequest {
    /// The other node.
    #[serde(rename = "nodeId")]
    node_id: String,
}

fn begin(moves: &Transfers) -> Route {
    route(
        POST,
        "/api/servers/{id}/move",
        Access::ServerAdmin,
        Doc::new("Transfers a server with its data to another node; administrators only")
            .body::<MoveRequest>()
            .answer::<MoveView>(202)
            .refusals(&[409, 503, 507]),
        with(moves)
            .and(admin())
            .and(id())
            .and(json::<MoveRequest>())
            .then(|moves: Transfers, admin: Admin, id: String, body: MoveRequest| async move {
                moves.begin(&admin, &id, &body.node_id).await
            })
            .map(accepted),
    )
}

fn get(moves: &Transfers) -> Route {
    route(
        GET,
        "/api/servers/{id}/move",
        Access::ServerAdmin,
        Doc::new("How far the last move of a server is, or how it ended; administrators only")
            .answer::<MoveView>(200),
        with(moves)
            .and(admin())
            .and(id())
            .map(|moves: Transfers, _admin: Admin, id: String| moves.get(&id))
            .map(ok),
    )
}

fn cancel(moves: &Transfers) -> Route {
    route(
        DELETE,
        "/api/servers/{id}/move",
        Access::ServerAdmin,
        Doc::new("Calls a move off, or puts the word of one that failed away; administrators only")
            .plain(204)
            .refusals(&[409, 503, 507]),
        with(moves)
            .and(admin())
            .and(id())
            .then(|moves: Transfers, admin: Admin, id: String| async move { moves.cancel(&admin, &id).await })
            .map(no_content),
    )
}
