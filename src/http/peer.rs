//! Who is at the other end of a connection. Only the socket is believed, and of what stands in headers only what a trusted
//! proxy has put there (see [`super::forwarded`]).

use std::net::{IpAddr, Ipv4Addr};

use crate::auth::DeviceProof;

/// The longest user agent that is kept.
const USER_AGENT_BYTES: usize = 256;

/// The other end of a connection, put on each of its requests by the accept loop.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address; an IPv4 one is never written as IPv6.
    pub address: IpAddr,
    /// Whether the connection is encrypted up to us, or up to a trusted proxy.
    pub secure: bool,
}

impl Default for Peer {
    fn default() -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), secure: false }
    }
}

/// The host that a browser asked a trusted proxy for, put on the request in place of its `Host`.
#[derive(Clone, Debug)]
pub(super) struct AskedHost(pub(super) String);

/// What an endpoint may want to know of the client beyond who is signed in: `client()` extracts it.
#[derive(Clone, Debug)]
pub struct Client {
    /// The peer's address.
    pub address: IpAddr,
    /// Whether the cookie may be marked `Secure`.
    pub secure: bool,
    /// At most 256 bytes, without control characters.
    pub user_agent: String,
    /// How it calls us, `HOST:PORT`.
    pub host: Option<String>,
    /// What it has to show that it signed in before.
    pub device: DeviceProof,
    /// By TLS it still has the cookie of an earlier version, beside which a browser takes none by plain HTTP.
    pub old_cookie: bool,
}

/// Text from a header that is safe to keep, to show and to log.
pub(super) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut kept: String = text.chars().filter(|c| !c.is_control()).collect();
    while kept.len() > USER_AGENT_BYTES {
        kept.pop();
    }
    kept
}

#[cfg(test)]
mod tests {
    #[test]
    fn user_agents_are_cut_and_cleaned() {
        assert_eq!(super::printable(b"Mozilla\x1b[31m\t5.0"), "Mozilla[31m5.0");
        assert!(super::printable("ä".repeat(500).as_bytes()).len() <= 256);
    }
}
