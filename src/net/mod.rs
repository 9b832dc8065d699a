//! What the panel's ports stand on: TLS and its certificates, the name in the local network, rate limits.

pub mod mdns;
pub mod rate_limit;
pub mod tls;
