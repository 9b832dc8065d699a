//! Removes folders that were moved aside, one after another, as long as the agent runs. A folder that cannot be removed
//! is reported and retried.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::folder;

/// First and longest delay before a failed removal is retried.
const AGAIN: Duration = Duration::from_secs(60);
const LATEST: Duration = Duration::from_secs(3600);

/// Wakes when a folder was moved aside.
#[derive(Debug, Default)]
pub(crate) struct Sweeper(Notify);

impl Sweeper {
    /// Signals that there is something to remove.
    pub(crate) fn wake(&self) {
        self.0.notify_one();
    }

    /// Removes existing and new leftovers until `cancel`.
    pub(crate) async fn run(&self, data_dir: PathBuf, cancel: CancellationToken) {
        let (mut told, mut wait) = (HashSet::new(), AGAIN);
        while !cancel.is_cancelled() {
            let (dir, stop) = (data_dir.clone(), cancel.clone());
            // A panic in here must not end the agent.
            let swept = tokio::task::spawn_blocking(move || sweep(&dir, &stop)).await;
            let failed = swept.unwrap_or_else(|error| vec![(data_dir.clone(), error.to_string())]);
            for (path, error) in &failed {
                if told.insert(path.clone()) {
                    tracing::warn!(path = %path.display(), error, "a folder that was deleted could not be removed; it is tried again");
                }
            }
            told.retain(|path| failed.iter().any(|(left, _)| left == path));
            wait = if failed.is_empty() { AGAIN } else { (wait * 2).min(LATEST) };
            let due = async {
                match failed.is_empty() {
                    true => std::future::pending().await,
                    false => tokio::time::sleep(wait).await,
                }
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = self.0.notified() => {}
                () = due => {}
            }
        }
    }
}

/// Removes all leftovers; returns the paths that failed, with the reason.
fn sweep(data_dir: &Path, stop: &CancellationToken) -> Vec<(PathBuf, String)> {
    let mut failed = Vec::new();
    let mut left = VecDeque::from(folder::leftovers(data_dir));
    let mut turns = left.len() * 10;
    while let Some(gone) = left.pop_front() {
        turns = turns.saturating_sub(1);
        match crate::fs::remove(&gone, stop) {
            Ok(()) => tracing::debug!(path = %gone.display(), "a deleted folder is removed"),
            Err(_) if stop.is_cancelled() => break,
            // A large folder: continue with it after the others.
            Err(error) if error.kind() == io::ErrorKind::TimedOut && turns > 0 => left.push_back(gone),
            Err(error) => failed.push((gone, error.to_string())),
        }
    }
    failed
}
