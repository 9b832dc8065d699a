//! How the HTTP client finds machines: as all of this program does, without the machine's C library, which a static program
//! would load modules of.

use std::io;
use std::net::SocketAddr;

use tokio::runtime::Handle;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Looks names up by [`agent::dns`]. Blocks: for threads of the runtime that may.
#[derive(Debug)]
pub struct Names;

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, limit: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut resolved = self.empty();
        // What it has room for.
        for address in addresses(uri, &limit)?.into_iter().take(16) {
            resolved.push(address);
        }
        Ok(resolved)
    }
}

/// All addresses of the host that an URI names. Blocks.
pub(super) fn addresses(uri: &Uri, limit: &NextTimeout) -> Result<Vec<SocketAddr>, Error> {
    let host = uri.host().ok_or(Error::HostNotFound)?.trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
    let looked = async { tokio::time::timeout(*limit.after, agent::dns::lookup(host)).await };
    let runtime = Handle::try_current().map_err(io::Error::other)?;
    match runtime.block_on(looked) {
        Ok(found) => {
            let found = found.map_err(|cause| Error::Io(cause.into()))?;
            Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
        }
        Err(_) => Err(Error::Timeout(limit.reason)),
    }
}
