//! From a name to addresses, without the machine's C library. A static program that asks that library loads modules of
//! the machine's own (`/etc/nsswitch.conf` names them), made for another version of it, and may crash. So this reads
//! `/etc/hosts` and `/etc/resolv.conf` and asks by itself; names that end in `.local` are asked for by multicast.

mod ask;
mod config;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use self::ask::Lookup;
use self::config::Config;

/// For one address where there are more.
const ONE_OF_MORE: Duration = Duration::from_secs(4);

/// A name led nowhere.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// Whoever knows says so.
    #[error("there is no machine of the name {0}")]
    NoSuchName(String),
    /// Nobody who might know has answered.
    #[error("the name {name} could not be looked up: {reason}")]
    Unanswered {
        /// The name that was looked up.
        name: String,
        /// Who was asked, and what became of it.
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

/// The addresses of a host, which may be an address already; best first, and at least one.
///
/// # Errors
/// There are none, or nobody can say.
pub async fn lookup(host: &str) -> Result<Vec<IpAddr>, LookupError> {
    // Two small files, read each time: a laptop or a container changes them while we run.
    lookup_by(host, &Config::of_this_machine()).await
}

/// A connection to a host, by the first of its addresses that answers.
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
        // Some homes have a name server that knows them all the same.
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

/// Those first that this machine has a way to; of these IPv6 first, as everywhere.
fn in_order(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    // Connecting a UDP socket sends nothing and asks the kernel for the way.
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
