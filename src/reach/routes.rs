//! `/api/servers/{id}/reach`, and the public address of a node.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Reach;
use crate::auth::{Admin, Permit, need};
use crate::http::{GET, PUT, Route, endpoint};

/// All endpoints of this feature.
pub fn routes(reach: &Reach) -> Vec<Route> {
    vec![
        endpoint(GET, "/api/servers/{id}/reach")
            .access::<Permit<need::View>>()
            .doc("By which addresses players reach a server")
            .ok::<ReachView>()
            .handle(reach, |reach, call| async move { reach.of_server(&call.by) }),
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

/// By which addresses players reach a server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Reach)]
pub(crate) struct ReachView {
    /// The public address of its machine, as an administrator set it; null if nobody has.
    pub(crate) public_host: Option<String>,
}
