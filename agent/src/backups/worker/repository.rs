//! The work in a repository, by the library that reads and writes restic's format.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rustic_core::repofile::{MasterKey as LibraryKey, SnapshotFile};
use rustic_core::{
    BackupOptions, CheckOptions, ConfigOptions, Credentials, KeyOptions, OpenStatus, Progress, ProgressBars,
    ProgressType, PruneOptions, Repository, RepositoryBackends, RepositoryOptions, RusticError,
    RusticProgress, SnapshotOptions,
};
use rustix::fs::FlockOperation;

use super::guard::Guard;
use super::local::LocalStore;
use super::lock::{Held, lock};
use super::message::{Failure, FailureCode, Outcome, Work, WorkerEvent, WorkerRequest, say};
use super::restore::{WriteError, Writing};
use super::source::Source;
use crate::server::folder;

/// What packs are filled up to. The library's default is twice that, and each thread holds one.
const PACK: &str = "16MiB";
const TREE_PACK: &str = "4MiB";
/// Between two words of how far it is.
const EVERY: Duration = Duration::from_millis(250);
/// Bytes of what is said of a failure.
const SENTENCE: usize = 1_000;
/// What is left to everything else on the disk that is restored to.
const RESERVE: u64 = 64 << 20;

/// Does the work. The lock on the repository is put into `held`.
pub(super) fn work(request: WorkerRequest, guard: &Guard, held: &Held) -> Result<Outcome, Failure> {
    let WorkerRequest { repository, key, password, work } = request;
    let bytes = key.bytes().ok_or_else(|| Failure::new(FailureCode::Failed, "The key is none."))?;
    let alone = alone(&repository)?;
    let store = LocalStore::new(&repository, guard.clone());
    store.prepare().map_err(|error| Failure::io("Opening the backup repository", &error))?;
    let prunes = matches!(work, Work::Delete { .. });
    let lock = lock(&repository, &bytes, prunes)?;
    *held.lock().unwrap_or_else(PoisonError::into_inner) = Some(lock);
    let library_key = serde_json::to_value(&key).and_then(serde_json::from_value::<LibraryKey>);
    let library_key = library_key.map_err(|_| Failure::new(FailureCode::Failed, "The key is none."))?;
    let space = Space { store: Arc::new(store), guard: guard.clone(), path: repository };
    let repository = space.open(library_key, &password)?;
    let done = match work {
        Work::Create { backup_id, server_id, source } => {
            space.create(repository, &backup_id, &server_id, &source)
        }
        Work::Restore { backup_id, destination } => space.restore(repository, &backup_id, &destination),
        Work::Delete { backup_ids } => space.delete(&repository, &backup_ids),
        Work::Check => space.check(&repository),
    };
    drop(held.lock().unwrap_or_else(PoisonError::into_inner).take());
    drop(alone);
    done
}

/// Held while a worker of ours is in the repository: there is one at a time, of whatever agent.
fn alone(repository: &Path) -> Result<File, Failure> {
    let path = repository.with_extension("lock");
    let folder = path.parent().unwrap_or(repository);
    let opened = std::fs::create_dir_all(folder)
        .and_then(|()| OpenOptions::new().create(true).append(true).mode(0o600).open(&path));
    let file = opened.map_err(|error| Failure::io("Opening the backup repository", &error))?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Failure::new(
            FailureCode::Locked,
            "Another process of this program is at work in the backup repository.",
        )
    })?;
    Ok(file)
}

/// A repository, as far as it is known without the library.
struct Space {
    store: Arc<LocalStore>,
    guard: Guard,
    path: PathBuf,
}

type Opened = Repository<OpenStatus>;

