//! The machine's service: notifications to the service manager (ready, alive, stopping; without `NOTIFY_SOCKET` these
//! do nothing), and installing, finding and removing the service.

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

/// How long a port may take to respond.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer of `/health`, in bytes.
const LONGEST: u64 = 4096;

/// Reports that the panel is ready.
pub fn ready(status: &str) {
    say(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Reports a status text.
pub fn status(status: &str) {
    say(&[NotifyState::Status(status)]);
}

/// Reports that the process is stopping.
pub fn stopping() {
    say(&[NotifyState::Stopping, NotifyState::Status("Stopping; game servers go on")]);
}

fn say(states: &[NotifyState<'_>]) {
    if let Err(cause) = sd_notify::notify(states) {
        tracing::debug!(%cause, "the service manager can't be told");
    }
}

/// Whether a guard runs this process: it restarts the process after [`RESTART`](crate::system::shutdown::RESTART), and
/// restores the old program if a new one does not start.
pub fn guarded() -> bool {
    std::env::var_os("CTRL_ALT_PLAY_GUARDED").is_some_and(|value| value == "1")
}

/// Sends regular watchdog notifications if the service manager wants them, as long as `port` responds; without a port,
/// as long as the process runs.
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
                // If all connections are in use, no new one is answered, but the process is fine.
                Err(_) if full() => say(&[NotifyState::Watchdog]),
                Err(cause) => tracing::warn!(%cause, "our own port does not answer"),
            }
        }
    }));
}

/// The answer of `GET /health` at a local port: status line, headers and body.
///
/// # Errors
/// No answer within five seconds.
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

/// The address at which a bound port is reached from this machine.
pub fn reached(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        any if any.is_unspecified() && any.is_ipv4() => IpAddr::from([127, 0, 0, 1]),
        any if any.is_unspecified() => IpAddr::from(Ipv6Addr::LOCALHOST),
        one => one,
    };
    SocketAddr::new(ip, bound.port())
}
