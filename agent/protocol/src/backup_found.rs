//! What lies in a repository that was there before.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::payload::WORD;
use super::text::TextRule;

/// The end of the year 9999, in milliseconds since 1970.
const LATEST: i64 = 253_402_300_799_999;
/// Backups that are named.
pub const FOUND_BACKUPS: usize = 1_000;

/// A repository that was there before.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupFound {
    /// The 64 bytes of its key, as Base64; absent where no password was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The newest backups in it, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backups: Vec<FoundBackup>,
    /// How many more there are.
    pub more: u64,
}

/// A backup in such a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FoundBackup {
    /// The id by which it is restored: letters and digits.
    pub backup_id: String,
    /// The server's id where a panel has made it; absent where it is a plain one of restic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_id: Option<String>,
    /// The machine that it was made on.
    pub host: String,
    /// The folder that is in it.
    pub path: String,
    /// When it was made, in milliseconds since 1970.
    pub at: i64,
    /// Bytes of its files; 0 where that is not known.
    pub bytes: u64,
    /// Files in it; 0 where that is not known.
    pub files: u64,
}

impl fmt::Debug for BackupFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupFound").field("backups", &self.backups.len()).finish_non_exhaustive()
    }
}

impl BackupFound {
    pub(super) fn bound(&mut self) {
        let Self { key, backups, more: _ } = self;
        if key.as_ref().is_some_and(|key| key.len() > WORD) {
            *key = None;
        }
        backups.truncate(FOUND_BACKUPS);
        for FoundBackup { backup_id: _, server_id, host, path, at, bytes: _, files: _ } in backups {
            *at = (*at).clamp(0, LATEST);
            TextRule::WORD.apply_some(server_id);
            TextRule::WORD.apply(host);
            TextRule::line(500).apply(path);
        }
    }
}
