//! Game servers for real: the binary, a Docker engine, containers. Every test has a panel and a data folder of its own
//! and removes its containers whatever happens.

mod broken_console;
pub(crate) mod clock;
mod console;
mod crashes;
mod deleting;
mod disk_full;
mod endless_engine;
mod engine_away;
mod flood;
pub(crate) mod game;
mod in_container;
mod install;
mod joining;
mod lan;
mod legacy;
mod life;
mod limits;
mod malicious_transfer;
mod nodes;
mod own_user;
mod ports;
mod power;
mod proxy;
mod reach;
mod ready;
mod registry;
mod remote;
mod restart_of_panel;
mod sigterm;
mod stop;
mod transfers;
mod unfinished;
mod upgrades;
pub(crate) mod viewer;

use std::future::Future;

use tokio::task::JoinHandle;

/// Something that goes on beside the test and ends with its runtime.
#[allow(clippy::disallowed_methods, reason = "a test's own, ends with the test")]
pub(crate) fn beside<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(work)
}

/// A TCP port that nobody has at the moment. Below the range from which the system gives ports to those who don't care.
pub(crate) fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two test runs at once begin at different places: a panel that is killed must find its port free again.
    let begin = (std::process::id() % 60) as u16 * 100;
    loop {
        let port = 21_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 6_000;
        if std::net::TcpListener::bind(("0.0.0.0", port)).is_ok()
            && std::net::UdpSocket::bind(("0.0.0.0", port)).is_ok()
        {
            return port;
        }
    }
}
