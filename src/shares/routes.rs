//! `/api/servers/{id}/share`, and `/api/shared`, which needs no account.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Shares;
use super::views::{ShareView, SharedServer};
use crate::auth::{Open, Permit, need};
use crate::http::{DELETE, GET, POST, PUT, Route, endpoint};

/// All endpoints of this feature.
pub fn routes(shares: &Shares) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/servers/{id}/share")
            .access::<Permit<need::Configure>>()
            .doc("The public link of a server, if it has one")
            .secret()
            .ok::<ShareOf>()
            .handle(shares, |shares, call| async move { Ok(ShareOf { share: shares.get(&call.by)? }) }),
        endpoint(PUT, "/api/servers/{id}/share")
            .access::<Permit<need::Configure>>()
            .doc("Makes the public link of a server, or changes what it allows; an existing link stays the same")
            .secret()
            .body::<ShareRequest>()
            .ok::<ShareView>()
            .refusals(&[503, 507])
            .handle(shares, |shares, call| async move {
                let ShareRequest { wake, note } = call.body;
                shares.put(&call.by, wake, &note).await
            }),
        endpoint(DELETE, "/api/servers/{id}/share")
            .access::<Permit<need::Configure>>()
            .doc("Revokes the public link of a server, at once")
            .no_content()
            .refusals(&[503, 507])
            .handle(shares, |shares, call| async move { shares.delete(&call.by).await }),
        endpoint(GET, "/api/shared/{token}")
            .access::<Open>()
            .doc("What whoever has a server's public link sees")
            .secret()
            .ok::<SharedServer>()
            .refusals(&[404, 429])
            .handle(shares, |shares, call| async move {
                shares.look(call.request.param("token"), call.request.client().address).await
            }),
        endpoint(POST, "/api/shared/{token}/wake")
            .access::<Open>()
            .doc("Starts the server of a public link that allows it; one a minute")
            .no_content()
            .refusals(&[403, 404, 409, 429, 503])
            .handle(shares, |shares, call| async move {
                shares.wake(call.request.param("token"), call.request.client().address).await
            }),
    ]
}

/// Whether a server has a public link.
#[derive(Serialize, ToSchema)]
struct ShareOf {
    /// Null if it has none.
    share: Option<ShareView>,
}

/// How a server is shared.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ShareRequest {
    /// Whether whoever has the link may start the server.
    #[serde(default)]
    wake: bool,
    /// What friends should know, such as what to install; at most 1000 characters.
    #[serde(default)]
    note: String,
}