impl Space {
    /// Opens the repository; makes it where there is none.
    fn open(&self, key: LibraryKey, password: &str) -> Result<Opened, Failure> {
        let backends = RepositoryBackends::new(Arc::<LocalStore>::clone(&self.store), None);
        let options = RepositoryOptions::default().no_cache(true);
        let credentials = Credentials::Masterkey(key);
        let new = || {
            Repository::new_with_progress(&options, &backends, Tellers).map_err(|error| self.failure(&error))
        };
        let fresh = !self.path.join("config").exists();
        let repository = if fresh {
            let mut config = ConfigOptions::default();
            config.set_datapack_size = PACK.parse().ok();
            config.set_datapack_growfactor = Some(0);
            config.set_treepack_size = TREE_PACK.parse().ok();
            config.set_treepack_growfactor = Some(0);
            new()?.init(&credentials, &KeyOptions::default(), &config)
        } else {
            new()?.open(&credentials)
        };
        let repository = repository.map_err(|error| self.failure(&error))?;
        // A kill may have come between the two: plain restic needs the second key, we do not.
        let keys = std::fs::read_dir(self.path.join("keys")).map_or(0, Iterator::count);
        if keys == 0 && !password.is_empty() {
            repository.add_key(password, &KeyOptions::default()).map_err(|error| self.failure(&error))?;
        }
        Ok(repository)
    }

    /// The snapshot of a backup.
    fn find(&self, repository: &Opened, backup_id: &str) -> Result<Option<SnapshotFile>, Failure> {
        let tag = tag(backup_id);
        let all = repository.get_all_snapshots().map_err(|error| self.failure(&error))?;
        Ok(all.into_iter().find(|snapshot| snapshot.tags.contains(&tag)))
    }

    fn create(
        &self,
        repository: Opened,
        backup_id: &str,
        server_id: &str,
        folder: &Path,
    ) -> Result<Outcome, Failure> {
        if let Some(done) = self.find(&repository, backup_id)? {
            return Ok(outcome(&done));
        }
        let shown = Path::new("/").join(server_id);
        let source = Source::open(folder, shown.clone(), self.guard.clone())
            .map_err(|error| Failure::io("Opening the server's folder", &error))?;
        let snapshot = SnapshotOptions::default()
            .label(server_id.to_owned())
            .add_tags(&tag(backup_id))
            .and_then(|options| options.to_snapshot())
            .map_err(|error| self.failure(&error))?;
        let repository = repository.to_indexed_ids().map_err(|error| self.failure(&error))?;
        let made = repository
            .archive(&BackupOptions::default(), &source, snapshot, &[shown])
            .map_err(|error| self.failure(&error))?;
        let (changed, changed_names) = self.guard.changes();
        Ok(Outcome { changed, changed_names, ..outcome(&made) })
    }

    fn restore(&self, repository: Opened, backup_id: &str, destination: &Path) -> Result<Outcome, Failure> {
        let snapshot = self.find(&repository, backup_id)?;
        let missing = || Failure::new(FailureCode::NotFound, "The backup is not in the repository.");
        let snapshot = snapshot.ok_or_else(missing)?;
        let outcome = outcome(&snapshot);
        has_room(destination, outcome.bytes)?;
        let failed = |error: Box<RusticError>| self.failure(&error);
        let repository = repository.to_indexed().map_err(failed)?;
        let path = snapshot.paths.iter().next().cloned().unwrap_or_default();
        let node = repository.node_from_snapshot_and_path(&snapshot, &path).map_err(failed)?;
        let progress = repository.progress_bytes("restoring");
        progress.set_length(outcome.bytes);
        let writing = Writing {
            repository: &repository,
            destination,
            // Who may not give files away has games that run as himself.
            give: folder::may_give(),
            progress: &progress,
        };
        writing.write(&node).map_err(|error| match error {
            WriteError::Library(error) => self.failure(&error),
            WriteError::Disk { path, source } => Failure::io(path.display(), &source),
        })?;
        // All of it is on the disk before anything relies on it.
        let synced = File::open(destination).and_then(|folder| Ok(rustix::fs::syncfs(&folder)?));
        synced.map_err(|error| Failure::io("Writing the files to the disk", &error))?;
        Ok(outcome)
    }

