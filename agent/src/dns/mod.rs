//! Resolves names without the machine's C library. A static program that calls it loads the machine's own modules
//! (named in `/etc/nsswitch.conf`), which were built for another version of it and may crash. So this reads
//! `/etc/hosts` and `/etc/resolv.conf` and queries name servers itself; names that end in `.local` are queried by
//! multicast.

mod ask;
mod config;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use self::ask::Lookup;
use self::config::Config;

/// Time limit per address if there are several.
const ONE_OF_MORE: Duration = Duration::from_secs(4);

/// Why a name could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The name does not exist, according to a name server.
    #[error("there is no machine of the name {0}")]
    NoSuchName(String),
    /// No name server gave an answer.
    #[error("the name {name} could not be looked up: {reason}")]
    Unanswered {
        /// The name that was looked up.
        name: String,
        /// The servers queried, and how each failed.
        reason: String,
    },
}

impl From<LookupError> for io::Error {
    fn from(error: LookupError) -> Self {
        let kind = match error {
            LookupError::NoSuchName(_) => io::ErrorKind::NotFound,
            LookupError::Unanswered { .. } => io::ErrorKind::TimedOut,
        };
        Self::new(kind, error)
    }
}

/// The addresses of a host, which may already be an address; best first, at least one.
///
/// # Errors
/// The name has no address, or no server answered.
pub async fn lookup(host: &str) -> Result<Vec<IpAddr>, LookupError> {
    // Two small files, read each time, since they can change while we run, for example on laptops and in containers.
    lookup_by(host, &Config::of_this_machine()).await
}

/// Connects to the first address of a host that answers.
///
/// # Errors
/// It has no address, or none of them answers.
pub async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses = lookup(host).await?;
    let mut last = None;
    let more = addresses.len() > 1;
    for address in addresses {
        let connecting = TcpStream::connect(SocketAddr::new(address, port));
        let connected = if more {
            timeout(ONE_OF_MORE, connecting).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        } else {
            connecting.await
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

async fn lookup_by(host: &str, config: &Config) -> Result<Vec<IpAddr>, LookupError> {
    if let Ok(address) = host.trim_matches(['[', ']']).parse() {
        return Ok(vec![address]);
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let known = config.hosts(&name);
    if !known.is_empty() {
        return Ok(known);
    }
    if name == "localhost" || name.ends_with(".localhost") {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    if name.is_empty() {
        return Err(LookupError::NoSuchName(host.to_owned()));
    }
    let mut problem = None;
    if name.ends_with(".local") {
        match ask::by_multicast(&name, config).await {
            Ok(found) if !found.is_empty() => return Ok(in_order(found)),
            Ok(_) => {}
            Err(error) => problem = Some(format!("nobody could be asked on this network: {error}")),
        }
        // Some local name servers know them too.
    }
    for candidate in config.candidates(&name, host.ends_with('.')) {
        match ask::servers(&candidate, config).await {
            Lookup::Addresses(found) => return Ok(in_order(found)),
            Lookup::Nothing => {}
            Lookup::Unanswered(reason) => problem = Some(reason),
        }
    }
    let name = host.to_owned();
    Err(match problem {
        None => LookupError::NoSuchName(name),
        Some(reason) => LookupError::Unanswered { name, reason },
    })
}

/// Orders addresses: those that this machine has a route to first, among these IPv6 first, as is common.
fn in_order(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    // Connecting a UDP socket sends nothing, but fails without a route.
    let way = |address: &IpAddr| {
        let own: IpAddr =
            if address.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let socket = std::net::UdpSocket::bind((own, 0));
        socket.and_then(|socket| socket.connect((*address, 9))).is_ok()
    };
    addresses.sort_by_cached_key(|address| (!way(address), address.is_ipv4()));
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests;
