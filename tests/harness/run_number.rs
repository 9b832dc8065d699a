//! Isolates parallel test runs on one machine.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// Maximum number of test programs running at once.
const RUNS: u16 = 15;

/// A number below [`RUNS`] that no other running test program of this machine has: networks, addresses and ports are
/// derived from it. It is reserved by an abstract socket name, which is released with the process.
pub(crate) fn run_number() -> u16 {
    static HELD: LazyLock<(u16, UnixListener)> = LazyLock::new(|| {
        let hold = |number: u16| {
            let name = SocketAddr::from_abstract_name(format!("ctrl-alt-play tests {number}")).unwrap();
            UnixListener::bind_addr(&name).ok().map(|socket| (number, socket))
        };
        (0..RUNS).find_map(hold).expect("so many runs of the tests at once have no room on one machine")
    });
    HELD.0
}

/// A TCP port that is currently free, below the range of ephemeral ports.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Each run has its own range: a panel that is killed must find its port free again.
    const EACH: u16 = 6_000 / RUNS;
    loop {
        let port = 21_000 + run_number() * EACH + NEXT.fetch_add(1, Ordering::Relaxed) % EACH;
        if std::net::TcpListener::bind(("0.0.0.0", port)).is_ok()
            && std::net::UdpSocket::bind(("0.0.0.0", port)).is_ok()
        {
            return port;
        }
    }
}
