//! Removes what has had its time of what is kept beside servers' files: at the agent's start, and each hour.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use protocol::ServerId;
use rustix::fd::{AsFd, OwnedFd};
use tokio_util::sync::CancellationToken;

use super::context::FilesContext;
use super::store::{Store, names};
use super::{trash, versions};
use crate::fs::{FileError, look, remove_at};
use crate::server::folder;

/// Between two rounds.
const EVERY: Duration = Duration::from_secs(3600);
/// How long nothing may have come of an upload.
const UPLOADS: SignedDuration = SignedDuration::from_hours(24);

/// Sweeps until the agent ends.
pub(super) async fn run(context: Arc<FilesContext>) {
    loop {
        let round = Arc::clone(&context);
        // Not even a panic in there ends the agent.
        let _ = tokio::task::spawn_blocking(move || sweep(&round, Timestamp::now())).await;
        tokio::select! {
            () = context.cancel.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// One round.
pub(super) fn sweep(context: &FilesContext, now: Timestamp) {
    let mut all_trash = Vec::new();
    for id in folder::with_files(&context.data_dir) {
        let id = ServerId::from(id.as_str());
        if context.cancel.is_cancelled() {
            return;
        }
        let swept = context.store(&id).and_then(|store| {
            sweep_parts(&store, now, &context.cancel)?;
            versions::prune(&store)?;
            all_trash.extend(
                sweep_trash(&store, now, &context.cancel)?.into_iter().map(|kept| (id.clone(), kept)),
            );
            Ok(())
        });
        match swept {
            // Its folder is being moved or removed.
            Ok(()) | Err(FileError::NotFound | FileError::BadServer) => {}
            Err(error) => tracing::debug!(server = %id, %error, "sweeping what is kept beside files"),
        }
    }
    // The oldest go first, whose ever they are: it is one disk.
    all_trash.sort_by_key(|(_, kept)| std::cmp::Reverse(kept.deleted_at));
    let mut room = None;
    for (id, kept) in all_trash {
        let Ok(store) = context.store(&id) else { continue };
        let left = match room {
            Some(left) => left,
            None => trash::most_bytes(&store).unwrap_or(u64::MAX),
        };
        if kept.bytes <= left {
            room = Some(left - kept.bytes);
            continue;
        }
        room = Some(0);
        if let Err(error) = trash::drop_batch(&store, &kept.id, &context.cancel) {
            tracing::debug!(server = %id, %error, "emptying the trash");
        }
    }
}

/// Gives what stays.
fn sweep_trash(
    store: &Store,
    now: Timestamp,
    stop: &CancellationToken,
) -> Result<Vec<trash::Kept>, FileError> {
    let mut stay = Vec::new();
    for kept in trash::kept(store, stop)? {
        if kept.is_old(now) {
            trash::drop_batch(store, &kept.id, stop)?;
        } else {
            stay.push(kept);
        }
    }
    Ok(stay)
}

/// Uploads that nobody goes on with, copies and removals that were cut short.
fn sweep_parts(store: &Store, now: Timestamp, stop: &CancellationToken) -> Result<(), FileError> {
    remove_older(&store.parts()?, now - UPLOADS, stop)?;
    // What is removed by a job that runs is removed by both.
    remove_older(&store.removed()?, now - SignedDuration::from_mins(10), stop)
}

fn remove_older(folder: &OwnedFd, before: Timestamp, stop: &CancellationToken) -> Result<(), FileError> {
    for name in names(folder)? {
        // A rename changes this time as well. An upload is as old as the last piece of it.
        let changed = |name: &str| look(folder, name.as_bytes()).map(|stat| stat.st_ctime);
        let Ok(mut last) = changed(&name) else { continue };
        if let Some(id) = name.strip_suffix(".json") {
            last = changed(&format!("{id}.part")).map_or(last, |part| last.max(part));
        }
        if last < before.as_second() {
            remove_at(folder.as_fd(), name.as_bytes(), stop, &mut |_| {})
                .map_err(FileError::io("remove it"))?;
        }
    }
    Ok(())
}
