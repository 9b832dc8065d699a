//! The address of an engine.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::dns;

/// The reading and the writing half of a connection.
pub(super) type Halves = (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>);

/// An address of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A socket file.
    Unix(PathBuf),
    /// `HOST:PORT`, without TLS.
    Tcp(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

impl Endpoint {
    /// The address in `DOCKER_HOST`, else the first of the usual sockets.
    pub(super) fn of(host: Option<&str>) -> Result<Self, String> {
        match host.filter(|host| !host.trim().is_empty()) {
            Some(host) => Self::parse(host),
            None => Ok(Self::usual()),
        }
    }

    /// Parses `unix:///PATH`, `/PATH`, `tcp://HOST:PORT` or `http://HOST:PORT`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("unix://").or_else(|| text.starts_with('/').then_some(text)) {
            return Ok(Self::Unix(path.into()));
        }
        if let Some(address) = text.strip_prefix("tcp://").or_else(|| text.strip_prefix("http://")) {
            let address = address.trim_end_matches('/');
            let port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            return Ok(Self::Tcp(if port { address.to_owned() } else { format!("{address}:2375") }));
        }
        Err(format!("DOCKER_HOST is {text:?}, but only unix:///PATH and tcp://HOST:PORT are understood"))
    }

    /// The first existing one of the usual sockets: Docker's, then Podman's.
    pub(super) fn usual() -> Self {
        let docker = PathBuf::from("/var/run/docker.sock");
        let run = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let rootless = run.iter().flat_map(|run| [run.join("docker.sock"), run.join("podman/podman.sock")]);
        let all = std::iter::once(docker.clone()).chain(rootless).chain(["/run/podman/podman.sock".into()]);
        Self::Unix(all.into_iter().find(|path| path.exists()).unwrap_or(docker))
    }

    /// The socket file, if it is one: then the engine runs on this machine.
    pub(super) fn socket(&self) -> Option<&Path> {
        match self {
            Self::Unix(path) => Some(path),
            Self::Tcp(_) => None,
        }
    }

    pub(super) async fn connect(&self) -> io::Result<Halves> {
        Ok(match self {
            Self::Unix(path) => {
                let (read, write) = UnixStream::connect(path).await?.into_split();
                (Box::new(read), Box::new(write))
            }
            Self::Tcp(address) => {
                let (host, port) = host_and_port(address)?;
                let stream = dns::connect(host, port).await?;
                stream.set_nodelay(true)?;
                keep_alive(&stream)?;
                let (read, write) = stream.into_split();
                (Box::new(read), Box::new(write))
            }
        })
    }
}

/// Keeps connections that are idle for days alive through middleboxes, and detects those whose peer is gone.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(30))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(10))?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    // Also limit how long sent data may stay unacknowledged, in milliseconds.
    sockopt::set_tcp_user_timeout(stream, 60_000)?;
    Ok(())
}

fn host_and_port(address: &str) -> io::Result<(&str, u16)> {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "2375"));
    Ok((host, port.parse().map_err(io::Error::other)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let parsed = |text| Endpoint::parse(text).map(|endpoint| endpoint.to_string());
        assert_eq!(parsed("unix:///run/docker.sock").unwrap(), "unix:///run/docker.sock");
        assert_eq!(parsed("/run/podman/podman.sock").unwrap(), "unix:///run/podman/podman.sock");
        assert_eq!(parsed("tcp://10.0.0.1:2376/").unwrap(), "tcp://10.0.0.1:2376");
        assert_eq!(parsed("http://engine").unwrap(), "tcp://engine:2375");
        assert!(parsed("ssh://root@host").unwrap_err().contains("ssh://root@host"));
    }
}
