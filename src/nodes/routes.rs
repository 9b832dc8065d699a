//! `/api/nodes`.

use serde::Deserialize;
use utoipa::ToSchema;
use warp::filters::BoxedFilter;

use super::Nodes;
use super::join::{Enrollment, EnrollmentConfig};
use super::resolution::Resolution;
use super::views::{NodeMade, NodeView};
use crate::auth::{Admin, Caller};
use crate::http::{
    Access, DELETE, Doc, Filter, GET, PATCH, POST, Route, admin, caller, created, header, host, id, ids,
    json, no_content, ok, query, raw, route, streamed, with,
};

/// All endpoints of this feature. `joining` is where remote agents find us.
pub fn routes(nodes: &Nodes, joining: &EnrollmentConfig) -> Vec<Route> {
    vec![
        list(nodes),
        get(nodes),
        create(nodes, joining),
        change(nodes),
        delete(nodes),
        renew_secret(nodes, joining),
        revoke_secret(nodes),
        mend(nodes),
        program(nodes, joining),
    ]
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
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct ForceQuery {
    #[serde(default)]
    force: bool,
}

/// Which program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgramQuery {
    /// In the words of `uname -m`. Whoever names none learns that only after his secret was looked at.
    #[serde(default)]
    arch: String,
}

/// How to mend a difference.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MendDifference)]
struct MendRequest {
    /// One of the difference's `actions`.
    action: Resolution,
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

fn create(nodes: &Nodes, joining: &EnrollmentConfig) -> Route {
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
            .then(|nodes: Nodes, admin: Admin, meeting: Enrollment, body: CreateRequest| async move {
                nodes.create(&admin, body.id, body.name, &meeting).await
            })
            .map(created),
    )
}

fn change(nodes: &Nodes) -> Route {
    route(
        PATCH,
        "/api/nodes/{id}",
        Access::Admin,
        Doc::new("Changes a node's name, or whether new servers are placed there; left-out keys stay")
            .body::<ChangeRequest>()
            .answer::<NodeView>(200)
            .refusals(&[404, 503, 507]),
        with(nodes)
            .and(admin())
            .and(id())
            .and(json::<ChangeRequest>())
            .then(|nodes: Nodes, admin: Admin, id: String, body: ChangeRequest| async move {
                nodes.change(&admin, &id, body.name, body.draining).await
            })
            .map(ok),
    )
}

fn delete(nodes: &Nodes) -> Route {
    route(
        DELETE,
        "/api/nodes/{id}",
        Access::Admin,
        Doc::new("Removes a node without servers")
            .query::<bool>("force", "Remove an offline one that has servers, and forget them")
            .plain(204)
            .refusals(&[404, 409, 422, 503, 507]),
        with(nodes)
            .and(admin())
            .and(id())
            .and(query::<ForceQuery>())
            .then(|nodes: Nodes, admin: Admin, id: String, query: ForceQuery| async move {
                nodes.delete(&admin, &id, query.force).await
            })
            .map(no_content),
    )
}

fn renew_secret(nodes: &Nodes, joining: &EnrollmentConfig) -> Route {
    route(
        POST,
        "/api/nodes/{id}/secret",
        Access::Admin,
        Doc::new("Renews a node's secret, shown this once; the old one opens until the agent came with the new one, 10 minutes at most")
            .answer::<NodeMade>(200)
            .refusals(&[404, 409, 503, 507]),
        with(nodes)
            .and(admin())
            .and(id())
            .and(meeting(joining))
            .then(|nodes: Nodes, admin: Admin, id: String, meeting: Enrollment| async move {
                nodes.renew_secret(&admin, &id, &meeting).await
            })
            .map(ok),
    )
}

fn revoke_secret(nodes: &Nodes) -> Route {
    route(
        DELETE,
        "/api/nodes/{id}/secret",
        Access::Admin,
        Doc::new("Takes a node's secret away: its agent is cut off, and stays out")
            .plain(204)
            .refusals(&[404, 409, 503, 507]),
        with(nodes)
            .and(admin())
            .and(id())
            .then(|nodes: Nodes, admin: Admin, id: String| async move { nodes.revoke_secret(&admin, &id).await })
            .map(no_content),
    )
}

fn mend(nodes: &Nodes) -> Route {
    route(
        POST,
        "/api/nodes/{id}/differences/{server}",
        Access::Admin,
        Doc::new("Mends a difference between what a node has and what it should have")
            .body::<MendRequest>()
            .plain(204)
            .refusals(&[404, 409, 503, 507]),
        with(nodes)
            .and(admin())
            .and(ids())
            .and(json::<MendRequest>())
            .then(|nodes: Nodes, admin: Admin, id: String, server: String, body: MendRequest| async move {
                nodes.mend(&admin, &id, &server, body.action).await
            })
            .map(no_content),
    )
}

/// Where a new machine finds us: as the one who asks does.
fn meeting(joining: &EnrollmentConfig) -> BoxedFilter<(Enrollment,)> {
    with(joining).and(host()).map(|joining, host| Enrollment { joining, host }).boxed()
}

fn program(nodes: &Nodes, joining: &EnrollmentConfig) -> Route {
    route(
        GET,
        "/api/nodes/{id}/program",
        Access::Open,
        Doc::new("The program for a machine that joins; takes that node's secret")
            .plain(200)
            .query::<String>("arch", "In the words of `uname -m`.")
            .refusals(&[401, 404, 422]),
        with(nodes)
            .and(with(joining))
            .and(id())
            .and(header("authorization"))
            .and(query::<ProgramQuery>())
            .then(
                |nodes: Nodes,
                 joining: EnrollmentConfig,
                 id: String,
                 secret: Option<String>,
                 query: ProgramQuery| async move {
                    let secret = secret.as_deref().and_then(|value| value.strip_prefix("Bearer "));
                    let program = nodes.program(&joining, &id, secret, &query.arch).await;
                    program.map(|(file, length)| streamed(file, length))
                },
            )
            .map(raw),
    )
}
