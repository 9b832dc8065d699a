//! `/api/nodes`.

use serde::Deserialize;
use utoipa::ToSchema;

use super::Nodes;
use super::views::{NodeMade, NodeView};
use crate::auth::{Admin, Caller};
use crate::http::{
    Access, DELETE, Doc, Filter, GET, POST, Route, admin, caller, created, header, id, json, no_content, ok,
    route, with,
};

/// All endpoints of this feature. `agents_port` is where remote agents come to.
pub fn routes(nodes: &Nodes, public_url: Option<&str>, agents_port: u16) -> Vec<Route> {
    vec![list(nodes), get(nodes), create(nodes, public_url, agents_port), delete(nodes)]
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

fn create(nodes: &Nodes, public_url: Option<&str>, agents_port: u16) -> Route {
    let public_host = public_url.and_then(|url| url.split_once("://")).map(|(_, rest)| rest.to_owned());
    let address =
        with(&public_host).and(header("host")).map(move |public: Option<String>, asked: Option<String>| {
            let host = public.or(asked).unwrap_or_default();
            format!("ws://{}:{agents_port}", host_of(&host))
        });
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
            .and(address)
            .and(json::<CreateRequest>())
            .then(|nodes: Nodes, admin: Admin, address: String, body: CreateRequest| async move {
                nodes.create(&admin, body.id, body.name, &address).await
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

/// The host of `host:port/path`, and nothing that a shell could take for more: it goes into a line to be pasted.
fn host_of(authority: &str) -> String {
    let authority = authority.split('/').next().unwrap_or("");
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if host.is_empty() || !host.chars().all(plain) { "PANEL".to_owned() } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn hosts_are_safe_to_paste() {
        for (given, host) in [
            ("panel.example:3000", "panel.example"),
            ("10.0.0.5", "10.0.0.5"),
            ("[fe80::1]:3000", "[fe80::1]"),
            ("panel.example/path", "panel.example"),
            ("$(id):80", "PANEL"),
            ("", "PANEL"),
        ] {
            assert_eq!(host_of(given), host, "{given}");
        }
    }
}
