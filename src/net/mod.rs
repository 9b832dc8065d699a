//! Networking: TLS and certificates, the name in the local network, rate limits, and fetching links given by users.

pub mod fetch;
pub mod mdns;
pub mod rate_limit;
pub mod resolver;
pub mod tls;
