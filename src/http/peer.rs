//! The client at the other end of a connection. Its address comes from the socket, or from headers set by a trusted
//! proxy (see [`super::forwarded`]).

use std::net::{IpAddr, Ipv4Addr};

use crate::auth::DeviceProof;

/// Longest user agent that is kept, in bytes.
const USER_AGENT_BYTES: usize = 256;

/// The other end of a connection; the accept loop attaches it to each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address; IPv4 is never written as IPv6.
    pub address: IpAddr,
    /// Whether the connection uses TLS, to the panel or to a trusted proxy.
    pub secure: bool,
}

impl Default for Peer {
    fn default() -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), secure: false }
    }
}

/// The host that a browser requested from a trusted proxy; replaces `Host`.
#[derive(Clone, Debug)]
pub(super) struct AskedHost(pub(super) String);

/// What an endpoint may need to know about the client, apart from the user.
#[derive(Clone, Debug)]
pub struct Client {
    /// The client's address.
    pub address: IpAddr,
    /// Whether cookies may be marked `Secure`.
    pub secure: bool,
    /// The user agent; at most 256 bytes, without control characters.
    pub user_agent: String,
    /// The host that the client requested, `HOST:PORT`; absent if it sent none.
    pub host: Option<String>,
    /// The proof that it has signed in before.
    pub device: DeviceProof,
    /// Whether, over TLS, it still has a cookie of an earlier version, which prevents browsers from setting one over
    /// plain HTTP.
    pub old_cookie: bool,
}

/// Text of a header that is safe to store, show and log.
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
