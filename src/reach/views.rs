//! JSON of how players reach a server.

use std::net::Ipv4Addr;

use protocol::{PortReach, Protocol, ReachReport, RouterReport};
use serde::Serialize;
use storage::servers::Server;
use utoipa::ToSchema;

/// By which addresses players reach a server, and what may be in the way. What is null is not known.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Reach)]
pub(crate) struct ReachView {
    /// The public address of its machine, as an administrator set it; null if nobody has.
    public_host: Option<String>,
    /// Whether the router may be asked to forward the server's ports; null if the node did not tell.
    router_allowed: Option<bool>,
    /// The router; null if it may not be asked.
    router: Option<RouterView>,
    /// Each of the server's ports.
    ports: Vec<PortReachView>,
}

/// The router of a server's node.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Router)]
struct RouterView {
    /// By which protocol it forwards ports: `pcp`, `nat-pmp` or `upnp`.
    via: Option<String>,
    /// Its address on the other side.
    external: Option<String>,
    /// What kind of address that is.
    external_kind: Option<ExternalKind>,
    /// Why it could not be asked, as a sentence.
    problem: Option<String>,
}

/// What kind of address a router has on its other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExternalAddressKind)]
enum ExternalKind {
    /// The internet reaches it.
    Public,
    /// Shared by several customers of a provider: carrier-grade NAT.
    Shared,
    /// Of a local network: another router stands before it.
    Private,
    /// It has none.
    None,
}

/// What is known of a port.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PortReach)]
struct PortReachView {
    /// On the node.
    external: u16,
    /// `tcp` or `udp`.
    protocol: &'static str,
    /// Whether the game listens on it; null if it does not run.
    listening: Option<bool>,
    /// Whether the node takes connections for it; null if the server does not run.
    published: Option<bool>,
    /// Whether the router forwards it; null if it may not be asked.
    forwarded: Option<bool>,
    /// Why the router does not, as a sentence.
    problem: Option<String>,
}

impl ReachView {
    pub(super) fn new(server: &Server, public_host: Option<String>, report: Option<ReachReport>) -> Self {
        let told = report.is_some();
        let ReachReport { allowed, router, ports } = report.unwrap_or_default();
        let of = |port: &storage::servers::Port| {
            let protocol = match port.protocol {
                storage::servers::Protocol::Tcp => Protocol::Tcp,
                storage::servers::Protocol::Udp => Protocol::Udp,
            };
            let known = |found: &&PortReach| (found.external, found.protocol) == (port.external, protocol);
            let known = ports.iter().find(known);
            PortReachView {
                external: port.external,
                protocol: protocol.as_str(),
                listening: known.and_then(|known| known.listening),
                published: known.and_then(|known| known.published),
                forwarded: known.and_then(|known| known.forwarded),
                problem: known.and_then(|known| known.problem.clone()),
            }
        };
        Self {
            public_host,
            router_allowed: told.then_some(allowed),
            router: allowed.then(|| RouterView::from(router)),
            ports: server.ports.iter().map(of).collect(),
        }
    }
}

impl From<RouterReport> for RouterView {
    fn from(RouterReport { address: _, own: _, via, external, problem }: RouterReport) -> Self {
        let external_kind = external.as_deref().and_then(|text| text.parse().ok()).map(kind);
        Self { via, external, external_kind, problem }
    }
}

/// What kind of address a router has on its other side.
fn kind(address: Ipv4Addr) -> ExternalKind {
    let [first, second, ..] = address.octets();
    if first == 100 && (64..128).contains(&second) {
        ExternalKind::Shared
    } else if address.is_unspecified() || address.is_loopback() || address.is_broadcast() {
        ExternalKind::None
    } else if address.is_private() || address.is_link_local() || (first, second) == (192, 0) {
        ExternalKind::Private
    } else {
        ExternalKind::Public
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_the_internet_does_not_reach_are_known() {
        for (address, expected) in [
            ([203, 0, 113, 7], ExternalKind::Public),
            ([100, 63, 255, 255], ExternalKind::Public),
            ([100, 64, 0, 1], ExternalKind::Shared),
            ([100, 127, 255, 255], ExternalKind::Shared),
            ([100, 128, 0, 0], ExternalKind::Public),
            ([10, 0, 0, 2], ExternalKind::Private),
            ([172, 31, 0, 2], ExternalKind::Private),
            ([172, 32, 0, 2], ExternalKind::Public),
            ([192, 168, 2, 2], ExternalKind::Private),
            ([192, 0, 0, 2], ExternalKind::Private),
            ([0, 0, 0, 0], ExternalKind::None),
        ] {
            assert_eq!(kind(address.into()), expected, "{address:?}");
        }
    }
}
