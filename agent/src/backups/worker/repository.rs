//! The work in a repository, by the library that reads and writes restic's format.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, PoisonError};

use protocol::{BackupProof, BackupSpace};
use rustic_core::repofile::SnapshotFile;
use rustic_core::{
    BackupOptions, CheckOptions, CheckResults, PruneOptions, RusticError, RusticResult, SnapshotOptions,
};

use super::adopt::adopt;
use super::check::Check;
use super::contents;
use super::find::find;
use super::guard::Guard;
use super::heal::heal;
use super::ignored::Ignored;
use super::key::MasterKey;
use super::lock::{self, Held, Locker};
use super::message::{Failure, FailureCode, Outcome, PANEL, Work, WorkerEvent, WorkerRequest, say};
use super::place::Place;
use super::reading::{self, Snapshots};
use super::restore::{WriteError, Writing};
use super::source::Source;
use super::space::{Library, Space, backup_of, short, tag};
use super::store::{Node, Opened, Store, open};
use super::throttle::Throttle;
use crate::fs::text_below;
use crate::server::folder;

/// What is left to everything else on the disk that is restored to.
const RESERVE: u64 = 64 << 20;

/// Does the work. The lock on the repository is put into `held`.
pub(super) fn work(
    request: WorkerRequest,
    guard: &Guard,
    held: &Held,
    questions: &Receiver<String>,
) -> Result<Outcome, Failure> {
    let WorkerRequest { node, id, location, key, password, limits, work } = request;
    let bytes = key.bytes().ok_or_else(|| Failure::new(FailureCode::Failed, "The key is none."))?;
    let place = Place::new(&node, &id);
    // A test may run beside other work, and so may a reader: what it may need is removed a day after nothing refers to it.
    let alone = if matches!(work, Work::Test) || work.only_reads() { None } else { Some(place.alone()?) };
    let worker_id = place.worker_id()?;
    let own = Node { folder: &node, id: &id, worker_id: &worker_id };
    let trial = matches!(work, Work::Test | Work::Find);
    let store: Arc<dyn Store> = match open(location.clone(), &own, trial)? {
        Opened::Store(store) => Arc::from(store),
        // Does not sign in to an unconfirmed server.
        Opened::Unknown { host_key } => return Ok(unknown_server(host_key)),
    };
    let there = store.exists()?;
    if matches!(work, Work::Test) {
        let probe = lock::probe(&worker_id, &bytes)?;
        let outcome =
            Outcome { warning: store.probe(&probe)?, host_key: store.host_key(), ..Outcome::default() };
        if !there {
            place.may_be_new(&location)?;
            let space = Some(BackupSpace { free: store.free(), ..BackupSpace::default() });
            return Ok(Outcome { space, ..outcome });
        }
        let space = Space::new(store, guard, &limits);
        drop(space.open(&key, &password, true)?);
        return Ok(Outcome { space: space.measure(), ..outcome });
    }
    if matches!(work, Work::Find) {
        if !there {
            let sentence = "There is no backup repository at this place.";
            return Err(Failure::new(FailureCode::NotFound, sentence));
        }
        return find(&Space::new(store, guard, &limits), &password);
    }
    if let Work::Adopt { open } = work {
        let password = open.then_some(password.as_str());
        return if there { adopt(store, guard, &limits, password) } else { Ok(Outcome::default()) };
    }
    if work.only_reads() {
        if !there {
            return Err(missing());
        }
        return Space::new(store, guard, &limits).show(&key, work, questions);
    }
    if !there {
        place.may_be_new(&location)?;
        match work {
            Work::Create { .. } => {}
            Work::Restore { .. } => {
                let sentence = "The backup target has no backup repository.";
                return Err(Failure::new(FailureCode::NotFound, sentence));
            }
            // Nothing to delete, prune or check.
            _ => return Ok(Outcome::default()),
        }
    }
    store.prepare()?;
    let exclusive = matches!(work, Work::Delete { .. } | Work::Prune);
    let locker = Locker { store: Arc::clone(&store), key: bytes, node: worker_id };
    let lock = locker.lock(exclusive)?;
    *held.lock().unwrap_or_else(PoisonError::into_inner) = Some(lock);
    let space = Space::new(store, guard, &limits);
    // Another node may have created it meanwhile.
    let repository = space.open(&key, &password, there || space.store.exists()?)?;
    if !location.is_node() {
        place.is_known()?;
    }
    let mut outcome = match work {
        Work::Create { backup_id, server_id, source, ignore } => {
            space.create(repository, &backup_id, &server_id, &source, &ignore)?
        }
        Work::Restore { backup_id, destination, paths } => {
            space.restore(repository, &backup_id, &destination, &paths)?
        }
        Work::Delete { backup_ids } => space.delete(&repository, &backup_ids)?,
        Work::Prune => space.prune(&repository)?,
        Work::Check { share } => {
            let part = if share > 1 { place.next_part(share) } else { 0 };
            let repository = repository.to_indexed().map_err(|error| space.failure(&error))?;
            let check = Check { repository, space: &space };
            let (mut outcome, bad) = check.run(part, share)?;
            if !bad.is_empty() {
                drop(held.lock().unwrap_or_else(PoisonError::into_inner).take());
                let lock = locker.lock(true)?;
                *held.lock().unwrap_or_else(PoisonError::into_inner) = Some(lock);
                heal(&check.repository, &space, &bytes, &bad)?;
                let mut sentence = outcome.warning.take().unwrap_or_default();
                sentence.push_str(
                    " The next backups store the missing data again, as far as the servers still have it.",
                );
                outcome.warning = Some(sentence);
            }
            outcome
        }
        Work::Test | Work::Browse | Work::Find | Work::Send { .. } | Work::Adopt { .. } => Outcome::default(),
    };
    outcome.space = space.measure();
    drop(held.lock().unwrap_or_else(PoisonError::into_inner).take());
    drop(alone);
    Ok(outcome)
}

