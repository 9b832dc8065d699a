//! Puts what was laid aside in its place. From the moment at which `ready` is there the restore is done, whatever is killed:
//! the next start of the panel, or the next run of the command, does what is left. Without it, it never was.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use storage::db_backups;

use super::error::RestoreError;

/// The folder below the data folder in which all is laid aside.
const FOLDER: &str = ".restore";
/// In there: what the data folder gets, in the order in which it gets it, the database last.
const NEW: &str = "new";
const PARTS: [&str; 5] = ["secrets", "config.toml", "instance.json", "agent", "panel.redb"];
const SERVERS: &str = "servers";
/// In there: says that all is laid aside, and where to keep what was there.
const READY: &str = "ready";

/// What `ready` says.
#[derive(Serialize, Deserialize)]
struct Ready {
    /// The folder below the data folder in which that is kept what was there.
    aside: String,
}

/// The folders of a restore.
pub(super) struct Places {
    data_dir: PathBuf,
}

impl Places {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned() }
    }

    /// The folder in which all is laid aside.
    pub(super) fn folder(&self) -> PathBuf {
        self.data_dir.join(FOLDER)
    }

    /// The new content of the data folder.
    pub(super) fn new_content(&self) -> PathBuf {
        self.folder().join(NEW)
    }

    /// The new folders of servers.
    pub(super) fn servers(&self) -> PathBuf {
        self.folder().join(SERVERS)
    }

    /// Where the worker keeps its own small files.
    pub(super) fn worker(&self) -> PathBuf {
        self.folder().join("node")
    }

    fn is_ready(&self) -> bool {
        self.folder().join(READY).exists()
    }

    /// Says that all is laid aside; before it, all of it is on the disk.
    pub(super) fn set_ready(&self, now: &str) -> Result<(), RestoreError> {
        let folder = self.folder();
        let failed = |error| RestoreError::io("finishing", &folder, error);
        let ready = Ready { aside: format!("before-restore-{now}") };
        let part = folder.join("ready.new");
        let write = || -> io::Result<()> {
            let opened = File::open(&folder)?;
            rustix::fs::syncfs(&opened)?;
            fs::write(&part, serde_json::to_vec(&ready)?)?;
            File::open(&part)?.sync_all()?;
            fs::rename(&part, folder.join(READY))?;
            opened.sync_all()?;
            File::open(&self.data_dir)?.sync_all()
        };
        write().map_err(failed)
    }

    /// Throws away what an earlier restore has left that never was ready.
    pub(super) fn clear(&self) -> Result<(), RestoreError> {
        let folder = self.folder();
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(RestoreError::io("removing", &folder, error))
            }
            _ => Ok(()),
        }
    }

    /// Moves everything to its place. What was there is kept; gives where, if there was something.
    pub(super) fn put(&self) -> Result<Option<PathBuf>, RestoreError> {
        let ready = self.folder().join(READY);
        let text = fs::read(&ready).map_err(|error| RestoreError::io("reading", &ready, error))?;
        let name = serde_json::from_slice::<Ready>(&text).map(|ready| ready.aside).unwrap_or_default();
        let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let name = if name.is_empty() || !plain(&name) { "before-restore".to_owned() } else { name };
        let aside = self.data_dir.join(name);
        let servers = self.data_dir.join(SERVERS);
        for name in names(&self.servers())? {
            make(&servers)?;
            one(&self.servers().join(&name), &servers.join(&name), &aside.join(SERVERS).join(&name))?;
        }
        for part in PARTS {
            one(&self.new_content().join(part), &self.data_dir.join(part), &aside.join(part))?;
        }
        let synced = File::open(&self.data_dir).and_then(|folder| folder.sync_all());
        synced.map_err(|error| RestoreError::io("writing", &self.data_dir, error))?;
        self.clear()?;
        Ok(aside.exists().then_some(aside))
    }
}

/// Puts one thing in its place. Run again after a kill, it does what is left.
fn one(new: &Path, place: &Path, aside: &Path) -> Result<(), RestoreError> {
    if fs::symlink_metadata(new).is_err() {
        return Ok(());
    }
    if fs::symlink_metadata(place).is_ok() {
        if let Some(folder) = aside.parent() {
            make(folder)?;
        }
        rename(place, aside)?;
    }
    rename(new, place)
}

