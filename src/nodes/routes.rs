//! Endpoints of `/api/nodes`.

use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::join::{Enrollment, EnrollmentConfig};
use super::resolution::Resolution;
use super::views::{NodeMade, NodeView};
use super::{NodeChange, Nodes};
use crate::auth::{Actor, Admin, NodeSecret};
use crate::http::header::HeaderMap;
use crate::http::{DELETE, GET, Incoming, PATCH, POST, Route, endpoint, streamed, tagged};

/// All endpoints of this feature. `joining` is how remote agents reach the panel.
pub fn routes(nodes: &Nodes, joining: &EnrollmentConfig) -> Vec<Route> {
    let enrolling = (nodes.clone(), joining.clone());
    vec![
        endpoint(GET, "/api/nodes")
            .access::<Actor>()
            .doc("Lists the nodes")
            .list::<NodeView>()
            .handle(nodes, |nodes, call| async move { nodes.list(&call.by).await }),
        endpoint(GET, "/api/nodes/{id}")
            .access::<Actor>()
            .doc("One node")
            .ok::<NodeView>()
            .with_headers()
            .refusals(&[404])
            .handle(nodes, |nodes, call| async move {
                nodes.get(&call.by, &call.request.id().into()).map(with_tag)
            }),
        endpoint(POST, "/api/nodes")
            .access::<Admin>()
            .doc("Makes a node; its secret is shown this once")
            .secret()
            .body::<CreateRequest>()
            .created::<NodeMade>()
            .refusals(&[409, 503, 507])
            .handle(&enrolling, |(nodes, joining), call| async move {
                let (enrollment, body) = (enrollment(joining, &call.request), call.body);
                nodes.create(&call.by, body.id.into(), body.name, &enrollment).await
            }),
        endpoint(PATCH, "/api/nodes/{id}")
            .access::<Admin>()
            .doc("Changes a node's name, or whether new servers are placed there; left-out keys stay")
            .body::<ChangeRequest>()
            .conditional()
            .ok::<NodeView>()
            .with_headers()
            .refusals(&[404, 503, 507])
            .handle(nodes, |nodes, call| async move {
                let ChangeRequest { name, draining } = call.body;
                let change = NodeChange { name, draining };
                let expected = call.request.expected()?;
                nodes.change(&call.by, &call.request.id().into(), change, expected).await.map(with_tag)
            }),
        endpoint(DELETE, "/api/nodes/{id}")
            .access::<Admin>()
            .doc("Removes a node without servers")
            .query::<ForceQuery>()
            .no_content()
            .refusals(&[404, 409, 422, 503, 507])
            .handle(nodes, |nodes, call| async move {
                nodes.delete(&call.by, &call.request.id().into(), call.query.force).await
            }),
        endpoint(POST, "/api/nodes/{id}/secret")
            .access::<Admin>()
            .doc("Renews a node's secret, shown this once; the old one opens until the agent came with the new one, 10 minutes at most")
            .secret()
            .ok::<NodeMade>()
            .refusals(&[404, 409, 503, 507])
            .handle(&enrolling, |(nodes, joining), call| async move {
                let enrollment = enrollment(joining, &call.request);
                nodes.renew_secret(&call.by, &call.request.id().into(), &enrollment).await
            }),
        endpoint(DELETE, "/api/nodes/{id}/secret")
            .access::<Admin>()
            .doc("Takes a node's secret away: its agent is cut off, and stays out")
            .no_content()
            .refusals(&[404, 409, 503, 507])
            .handle(nodes, |nodes, call| async move { nodes.revoke_secret(&call.by, &call.request.id().into()).await }),
        endpoint(POST, "/api/nodes/{id}/differences/{server}")
            .access::<Admin>()
            .doc("Mends a difference between what a node has and what it should have")
            .body::<ResolveRequest>()
            .no_content()
            .refusals(&[404, 409, 503, 507])
            .handle(nodes, |nodes, call| async move {
                let (id, server) = (call.request.id().into(), call.request.param("server").into());
                nodes.mend(&call.by, &id, &server, call.body.action).await
            }),
        endpoint(GET, "/api/nodes/{id}/program")
            .access::<NodeSecret>()
            .doc("The program for a machine that joins; takes that node's secret")
            .query::<ProgramQuery>()
            .response(200)
            .refusals(&[401, 404, 422])
            .handle(&enrolling, |(nodes, joining), call| async move {
                let (id, arch) = (call.request.id(), &call.query.arch);
                let (file, length) = nodes.program(&joining, id, &call.by, arch).await?;
                Ok(streamed(file, length))
            }),
    ]
}

fn with_tag(view: NodeView) -> (NodeView, HeaderMap) {
    let headers = tagged(&view.revision);
    (view, headers)
}

/// A new machine reaches the panel by the same host as this request.
fn enrollment(joining: EnrollmentConfig, request: &Incoming) -> Enrollment {
    Enrollment { joining, host: request.client().host.clone() }
}

/// A node to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateNode)]
struct CreateRequest {
    /// The agent's own id.
    id: String,
    /// What people call it; its id when left out.
    #[serde(default)]
    name: Option<String>,
}

/// What is to change; left-out keys stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NodePatch)]
struct ChangeRequest {
    /// 1 to 80 characters.
    #[serde(default)]
    name: Option<String>,
    /// No new servers are placed there.
    #[serde(default)]
    draining: Option<bool>,
}

/// Whether a dead node's servers go with it.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ForceQuery {
    /// Remove an offline one that has servers, and forget them
    #[serde(default)]
    force: bool,
}

/// Which program. A machine that names no architecture is told so only after its secret was checked.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ProgramQuery {
    /// In the words of `uname -m`.
    #[serde(default)]
    arch: String,
}

/// How to mend a difference.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MendDifference)]
struct ResolveRequest {
    /// One of the difference's `actions`.
    action: Resolution,
}