    fn delete(&self, repository: &Opened, backup_ids: &[String]) -> Result<Outcome, Failure> {
        let failed = |error: Box<RusticError>| self.failure(&error);
        let tags: Vec<_> = backup_ids.iter().map(|id| tag(id)).collect();
        let all = repository.get_all_snapshots().map_err(failed)?;
        let gone = all.iter().filter(|snapshot| tags.iter().any(|tag| snapshot.tags.contains(tag)));
        let gone: Vec<_> = gone.map(|snapshot| snapshot.id).collect();
        if !gone.is_empty() {
            repository.delete_snapshots(&gone).map_err(failed)?;
        }
        // Packs are marked now, and removed by one that runs a day later: a reader that began before still finds them.
        let options = PruneOptions::default();
        let plan = repository.prune_plan(&options).map_err(failed)?;
        repository.prune(&options, plan).map_err(failed)?;
        Ok(Outcome::default())
    }

    fn check(&self, repository: &Opened) -> Result<Outcome, Failure> {
        let options = CheckOptions::default().read_data(true);
        let found = repository.check(options).map_err(|error| self.failure(&error))?;
        if found.is_ok().is_err() {
            let first = found.0.iter().find(|(level, _)| format!("{level:?}") == "Error");
            let first = first.map(|(_, error)| error.to_string()).unwrap_or_default();
            return Err(Failure::new(FailureCode::Damaged, short(&first)));
        }
        Ok(Outcome::default())
    }

    /// An error of the library in our words.
    fn failure(&self, error: &RusticError) -> Failure {
        let told = error.display_log();
        let full = ["No space left", "StorageFull", "disk full", "os error 28", "no storage space"];
        let problem = self.guard.first_problem().unwrap_or_default();
        if full.iter().any(|words| told.contains(words) || problem.contains(words)) {
            return Failure::new(FailureCode::DiskFull, "The disk has no room for the backup.");
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

fn short(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|character| !character.is_control()).take(SENTENCE).collect()
}

/// By which a snapshot is found again.
fn tag(backup_id: &str) -> String {
    format!("backup-{backup_id}")
}

fn outcome(snapshot: &SnapshotFile) -> Outcome {
    let Some(summary) = &snapshot.summary else { return Outcome::default() };
    Outcome {
        bytes: summary.total_bytes_processed,
        stored: summary.data_added_packed,
        files: summary.total_files_processed,
        ..Outcome::default()
    }
}

fn has_room(destination: &Path, bytes: u64) -> Result<(), Failure> {
    let Some(stat) = destination.parent().and_then(|folder| rustix::fs::statvfs(folder).ok()) else {
        return Ok(());
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let needed = bytes.saturating_add(RESERVE);
    if free >= needed {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let sentence = format!(
        "The disk has no room for the restored files: {} MiB are free, {} MiB are needed.",
        mib(free),
        mib(needed)
    );
    Err(Failure::new(FailureCode::DiskFull, sentence))
}

/// Tells of work that is measured in bytes.
#[derive(Debug)]
struct Tellers;

impl ProgressBars for Tellers {
    fn progress(&self, progress_type: ProgressType, _prefix: &str) -> Progress {
        match progress_type {
            ProgressType::Bytes => Progress::new(Teller::default()),
            ProgressType::Spinner | ProgressType::Counter => Progress::hidden(),
        }
    }
}

#[derive(Debug)]
struct Teller {
    began: Instant,
    bytes: AtomicU64,
    total: AtomicU64,
    /// Milliseconds after `began` when it may tell again.
    next: AtomicU64,
    over: AtomicBool,
}

impl Default for Teller {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            bytes: AtomicU64::new(0),
            total: AtomicU64::new(0),
            next: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }
}

impl Teller {
    fn tell(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let next = self.next.load(Ordering::Relaxed);
        let after = now.saturating_add(EVERY.as_millis().try_into().unwrap_or(250));
        let mine = now >= next
            && self.next.compare_exchange(next, after, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if mine && !self.over.load(Ordering::Relaxed) {
            say(&WorkerEvent::Progress {
                bytes: self.bytes.load(Ordering::Relaxed),
                total: self.total.load(Ordering::Relaxed),
            });
        }
    }
}

impl RusticProgress for Teller {
    fn is_hidden(&self) -> bool {
        false
    }

    fn set_length(&self, length: u64) {
        self.total.store(length, Ordering::Relaxed);
    }

    fn set_title(&self, _title: &str) {}

    fn inc(&self, more: u64) {
        self.bytes.fetch_add(more, Ordering::Relaxed);
        self.tell();
    }

    fn finish(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
