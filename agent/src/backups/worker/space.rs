//! An open repository, for the work in it.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{BackupLimits, BackupSpace};
use rustic_core::repofile::{MasterKey as LibraryKey, SnapshotFile};
use rustic_core::{
    ConfigOptions, Credentials, Id, KeyOptions, Open, OpenStatus, Repository, RepositoryBackends,
    RepositoryOptions, RusticError,
};

use super::guard::Guard;
use super::key::MasterKey;
use super::key_file::write_key_file;
use super::message::{Failure, FailureCode};
use super::progress::Tellers;
use super::store::{Kind, LibraryStore, Store};
use super::throttle::Throttle;

/// What packs are filled up to. The library's default is twice that, and each thread holds one.
const PACK: &str = "16MiB";
/// The same for a repository that is created with little memory.
const SMALL_PACK: &str = "8MiB";
const TREE_PACK: &str = "4MiB";
/// Bytes of what is said of a failure.
const SENTENCE: usize = 1_000;
/// Hexadecimal digits of a snapshot's id that name a backup of no panel.
const PLAIN: usize = 24;

/// A repository in a store.
pub(super) struct Space {
    pub(super) store: Arc<dyn Store>,
    pub(super) guard: Guard,
    pub(super) limits: BackupLimits,
    reads: Throttle,
}

pub(super) type Library = Repository<OpenStatus>;

impl Space {
    pub(super) fn new(store: Arc<dyn Store>, guard: &Guard, limits: &BackupLimits) -> Self {
        Self { store, guard: guard.clone(), limits: *limits, reads: Throttle::new(limits.mib_per_sec) }
    }

    /// Opens the repository; makes it where there is none.
    pub(super) fn open(&self, key: &MasterKey, password: &str, there: bool) -> Result<Library, Failure> {
        let bad = |_| Failure::new(FailureCode::Failed, "The key is none.");
        let library_key =
            serde_json::to_value(key).and_then(serde_json::from_value::<LibraryKey>).map_err(bad)?;
        let store = LibraryStore::new(Arc::clone(&self.store), self.guard.clone(), self.limits.mib_per_sec);
        let backends = RepositoryBackends::new(Arc::new(store), None);
        let options = RepositoryOptions::default().no_cache(true);
        let credentials = Credentials::Masterkey(library_key);
        let new = || {
            Repository::new_with_progress(&options, &backends, Tellers).map_err(|error| self.failure(&error))
        };
        let repository = if there {
            new()?.open(&credentials)
        } else {
            let mut config = ConfigOptions::default();
            let pack = if self.limits.small_memory { SMALL_PACK } else { PACK };
            config.set_datapack_size = pack.parse().ok();
            config.set_datapack_growfactor = Some(0);
            config.set_treepack_size = TREE_PACK.parse().ok();
            config.set_treepack_growfactor = Some(0);
            new()?.init(&credentials, &KeyOptions::default(), &config)
        };
        let repository = repository.map_err(|error| self.failure(&error))?;
        // A kill may have come between the two: plain restic needs the file, we do not.
        if !password.is_empty() && self.store.list(Kind::Key)?.is_empty() {
            write_key_file(key, &*self.store, password)?;
        }
        Ok(repository)
    }

    /// Measures the repository. Errors are ignored, since the work is done.
    pub(super) fn measure(&self) -> Option<BackupSpace> {
        let mut stored = 0_u64;
        let mut snapshots = 0;
        for kind in [Kind::Pack, Kind::Index, Kind::Snapshot] {
            let files = self.store.list(kind).ok()?;
            stored += files.iter().map(|(_, size)| u64::from(*size)).sum::<u64>();
            if kind == Kind::Snapshot {
                snapshots = files.len() as u64;
            }
        }
        Some(BackupSpace { stored, free: self.store.free(), snapshots })
    }

    /// Reads a whole file within the rate limit.
    pub(super) fn read(&self, kind: Kind, id: &Id) -> Result<Bytes, Failure> {
        let read = self.store.read(kind, id, None)?;
        self.reads.take(read.len() as u64);
        Ok(read)
    }

    /// Reads all snapshots. Also returns how many are unreadable.
    pub(super) fn snapshots<S: Open>(
        &self,
        repository: &Repository<S>,
    ) -> Result<(Vec<SnapshotFile>, usize), Failure> {
        let mut unreadable = 0;
        let mut found = Vec::new();
        for (id, _) in self.store.list(Kind::Snapshot)? {
            match repository.get_file::<SnapshotFile>(&id.into()) {
                Ok(mut snapshot) => {
                    snapshot.id = id.into();
                    found.push(snapshot);
                }
                Err(error) => {
                    let failure = self.failure(&error);
                    if failure.code == FailureCode::Unreachable {
                        return Err(failure);
                    }
                    unreadable += 1;
                }
            }
        }
        Ok((found, unreadable))
    }

    /// An error of the library in our words.
    pub(super) fn failure(&self, error: &RusticError) -> Failure {
        let last = self.guard.last_failure();
        let told = error.display_log();
        let full = ["No space left", "StorageFull", "disk full", "os error 28", "no storage space"];
        let problem = self.guard.first_problem().unwrap_or_default();
        if full.iter().any(|words| told.contains(words) || problem.contains(words)) {
            return Failure::new(FailureCode::DiskFull, "The disk has no room for the backup.");
        }
        if let Some(failure) = last {
            return failure;
        }
        if told.contains("not found in index") {
            return Failure::new(
                FailureCode::Damaged,
                "A part of the backup is damaged, or missing in the repository.",
            );
        }
        if ["cryptographic operations", "decryption failed", "MAC check"]
            .iter()
            .any(|words| told.contains(words))
        {
            let sentence =
                "The backup repository cannot be decrypted: it is damaged, or belongs to another panel.";
            return Failure::new(FailureCode::Damaged, sentence);
        }
        let told = if problem.is_empty() { told } else { problem };
        Failure::new(FailureCode::Failed, short(&told))
    }
}

pub(super) fn short(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|character| !character.is_control()).take(SENTENCE).collect()
}

/// By which a snapshot is found again.
pub(super) fn tag(backup_id: &str) -> String {
    format!("backup-{backup_id}")
}

/// The backup id of a snapshot; one that no panel has made is found by its own id.
pub(super) fn backup_of(snapshot: &SnapshotFile) -> Option<String> {
    Some(tagged(snapshot).unwrap_or_else(|| {
        let id: String = snapshot.id.to_hex().as_str().chars().take(PLAIN).collect();
        format!("restic{id}")
    }))
}

/// The backup id of a snapshot that a panel has made.
pub(super) fn tagged(snapshot: &SnapshotFile) -> Option<String> {
    snapshot.tags.iter().find_map(|tag| tag.strip_prefix("backup-")).map(str::to_owned)
}
