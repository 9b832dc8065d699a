//! A repository that was there before: its key by its password, and what lies in it. Whoever wrote it is not trusted.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::{BackupFound, BackupLimits, FOUND_BACKUPS, FoundBackup};
use rustic_core::repofile::SnapshotFile;
use serde::Deserialize;

use super::guard::Guard;
use super::key::MasterKey;
use super::message::{Failure, FailureCode, Outcome};
use super::seal;
use super::space::{Space, backup_of, tagged};
use super::store::{Kind, Store};

/// Key files that are tried.
const KEYS: usize = 20;
/// Bytes of one.
const LARGEST: u32 = 64 * 1024;
/// Bytes of memory that one may ask for.
const MEMORY: u64 = 256 << 20;
const ROUNDS: u32 = 8;

/// What a key file says of the way from the password to its key.
#[derive(Deserialize)]
struct KeyFile {
    kdf: String,
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
    salt: String,
    data: String,
}

/// Says that there is a repository; with its password also its key, and its backups.
pub(super) fn adopt(
    store: Arc<dyn Store>,
    guard: &Guard,
    limits: &BackupLimits,
    password: Option<&str>,
) -> Result<Outcome, Failure> {
    let found = |found| Outcome { found: Some(Box::new(found)), ..Outcome::default() };
    let Some(password) = password else { return Ok(found(BackupFound::default())) };
    let (key, bytes) = unlock(&*store, password)?;
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

/// The key of a repository by its password.
fn unlock(store: &dyn Store, password: &str) -> Result<(MasterKey, [u8; 64]), Failure> {
    for (id, size) in store.list(Kind::Key)?.into_iter().take(KEYS) {
        if size > LARGEST {
            continue;
        }
        let file = store.read(Kind::Key, &id, None)?;
        if let Some(key) = opened(&file, password)
            && let Some(bytes) = key.bytes()
        {
            return Ok((key, bytes));
        }
    }
    let sentence = "The password does not open this backup repository.";
    Err(Failure::new(FailureCode::Denied, sentence))
}

fn opened(file: &[u8], password: &str) -> Option<MasterKey> {
    let KeyFile { kdf, n, r, p, salt, data } = serde_json::from_slice(file).ok()?;
    let memory = n.checked_mul(u64::from(r))?.checked_mul(128)?;
    if kdf != "scrypt" || !n.is_power_of_two() || memory > MEMORY || p > ROUNDS {
        return None;
    }
    let log_n = u8::try_from(n.trailing_zeros()).ok()?;
    let params = scrypt::Params::new(log_n, r, p).ok()?;
    let (salt, data) = (STANDARD.decode(salt).ok()?, STANDARD.decode(data).ok()?);
    let mut derived = [0; 64];
    scrypt::scrypt(password.as_bytes(), &salt, &params, &mut derived).ok()?;
    serde_json::from_slice(&seal::open(&data, &derived, LARGEST)?).ok()
}

#[cfg(test)]
mod tests {
    use super::super::key_file::write_key_file;
    use super::super::store::FolderStore;
    use super::*;

    #[test]
    fn a_password_opens_its_key_and_no_file_asks_for_too_much() {
        let dir = tempfile::tempdir().unwrap();
        let store = FolderStore::of_node(dir.path());
        store.prepare().unwrap();
        let key = MasterKey::from_bytes(&[7; 64]);
        write_key_file(&key, &store, "right").unwrap();
        assert_eq!(unlock(&store, "right").unwrap().1, [7; 64]);
        assert_eq!(unlock(&store, "wrong").unwrap_err().code, FailureCode::Denied);
        let greedy = br#"{"kdf":"scrypt","N":1073741824,"r":8,"p":1,"salt":"AAAA","data":"AAAA"}"#;
        assert!(opened(greedy, "right").is_none());
        assert!(opened(br#"{"kdf":"scrypt","N":0,"r":0,"p":0,"salt":"","data":""}"#, "right").is_none());
    }
}
