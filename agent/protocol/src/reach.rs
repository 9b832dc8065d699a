//! How players reach a server: its ports, and the router.

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::Protocol;
use super::payload::{Payload, few, id};
use super::text::TextRule;

/// Maximum number of ports in one report.
const PORTS: usize = 512;
/// Maximum number of ports that are never forwarded.
const NEVER: usize = 64;

/// `router_allow`: whether the router may be asked to forward a server's ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouterAllow {
    /// The server's id.
    pub server_id: ServerId,
    /// Whether it may.
    pub allow: bool,
    /// Ports of this machine that are never forwarded, whatever server has them: the panel's own.
    #[serde(default)]
    pub never: Vec<u16>,
}

/// `reach_report`: the answer to `reach_query`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReachReport {
    /// Whether the router may be asked for this server.
    #[serde(default)]
    pub allowed: bool,
    /// What is known of the router; it is not asked before some server allows it.
    #[serde(default)]
    pub router: RouterReport,
    /// The published ports of the container that runs; empty if none does.
    #[serde(default)]
    pub ports: Vec<PortReach>,
}

/// The router of a node, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouterReport {
    /// Its address in the local network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The node's own address in that network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<String>,
    /// By which protocol it forwards ports: `pcp`, `nat-pmp` or `upnp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// Its address on the other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
    /// Why it could not be asked, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What is known of a port of a [`ReachReport`]. What is absent is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortReach {
    /// Port number inside the container.
    pub internal: u16,
    /// Port number on the host.
    pub external: u16,
    /// The transport protocol.
    pub protocol: Protocol,
    /// Whether something in the container listens on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listening: Option<bool>,
    /// Whether the engine holds it on the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<bool>,
    /// Whether the router forwards it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<bool>,
    /// Why it does not, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Payload for RouterAllow {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, allow: _, never } = self;
        few("never", never.len(), NEVER)?;
        id(server_id)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl ReachReport {
    pub(super) fn bound(&mut self) {
        let Self { allowed: _, router, ports } = self;
        let RouterReport { address, own, via, external, problem } = router;
        for text in [address, own, via, external] {
            TextRule::WORD.apply_some(text);
        }
        TextRule::SENTENCE.apply_some(problem);
        ports.truncate(PORTS);
        for port in ports {
            TextRule::SENTENCE.apply_some(&mut port.problem);
        }
    }
}
