//! A repository that was there before: its key by its password, and what lies in it. Whoever wrote it is not trusted.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::{BackupFound, BackupLimits, FOUND_BACKUPS, FoundBackup};
use rustic_core::repofile::SnapshotFile;

use super::guard::Guard;
use super::key_file::open_by_password;
use super::message::{Failure, FailureCode, Outcome};
use super::space::{Space, backup_of, tagged};
use super::store::Store;

/// Says that there is a repository; with its password also its key, and its backups.
pub(super) fn adopt(
    store: Arc<dyn Store>,
    guard: &Guard,
    limits: &BackupLimits,
    password: Option<&str>,
) -> Result<Outcome, Failure> {
    let found = |found| Outcome { found: Some(Box::new(found)), ..Outcome::default() };
    let Some(password) = password else { return Ok(found(BackupFound::default())) };
    let key = open_by_password(&*store, password)?;
    let Some((key, bytes)) = key.and_then(|key| key.bytes().map(|bytes| (key, bytes))) else {
        let sentence = "The password does not open this backup repository.";
        return Err(Failure::new(FailureCode::Denied, sentence));
    };
    let space = Space::new(store, guard, limits);
    let repository = space.open(&key, "", true)?;
    let (mut all, _) = space.snapshots(&repository)?;
    all.sort_by(|one, other| other.time.cmp(&one.time));
    let more = all.len().saturating_sub(FOUND_BACKUPS) as u64;
    let backups = all.iter().take(FOUND_BACKUPS).filter_map(one).collect();
    let measured = space.measure();
    Ok(Outcome { space: measured, ..found(BackupFound { key: Some(STANDARD.encode(bytes)), backups, more }) })
}

fn one(snapshot: &SnapshotFile) -> Option<FoundBackup> {
    let by_panel = tagged(snapshot).is_some();
    let (bytes, files) = snapshot
        .summary
        .as_ref()
        .map_or((0, 0), |summary| (summary.total_bytes_processed, summary.total_files_processed));
    Some(FoundBackup {
        backup_id: backup_of(snapshot)?,
        server_id: Some(snapshot.label.clone()).filter(|label| by_panel && !label.is_empty()),
        host: snapshot.hostname.clone(),
        path: snapshot.paths.iter().next().cloned().unwrap_or_default(),
        at: snapshot.time.timestamp().as_millisecond(),
        bytes,
        files,
    })
}