fn rename(from: &Path, to: &Path) -> Result<(), RestoreError> {
    let moved = || -> io::Result<()> {
        fs::rename(from, to)?;
        for path in [to, from] {
            if let Some(folder) = path.parent() {
                File::open(folder)?.sync_all()?;
            }
        }
        Ok(())
    };
    moved().map_err(|error| RestoreError::io("putting into its place", to, error))
}

/// A folder as the data folder's owner makes it.
fn make(folder: &Path) -> Result<(), RestoreError> {
    let failed = |error| RestoreError::io("making", folder, error);
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make(above)?;
    }
    fs::create_dir(folder).map_err(failed)?;
    super::owner::give(folder, folder.parent().unwrap_or(folder)).map_err(failed)
}

fn names(folder: &Path) -> Result<Vec<std::ffi::OsString>, RestoreError> {
    let failed = |error| RestoreError::io("listing", folder, error);
    match fs::read_dir(folder) {
        Ok(all) => all.map(|entry| Ok(entry.map_err(failed)?.file_name())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}

/// Ends a restore that was cut short: puts in place what was ready, and throws away what was not. Gives whether something was
/// put in place. No panel may be using the folder.
///
/// # Errors
/// Something could not be moved, or a panel is using the folder.
pub fn settle(data_dir: &Path) -> Result<bool, RestoreError> {
    let places = Places::new(data_dir);
    if !places.folder().exists() {
        return Ok(false);
    }
    let _held = db_backups::hold(data_dir)?;
    settle_held(data_dir)
}

/// The same where the folder is held already.
pub(super) fn settle_held(data_dir: &Path) -> Result<bool, RestoreError> {
    let places = Places::new(data_dir);
    if places.is_ready() {
        places.put()?;
        return Ok(true);
    }
    places.clear()?;
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_aside(data: &Path) -> Places {
        let places = Places::new(data);
        for (path, text) in [
            (".restore/new/panel.redb", "new"),
            (".restore/new/instance.json", "new"),
            (".restore/new/secrets/jwt", "new"),
            (".restore/servers/abc/world", "new"),
            ("panel.redb", "old"),
            ("secrets/jwt", "old"),
            ("servers/abc/world", "old"),
        ] {
            fs::create_dir_all(data.join(path).parent().unwrap()).unwrap();
            fs::write(data.join(path), text).unwrap();
        }
        places
    }

    fn text(path: PathBuf) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn what_was_not_ready_changes_nothing() {
        let data = tempfile::tempdir().unwrap();
        laid_aside(data.path());
        assert!(!settle(data.path()).unwrap());
        assert_eq!(text(data.path().join("panel.redb")), "old");
        assert!(!data.path().join(".restore").exists());
    }

    #[test]
    fn what_was_ready_is_put_in_place_from_wherever_it_was_cut_short() {
        // Each of the moves that a kill may come after.
        for done in 0..=8 {
            let data = tempfile::tempdir().unwrap();
            let data = data.path();
            let places = laid_aside(data);
            places.set_ready("now").unwrap();
            let aside = data.join("before-restore-now");
            let moves = [
                ("servers/abc", "before-restore-now/servers/abc"),
                (".restore/servers/abc", "servers/abc"),
                ("secrets", "before-restore-now/secrets"),
                (".restore/new/secrets", "secrets"),
                (".restore/new/instance.json", "instance.json"),
                ("panel.redb", "before-restore-now/panel.redb"),
                (".restore/new/panel.redb", "panel.redb"),
            ];
            for (from, to) in moves.iter().take(done) {
                fs::create_dir_all(data.join(to).parent().unwrap()).unwrap();
                fs::rename(data.join(from), data.join(to)).unwrap();
            }
            assert!(settle(data).unwrap(), "{done}");
            for path in ["panel.redb", "instance.json", "secrets/jwt", "servers/abc/world"] {
                assert_eq!(text(data.join(path)), "new", "{done}: {path}");
            }
            for path in ["panel.redb", "secrets/jwt", "servers/abc/world"] {
                assert_eq!(text(aside.join(path)), "old", "{done}: {path}");
            }
            assert!(!settle(data).unwrap());
        }
    }
}
