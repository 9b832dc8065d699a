//! The agent's state: one small file per server in `DATA_DIR/agent`, so that it knows its servers after a restart
//! without asking a panel.
//!
//! A file is replaced atomically (written beside, synced, renamed), so a crash leaves the old or the new one. An
//! unreadable file is renamed and never prevents the others from loading. All calls block; they are short.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use protocol::{Millis, ServerCreate, ServerId, Status};
use serde::{Deserialize, Serialize};

mod pending;
mod restored;
pub use pending::{Moment, Pending, PendingStop};
pub use restored::settle_restored;

/// Maximum bytes of a server's file. It normally has some kilobytes; its largest part is an environment of up to 32
/// KiB.
const MOST_BYTES: u64 = 4 << 20;
/// Suffix of the file of a server that is being deleted.
const DELETING: &str = ".json.deleting";

/// The intended state of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Running: it is restarted after a reboot, an engine stop or a crash.
    Running,
    /// Stopped: it is not started automatically.
    #[default]
    Stopped,
}

/// How the last run (or install) ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// Status then: `stopped`, `crashed` or `install_failed`.
    pub status: Status,
    /// Exit code of the main process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it for lack of memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oom_killed: bool,
    /// A message for users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When the run ended, in milliseconds since 1970.
    pub at: Millis,
}

/// The agent's record of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerFile {
    /// Its settings.
    pub spec: ServerCreate,
    /// Whether it should be running.
    #[serde(default)]
    pub wanted: Wanted,
    /// Owner of its folder as `uid:gid`; chosen once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// How the last run or installation ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastRun>,
    /// Whether it is suspended, so that it cannot be started.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// Whether it was found in a legacy container and has no settings from a panel yet: `spec` is what was found.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_found: bool,
    /// A requested action that is not finished.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "pending::lenient")]
    pub pending: Option<Pending>,
    /// Whether it is being deleted. Stored in the file's name rather than in the file, so that it needs no space on a
    /// full disk.
    #[serde(skip)]
    pub deleting: bool,
    /// Start time of the run that was seen to be ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Timestamp>,
    /// Whether its template's install script has succeeded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub installed: bool,
    /// The engine's id of the install container, while an installation is in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installing: Option<String>,
}

impl ServerFile {
    /// The record of a new server.
    #[must_use]
    pub fn new(spec: ServerCreate) -> Self {
        Self {
            spec,
            wanted: Wanted::default(),
            user: None,
            last: None,
            suspended: false,
            as_found: false,
            deleting: false,
            pending: None,
            ready: None,
            installed: false,
            installing: None,
        }
    }
}

/// A state file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} {}: {source}", path.display())]
pub struct PersistError {
    /// What was tried.
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl PersistError {
    /// Whether the disk is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

fn failed<'p>(action: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> PersistError + 'p {
    move |source| PersistError { action, path: path.to_owned(), source }
}

/// Loads every server with a file in `dir`, ordered by id; creates the folder if needed. Leftovers of a crash are
/// removed and unreadable files renamed to `ID.json.bad`; both are logged.
///
/// # Errors
/// The folder cannot be created or listed.
pub fn load_all(dir: &Path) -> Result<Vec<ServerFile>, PersistError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed("make the folder", dir))?;
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed("list", dir))? {
        let path = entry.map_err(failed("list", dir))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.ends_with(".tmp") {
            tracing::info!(path = %path.display(), "removing what an interrupted write left");
            let _ = fs::remove_file(&path);
        } else if let Some(id) = name.strip_suffix(".json")
            && let Some(file) = load(&path, id)
        {
            all.push(file);
        } else if let Some(id) = name.strip_suffix(DELETING)
            && let Some(file) = load(&path, id)
        {
            all.push(ServerFile { deleting: true, ..file });
        }
    }
    // Both files exist: an agent that knows nothing of deletions has written one since.
    let made: HashSet<ServerId> =
        all.iter().filter(|file| !file.deleting).map(|file| file.spec.server_id.clone()).collect();
    all.retain(|file| !file.deleting || !made.contains(&file.spec.server_id));
    all.sort_by(|a, b| a.spec.server_id.cmp(&b.spec.server_id));
    Ok(all)
}

