//! The service of this machine: what a service manager and we say to each other (ready, alive, ending; without one, no
//! `NOTIFY_SOCKET`, that does nothing), and how the service is installed, found and removed.

mod answers;
mod binary;
mod data_dir;
mod error;
pub mod files;
mod foreground;
mod install;
pub mod installed;
mod layout;
mod links;
mod lock;
mod manager;
mod put;
mod remove;
mod settings_file;
mod tools;
mod user;

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub use self::error::ServiceError;
pub use self::foreground::run;
pub use self::install::{Install, NodeSettings, Plan};
pub use self::installed::Service;
pub use self::layout::Choice;
pub use self::manager::Manager;
pub use self::remove::{Remove, asked};
use crate::system::shutdown::Tasks;

/// How long a port may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// What `/health` answers is shorter than this.
const LONGEST: u64 = 4096;

/// Says that we serve now.
pub fn ready(status: &str) {
    say(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Says in words what we are at.
pub fn status(status: &str) {
    say(&[NotifyState::Status(status)]);
}

/// Says that the end has begun.
pub fn stopping() {
    say(&[NotifyState::Stopping, NotifyState::Status("Stopping; game servers go on")]);
}

fn say(states: &[NotifyState<'_>]) {
    if let Err(cause) = sd_notify::notify(states) {
        tracing::debug!(%cause, "the service manager can't be told");
    }
}

/// Whether something watches over an upgrade: starts us again after [`RESTART`](crate::system::shutdown::RESTART), and goes back
/// to the old program when the new one doesn't come up.
pub fn guarded() -> bool {
    std::env::var_os("CTRL_ALT_PLAY_GUARDED").is_some_and(|value| value == "1")
}

/// Proves again and again that we live, where the service manager wants that: by running at all, and by `port` answering.
pub fn watchdog(port: Option<SocketAddr>, full: impl Fn() -> bool + Send + 'static, tasks: &Tasks) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let token = tasks.token();
    drop(tasks.spawn("watchdog", async move {
        let mut turn = tokio::time::interval(limit / 3);
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                _ = turn.tick() => {}
            }
            let alive = match port {
                Some(port) => probe(port).await.map(drop),
                None => Ok(()),
            };
            match alive {
                Ok(()) => say(&[NotifyState::Watchdog]),
                // A port on which everybody talks answers nobody new, and is well.
                Err(_) if full() => say(&[NotifyState::Watchdog]),
                Err(cause) => tracing::warn!(%cause, "our own port does not answer"),
            }
        }
    }));
}

/// What `GET /health` answers at a port of this machine: the status line, headers and body.
///
/// # Errors
/// It doesn't, within five seconds.
pub async fn probe(port: SocketAddr) -> io::Result<Vec<u8>> {
    let exchange = async {
        let mut stream = TcpStream::connect(port).await?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.take(LONGEST).read_to_end(&mut answer).await?;
        if answer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer)
    };
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer within 5 s");
    timeout(PATIENCE, exchange).await.map_err(late)?
}

/// As whom a port is reached from this machine.
pub fn reached(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        any if any.is_unspecified() && any.is_ipv4() => IpAddr::from([127, 0, 0, 1]),
        any if any.is_unspecified() => IpAddr::from(Ipv6Addr::LOCALHOST),
        one => one,
    };
    SocketAddr::new(ip, bound.port())
}
