//! Name resolution for the HTTP client, without the C library: a static program would have to load its modules.

use std::io;
use std::net::SocketAddr;

use tokio::runtime::Handle;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Resolves names with [`agent::dns`]. Blocks; must run on a blocking thread of the runtime.
#[derive(Debug)]
pub struct Names;

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, limit: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut resolved = self.empty();
        // The capacity of the result.
        for address in addresses(uri, &limit)?.into_iter().take(16) {
            resolved.push(address);
        }
        Ok(resolved)
    }
}

/// All addresses of a URI's host. Blocks.
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
