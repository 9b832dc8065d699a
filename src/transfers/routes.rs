//! `/api/servers/{id}/move`.

use serde::Deserialize;
use utoipa::ToSchema;

use super::Transfers;
use super::views::MoveView;
use crate::auth::ServerAdmin;
use crate::http::{DELETE, GET, POST, Route, endpoint};

/// All endpoints of this feature.
pub fn routes(transfers: &Transfers) -> Vec<Route> {
    vec![
        endpoint(POST, "/api/servers/{id}/move")
            .access::<ServerAdmin>()
            .doc("Moves a server with its data to another node; administrators only")
            .body::<MoveRequest>()
            .accepted::<MoveView>()
            .refusals(&[409, 503, 507])
            .handle(transfers, |transfers, call| async move {
                let (id, to) = (call.request.id().into(), call.body.node_id.as_str().into());
                transfers.begin(&call.by, &id, &to).await
            }),
        endpoint(GET, "/api/servers/{id}/move")
            .access::<ServerAdmin>()
            .doc("How far the last move of a server is, or how it ended; administrators only")
            .ok::<MoveView>()
            .handle(transfers, |transfers, call| async move { transfers.get(&call.request.id().into()) }),
        endpoint(DELETE, "/api/servers/{id}/move")
            .access::<ServerAdmin>()
            .doc("Calls a move off, or puts the word of one that failed away; administrators only")
            .no_content()
            .refusals(&[409, 503, 507])
            .handle(transfers, |transfers, call| async move {
                transfers.cancel(&call.by, &call.request.id().into()).await
            }),
    ]
}

/// The body of a transfer request.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MoveServer)]
struct MoveRequest {
    /// The other node.
    #[serde(rename = "nodeId")]
    node_id: String,
}
