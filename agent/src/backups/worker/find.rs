//! Opens a repository by its password alone and says what is in it: for a machine that knows nothing of it yet.

use super::key_file::open_by_password;
use super::message::{Failure, FailureCode, Found, Outcome, Unlocked};
use super::space::{Space, tagged};

/// Backups that are told of, the newest ones.
const MOST: usize = 20_000;

/// Finds the key and all backups.
pub(super) fn find(space: &Space, password: &str) -> Result<Outcome, Failure> {
    let Some(key) = open_by_password(&*space.store, password)? else {
        let sentence = "The password does not open this backup repository. It stands in the emergency kit.";
        return Err(Failure::new(FailureCode::Denied, sentence));
    };
    let repository = space.open(&key, "", true)?;
    let (snapshots, unreadable) = space.snapshots(&repository)?;
    let mut found: Vec<Found> = snapshots
        .into_iter()
        .filter_map(|snapshot| {
            Some(Found {
                backup_id: tagged(&snapshot)?,
                server_id: snapshot.label,
                at: snapshot.time.timestamp().as_millisecond(),
                host: snapshot.hostname,
                bytes: snapshot.summary.as_ref().map_or(0, |summary| summary.total_bytes_processed),
            })
        })
        .collect();
    found.sort_by_key(|one| one.at);
    let surplus = found.len().saturating_sub(MOST);
    found.drain(..surplus);
    let warning = (unreadable > 0)
        .then(|| format!("{unreadable} entries of the repository are damaged and not listed."));
    let host_key = space.store.host_key();
    Ok(Outcome { opened: Some(Box::new(Unlocked { key, found })), warning, host_key, ..Outcome::default() })
}
