//! The basis of all tests: the real binary on a folder of its own, and clients typed by who is calling. It only uses
//! the command line, HTTP, WebSockets and files, as anyone could.

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

/// The password of every account created by the harness.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Whether long runs were requested (`tests/run --long`).
pub(crate) fn long() -> bool {
    std::env::var_os("LONG").is_some()
}

/// Polls until `ask` returns a value; panics with `what` after the time.
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

/// A duration in seconds, multiplied by `PATIENCE` if the program is emulated.
pub(crate) fn seconds(n: u64) -> Duration {
    static PATIENCE: LazyLock<u64> = LazyLock::new(|| {
        std::env::var("PATIENCE").map_or(1, |text| text.parse().expect("PATIENCE is a number"))
    });
    Duration::from_secs(n * *PATIENCE)
}

/// Runs a program as root, through sudo if needed; whether it succeeded.
pub(crate) fn as_root(program: &str, args: &[&str]) -> bool {
    use std::os::unix::fs::MetadataExt;
    let root = std::fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0);
    let mut command = std::process::Command::new(if root { program } else { "sudo" });
    if !root {
        command.args(["-n", program]);
    }
    command.args(args).status().is_ok_and(|status| status.success())
}
