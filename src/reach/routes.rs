//! `/api/servers/{id}/reach`, and the public address of a node.

use serde::Deserialize;
use utoipa::ToSchema;

use super::Reach;
use super::views::ReachView;
use crate::auth::{Admin, Permit, need};
use crate::http::{GET, PUT, Route, endpoint};

/// All endpoints of this feature.
pub fn routes(reach: &Reach) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/servers/{id}/reach")
            .access::<Permit<need::View>>()
            .doc("By which addresses players reach a server, and what may be in the way: whether the game listens, whether its ports are published, whether the router forwards them")
            .ok::<ReachView>()
            .handle(reach, |reach, call| async move { reach.of_server(&call.by).await }),
        endpoint(PUT, "/api/servers/{id}/router")
            .access::<Permit<need::Configure>>()
            .doc("Allows or forbids to have the router forward the server's ports while it runs, by PCP, NAT-PMP or UPnP")
            .body::<RouterRequest>()
            .no_content()
            .refusals(&[409, 503, 507])
            .handle(reach, |reach, call| async move {
                reach.allow_router(&call.by, call.body.allow).await
            }),
        endpoint(PUT, "/api/nodes/{id}/public-address")
            .access::<Admin>()
            .doc("Sets the address by which the internet reaches a node; null forgets it")
            .body::<PublicAddressRequest>()
            .no_content()
            .refusals(&[404, 503, 507])
            .handle(reach, |reach, call| async move {
                let id = call.request.id().into();
                reach.set_public_address(&call.by, &id, call.body.address.as_deref()).await
            }),
    ]
}

/// The address by which the internet reaches a node.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PublicAddressRequest {
    /// A name or an IP address, without a port.
    address: Option<String>,
}

/// Whether the router may be asked.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RouterRequest {
    /// Whether it may forward the server's ports.
    allow: bool,
}
