//! What the panel's ports stand on: TLS and its certificates, the name in the local network, rate limits; and how it fetches
//! what others name.

pub mod fetch;
pub mod mdns;
pub mod rate_limit;
pub mod resolver;
pub mod tls;
