//! Downloads the new program. Also has what both ways of upgrading share.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use agent::upgrades::Folder;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::upgrades::download::download;
use crate::upgrades::release::{Published, Source};
use crate::upgrades::sentence;

/// Interval of updates of the progress line.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// Exit code and message.
pub(super) type Failure = (u8, String);

pub(super) fn say(text: &str) {
    // Fails if standard output was closed.
    let _ = writeln!(io::stdout(), "{text}");
}

/// Downloads the program and tests whether it runs on this machine.
pub(super) async fn fetch(
    config: &Config,
    source: Source,
    what: Published,
    version: &str,
    folder: &Folder,
) -> Result<(), Failure> {
    let into = folder.clone();
    let database = fs::metadata(config.data_dir.join("panel.redb")).map_or(0, |file| file.len());
    blocking(move || {
        let shown = io::stderr().is_terminal();
        let told = Mutex::new(Instant::now());
        let progress = |done: u64, total: u64| {
            let mut told = told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if shown && (told.elapsed() >= TELL_EVERY || done == total) {
                *told = Instant::now();
                let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
                let percent = (done * 100).checked_div(total).unwrap_or(0);
                let _ = write!(io::stderr(), "\r  {:.1} of {:.1} MiB, {percent} %  ", mib(done), mib(total));
            }
        };
        let stop = CancellationToken::new();
        let fetched = download(&source, &what, &into, 2 * database, &progress, &stop);
        if shown {
            let _ = writeln!(io::stderr());
        }
        fetched.map_err(|error| (74, sentence(&error)))?;
        say("Fetched; signature and checksum are right.");
        Ok(())
    })
    .await?;
    folder.try_part(version).await.map_err(|error| (1, sentence(&error)))
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err((70, error.to_string())))
}
