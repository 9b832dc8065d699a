//! What every test stands on: the real binary on a folder of its own, and clients typed by who is asking. Nothing
//! here reaches into the program: it goes through the command line, HTTP, WebSockets and files, as anybody could.

pub(crate) mod authority;
mod browser;
mod client;
pub(crate) mod docker;
pub(crate) mod download;
pub(crate) mod download_host;
pub(crate) mod fake;
pub(crate) mod golden;
pub(crate) mod guarded;
mod live;
pub(crate) mod netns;
pub(crate) mod node;
pub(crate) mod own_engine;
mod panel;
pub(crate) mod proxy;
pub(crate) mod raw;
mod run_number;
pub(crate) mod systemd;
pub(crate) mod zip;

pub(crate) use browser::Browser;
pub(crate) use client::{Answer, Client};
pub(crate) use live::Live;
pub(crate) use panel::{Builder, Panel, binary, program};
pub(crate) use run_number::{free_port, run_number};

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The password of every account that the harness makes.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Whether the long counts were asked for (`tests/run --long`).
pub(crate) fn long() -> bool {
    std::env::var_os("LONG").is_some()
}

/// Asks again and again until the answer is there; panics with `what` after the time. Never sleeps longer than it must.
pub(crate) async fn until<T>(what: &str, within: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// Seconds, for short lines; so many times longer as `PATIENCE` says, where the program is emulated.
pub(crate) fn seconds(n: u64) -> Duration {
    static PATIENCE: LazyLock<u64> = LazyLock::new(|| {
        std::env::var("PATIENCE").map_or(1, |text| text.parse().expect("PATIENCE is a number"))
    });
    Duration::from_secs(n * *PATIENCE)
}

/// Runs a program as root, by sudo where we are not; whether it went well.
pub(crate) fn as_root(program: &str, args: &[&str]) -> bool {
    use std::os::unix::fs::MetadataExt;
    let root = std::fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0);
    let mut command = std::process::Command::new(if root { program } else { "sudo" });
    if !root {
        command.args(["-n", program]);
    }
    command.args(args).status().is_ok_and(|status| status.success())
}