fn missing() -> Failure {
    Failure::new(FailureCode::NotFound, "The backup is not in the repository.")
}

fn unknown_server(host_key: String) -> Outcome {
    let sentence = "The SFTP server has this host key. Compare it with the server's own, then test again: nothing but the key was exchanged yet.";
    Outcome { warning: Some(sentence.to_owned()), host_key: Some(host_key), ..Outcome::default() }
}

impl Space {
    /// The snapshot of a backup.
    fn find(&self, repository: &Library, backup_id: &str) -> Result<Option<SnapshotFile>, Failure> {
        let (all, _) = self.snapshots(repository)?;
        Ok(all.into_iter().find(|snapshot| backup_of(snapshot).is_some_and(|id| id == backup_id)))
    }

    fn create(
        &self,
        repository: Library,
        backup_id: &str,
        server_id: &str,
        folder: &Path,
        ignore: &[String],
    ) -> Result<Outcome, Failure> {
        if let Some(done) = self.find(&repository, backup_id)? {
            return Ok(outcome(&done));
        }
        let shown = Path::new("/").join(server_id);
        let opened = |error: io::Error| Failure::io("Opening the server's folder", &error);
        let (ignored, bad_line) = Ignored::read(folder, ignore).map_err(opened)?;
        let throttle = Throttle::new(self.limits.mib_per_sec);
        let source =
            Source::open(folder, shown.clone(), self.guard.clone(), ignored, throttle).map_err(opened)?;
        let snapshot = SnapshotOptions::default()
            .label(server_id.to_owned())
            .add_tags(&if server_id == PANEL { format!("{},panel", tag(backup_id)) } else { tag(backup_id) })
            .and_then(|options| options.to_snapshot())
            .map_err(|error| self.failure(&error))?;
        let repository = repository.to_indexed_ids().map_err(|error| self.failure(&error))?;
        let made = repository
            .archive(&BackupOptions::default(), &source, snapshot, &[shown])
            .map_err(|error| self.failure(&error))?;
        let (changed, changed_names) = self.guard.changes();
        let proof = Some(checked(&repository.check_with_trees(CheckOptions::default(), vec![made.tree])));
        let warning = bad_line.map(|line| format!("Ignored an invalid line of the ignore list: {line}"));
        Ok(Outcome { changed, changed_names, proof, warning, ..outcome(&made) })
    }

