//! `healthcheck`.

use std::io;
use std::net::SocketAddr;

use crate::config::Config;
use crate::system::service::{probe, reached};

/// `healthcheck`: succeeds if the panel's port answers `/health` with 200.
pub async fn healthcheck(config: &Config) -> io::Result<()> {
    let port = reached(SocketAddr::new(config.bind, config.port));
    if probe(port).await?.starts_with(b"HTTP/1.1 200") {
        return Ok(());
    }
    Err(io::Error::other("the answer was not 200"))
}