/// Writes a server's file; it is on the disk when this returns.
///
/// # Errors
/// It could not be written; the previous file remains.
pub fn save(dir: &Path, file: &ServerFile) -> Result<(), PersistError> {
    let path = path_of(dir, &file.spec.server_id)?;
    let text = serde_json::to_vec_pretty(file).map_err(io::Error::from).map_err(failed("encode", &path))?;
    write_whole(&path, &text)
}

/// Replaces one of the agent's own small files, which only its user may read; the new content is on the disk when this
/// returns. It is written beside, as `NAME.tmp`.
///
/// # Errors
/// It could not be written; the previous file remains.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), PersistError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let written = write(&temporary, content).and_then(|()| {
        fs::rename(&temporary, path).map_err(failed("replace", path))?;
        path.parent().map_or(Ok(()), sync_folder)
    });
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Deletes a server's file; no error if there is none.
///
/// # Errors
/// The file cannot be removed.
pub fn remove(dir: &Path, id: &str) -> Result<(), PersistError> {
    let path = path_of(dir, id)?;
    for path in [deleting(&path), path] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("remove", &path)(error)),
            Ok(()) => sync_folder(dir)?,
        }
    }
    Ok(())
}

/// Records that a server is being deleted, before any of it is. Does nothing if it has no file.
///
/// # Errors
/// It could not be recorded.
pub fn begin_deletion(dir: &Path, id: &str) -> Result<(), PersistError> {
    let path = path_of(dir, id)?;
    rename(dir, &path, &deleting(&path))
}

/// Cancels a deletion.
///
/// # Errors
/// It is still marked as being deleted.
pub fn undo_deletion(dir: &Path, id: &str) -> Result<(), PersistError> {
    let path = path_of(dir, id)?;
    rename(dir, &deleting(&path), &path)
}

fn rename(dir: &Path, from: &Path, to: &Path) -> Result<(), PersistError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("rename", from)(error)),
        Ok(()) => sync_folder(dir),
    }
}

/// The path of the file of a server that is being deleted.
fn deleting(path: &Path) -> PathBuf {
    path.with_extension(DELETING.trim_start_matches('.'))
}

fn path_of(dir: &Path, id: &str) -> Result<PathBuf, PersistError> {
    if ServerId::from(id).is_valid() {
        return Ok(dir.join(format!("{id}.json")));
    }
    Err(failed("use a bad server id in", dir)(io::ErrorKind::InvalidInput.into()))
}

fn load(path: &Path, id: &str) -> Option<ServerFile> {
    let mut bytes = Vec::new();
    // A file that cannot be read now may be readable later, so it stays.
    let read = File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        tracing::warn!(path = %path.display(), %error, "could not read a server's file; it is left out");
        return None;
    }
    let cause = match serde_json::from_slice::<ServerFile>(&bytes) {
        Ok(file) if file.spec.server_id == *id && file.spec.server_id.is_valid() => return Some(file),
        Ok(file) => format!("it tells of server {:?}", file.spec.server_id),
        Err(error) => error.to_string(),
    };
    let aside = aside(path);
    tracing::warn!(
        path = %path.display(), aside = %aside.display(), cause,
        "a server's file cannot be understood; it is set aside"
    );
    if let Err(error) = fs::rename(path, &aside) {
        tracing::warn!(path = %path.display(), %error, "and that failed");
    }
    None
}

/// `ID.json.bad`, or the first free one of `ID.json.bad1` ….
fn aside(path: &Path) -> PathBuf {
    let first = path.with_extension("json.bad");
    let numbered = (1..100).map(|n| path.with_extension(format!("json.bad{n}")));
    std::iter::once(first.clone()).chain(numbered).find(|path| !path.exists()).unwrap_or(first)
}

fn write(path: &Path, content: &[u8]) -> Result<(), PersistError> {
    let mut to = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(failed("create", path))?;
    to.write_all(content).and_then(|()| to.sync_all()).map_err(failed("write", path))
}

fn sync_folder(dir: &Path) -> Result<(), PersistError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("sync", dir))
}

#[cfg(test)]
mod tests;