    /// Answers queries about what is in backups, or sends one of them.
    fn show(self, key: &MasterKey, work: Work, questions: &Receiver<String>) -> Result<Outcome, Failure> {
        let repository = self.open(key, "", true)?;
        let (snapshots, _) = self.snapshots(&repository)?;
        let snapshots: Snapshots =
            snapshots.into_iter().filter_map(|snapshot| Some((backup_of(&snapshot)?, snapshot))).collect();
        let repository = repository.to_indexed().map_err(|error| self.failure(&error))?;
        let told = |error: &RusticError| self.failure(error);
        match work {
            Work::Browse => {
                say(&WorkerEvent::Ready);
                reading::serve(&repository, &snapshots, questions, &told);
                Ok(Outcome::default())
            }
            Work::Send { backup_id, paths, format } => {
                let snapshot = snapshots.get(&backup_id).ok_or_else(missing)?;
                say(&WorkerEvent::Ready);
                reading::send(&repository, snapshot, &paths, format, &told)
            }
            _ => Ok(Outcome::default()),
        }
    }

    fn restore(
        &self,
        repository: Library,
        backup_id: &str,
        destination: &Path,
        paths: &[String],
    ) -> Result<Outcome, Failure> {
        let snapshot = self.find(&repository, backup_id)?;
        let snapshot = snapshot.ok_or_else(missing)?;
        let mut outcome = outcome(&snapshot);
        let failed = |error: Box<RusticError>| self.failure(&error);
        let repository = repository.to_indexed().map_err(failed)?;
        let node = contents::top(&repository, &snapshot).map_err(failed)?;
        let mut chosen = Vec::new();
        if !paths.is_empty() {
            (outcome.bytes, outcome.files) = (0, 0);
            for path in reading::chosen(paths) {
                let found = contents::find(&repository, &node, &path).map_err(failed)?;
                let found = found.ok_or_else(|| contents::missing(&text_below(&path)))?;
                let size = contents::measure(&repository, &found).map_err(failed)?;
                outcome.bytes = outcome.bytes.saturating_add(size.bytes);
                outcome.files += size.files;
                chosen.push((path, found));
            }
        }
        has_room(destination, outcome.bytes)?;
        let progress = repository.progress_bytes("restoring");
        progress.set_length(outcome.bytes);
        let writing = Writing {
            repository: &repository,
            destination,
            // Who may not give files away has games that run as himself.
            give: folder::may_give(),
            progress: &progress,
        };
        let written = if chosen.is_empty() { writing.write(&node) } else { writing.write_chosen(&chosen) };
        written.map_err(|error| match error {
            WriteError::Library(error) => self.failure(&error),
            WriteError::Disk { path, source } => Failure::io(path.display(), &source),
        })?;
        // All of it is on the disk before anything relies on it.
        let synced = File::open(destination).and_then(|folder| Ok(rustix::fs::syncfs(&folder)?));
        synced.map_err(|error| Failure::io("Writing the files to the disk", &error))?;
        Ok(outcome)
    }

    fn delete(&self, repository: &Library, backup_ids: &[String]) -> Result<Outcome, Failure> {
        let failed = |error: Box<RusticError>| self.failure(&error);
        let (all, _) = self.snapshots(repository)?;
        let gone =
            all.iter().filter(|snapshot| backup_of(snapshot).is_some_and(|id| backup_ids.contains(&id)));
        let gone: Vec<_> = gone.map(|snapshot| snapshot.id).collect();
        if !gone.is_empty() {
            repository.delete_snapshots(&gone).map_err(failed)?;
        }
        match self.prune(repository) {
            // The snapshots are deleted, which is what was asked for.
            Err(failure) if !matches!(failure.code, FailureCode::Unreachable | FailureCode::DiskFull) => {
                let warning = format!("The backup was deleted, but its space could not be freed: {failure}");
                Ok(Outcome { warning: Some(warning), ..Outcome::default() })
            }
            pruned => pruned,
        }
    }

    /// Packs are marked now, and removed by one that runs a day later: a reader that began before still finds them.
    fn prune(&self, repository: &Library) -> Result<Outcome, Failure> {
        let failed = |error: Box<RusticError>| self.failure(&error);
        let options = PruneOptions::default();
        let plan = repository.prune_plan(&options).map_err(failed)?;
        repository.prune(&options, plan).map_err(failed)?;
        Ok(Outcome::default())
    }
}

/// What a look at the folders of a new backup found.
fn checked(found: &RusticResult<CheckResults>) -> BackupProof {
    let problem = match found {
        Ok(results) => {
            let bad = results.0.iter().find(|(level, _)| format!("{level:?}") == "Error");
            bad.map(|(_, error)| error.to_string())
        }
        Err(error) => Some(error.display_log()),
    };
    let ok = problem.is_none();
    BackupProof { ok, reason: problem.map(|problem| short(&problem)).unwrap_or_default(), lines: Vec::new() }
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
