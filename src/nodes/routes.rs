//! `/api/nodes`.

use serde::Deserialize;
use utoipa::ToSchema;
use warp::filters::BoxedFilter;

use super::Nodes;
use super::join::{Joining, Meeting};
use super::views::{NodeMade, NodeView};
use crate::auth::{Admin, Caller};
use crate::http::{
    Access, DELETE, Doc, Filter, GET, POST, Route, admin, caller, created, header, id, json, no_content, ok,
    query, raw, route, streamed, with,
};

/// All endpoints of this feature. `joining` is where remote agents find us.
pub fn routes(nodes: &Nodes, joining: &Joining) -> Vec<Route> {
    vec![list(nodes), get(nodes), create(nodes, joining), delete(nodes), program(nodes, joining)]
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

/// Which program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgramQuery {
    /// In the words of `uname -m`.
    arch: String,
}

fn list(nodes: &Nodes) -> Route {
    route(
        GET,
        "/api/nodes",
        Access::SignedIn,
        Doc::new("Lists the nodes").list::<NodeView>(200),
        with(nodes)
            .and(caller())
            .then(|nodes: Nodes, caller: Caller| async move { nodes.list(&caller).await })
            .map(ok),
    )
}

fn get(nodes: &Nodes) -> Route {
    route(
        GET,
        "/api/nodes/{id}",
        Access::SignedIn,
        Doc::new("One node").answer::<NodeView>(200).refusals(&[404]),
        with(nodes)
            .and(caller())
            .and(id())
            .map(|nodes: Nodes, caller: Caller, id: String| nodes.get(&caller, &id))
            .map(ok),
    )
}

fn create(nodes: &Nodes, joining: &Joining) -> Route {
    route(
        POST,
        "/api/nodes",
        Access::Admin,
        Doc::new("Makes a node; its secret is shown this once")
            .body::<CreateRequest>()
            .answer::<NodeMade>(201)
            .refusals(&[409, 503, 507]),
        with(nodes)
            .and(admin())
            .and(meeting(joining))
            .and(json::<CreateRequest>())
            .then(|nodes: Nodes, admin: Admin, meeting: Meeting, body: CreateRequest| async move {
                nodes.create(&admin, body.id, body.name, &meeting).await
            })
            .map(created),
    )
}

fn delete(nodes: &Nodes) -> Route {
    route(
        DELETE,
        "/api/nodes/{id}",
        Access::Admin,
        Doc::new("Removes a node without servers").plain(204).refusals(&[404, 409, 503, 507]),
        with(nodes)
            .and(admin())
            .and(id())
            .then(|nodes: Nodes, admin: Admin, id: String| async move { nodes.delete(&admin, &id).await })
            .map(no_content),
    )
}

/// Where a new machine finds us: as the one who asks does.
fn meeting(joining: &Joining) -> BoxedFilter<(Meeting,)> {
    with(joining).and(header("host")).map(|joining, host| Meeting { joining, host }).boxed()
}

fn program(nodes: &Nodes, joining: &Joining) -> Route {
    route(
        GET,
        "/api/nodes/{id}/program",
        Access::Open,
        Doc::new("The program for a machine that joins; takes that node's secret")
            .plain(200)
            .query::<String>("arch", "In the words of `uname -m`.")
            .refusals(&[401, 404]),
        with(nodes)
            .and(with(joining))
            .and(id())
            .and(header("authorization"))
            .and(query::<ProgramQuery>())
            .then(|nodes: Nodes, joining: Joining, id: String, secret: Option<String>, query: ProgramQuery| async move {
                let secret = secret.as_deref().and_then(|value| value.strip_prefix("Bearer "));
                let program = nodes.program(&joining, &id, secret, &query.arch).await;
                program.map(|(file, length)| streamed(file, length))
            })
            .map(raw),
    )
}
