//! A program that was just put in the place of an older one is on trial: the guard (`packaging/guard.sh`) has written
//! `DATA_DIR/upgrade/trial`, and puts the old one back when this one ends before it has said that it is well. Until then
//! nothing is served, so that going back loses nothing that anybody was told is kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::system::clock;

/// The program of this version, on trial.
#[derive(Debug)]
pub struct Verification {
    folder: PathBuf,
    /// The version before.
    pub from: String,
    /// The version that has to prove itself: this program's.
    pub to: String,
}

/// What stands in the way of a trial's end.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}: {source}", path.display())]
pub struct VerificationError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Where all of it lies.
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("upgrade")
}

impl Verification {
    /// The one that this process is on, if it is on one.
    ///
    /// # Errors
    /// There is a file that can't be read: then nobody knows.
    pub fn find(data_dir: &Path, version: &str) -> Result<Option<Self>, VerificationError> {
        let folder = folder(data_dir);
        let path = folder.join("trial");
        let Some(text) =
            read(&path).map_err(|source| VerificationError { doing: "reading", path, source })?
        else {
            return Ok(None);
        };
        let (from, to) = (value(&text, "from"), value(&text, "to"));
        if to != version {
            // Somebody put another program here meanwhile. The guard sees that too, and forgets the trial.
            tracing::warn!(to, "another version than this one is on trial");
            return Ok(None);
        }
        Ok(Some(Self { from: from.to_owned(), to: to.to_owned(), folder }))
    }

    /// Ends it well: from here on this program is the one. When this returns it is on the disk.
    ///
    /// # Errors
    /// It is not.
    pub fn pass(self) -> Result<(), VerificationError> {
        let failed = |doing, name: &str| {
            let path = self.folder.join(name);
            move |source| VerificationError { doing, path, source }
        };
        let at = clock::rfc3339(clock::now());
        let text = format!("from={}\nto={}\nresult=done\nreason=\nat={at}\n", self.from, self.to);
        let unfinished = self.folder.join("outcome.mine");
        let write = || {
            remove(&unfinished)?;
            let mut file = fs::File::options().write(true).create_new(true).open(&unfinished)?;
            io::Write::write_all(&mut file, text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, self.folder.join("outcome"))
        };
        write().map_err(failed("writing", "outcome"))?;
        // The one step that counts.
        remove(&self.folder.join("trial")).map_err(failed("removing", "trial"))?;
        let synced = fs::File::open(&self.folder).and_then(|folder| folder.sync_all());
        synced.map_err(failed("keeping", ""))?;
        tracing::info!(from = self.from, to = self.to, "the upgrade is done");
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

/// Of the line `name=value`.
fn value<'t>(text: &'t str, name: &str) -> &'t str {
    let mut lines = text.lines().filter_map(|line| line.split_once('='));
    lines.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_found_and_passed() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Verification::find(dir.path(), "0.2.0").unwrap().is_none());
        let folder = folder(dir.path());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("trial"), "from=0.1.0\nto=0.2.0\nattempts=1\nsha256=0\n").unwrap();
        assert!(Verification::find(dir.path(), "0.3.0").unwrap().is_none(), "another one's");
        let trial = Verification::find(dir.path(), "0.2.0").unwrap().unwrap();
        assert_eq!((trial.from.as_str(), trial.to.as_str()), ("0.1.0", "0.2.0"));
        let outcome = || agent::upgrades::Folder::of(dir.path()).outcome();
        assert_eq!(outcome(), None);
        trial.pass().unwrap();
        assert!(!folder.join("trial").exists());
        let outcome = outcome().unwrap();
        assert!(
            outcome.result == "done" && outcome.to == "0.2.0" && outcome.at.ends_with('Z'),
            "{outcome:?}"
        );
    }

    #[test]
    fn a_trial_that_cannot_be_read_is_no_start() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder(dir.path()).join("trial")).unwrap();
        assert!(Verification::find(dir.path(), "0.2.0").is_err());
    }
}
