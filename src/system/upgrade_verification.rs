//! Verification after an upgrade. The guard (`packaging/guard.sh`) has installed a new program and written
//! `DATA_DIR/upgrade/trial`, and restores the old program if the new one exits before it has reported success. Until
//! then no requests are served, so that nothing confirmed to a user is lost by going back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::system::clock;

/// The verification of this process's version.
#[derive(Debug)]
pub struct Verification {
    folder: PathBuf,
    /// The previous version.
    pub from: String,
    /// The version being verified: this program's.
    pub to: String,
}

/// Why a verification could not be read or completed.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}: {source}", path.display())]
pub struct VerificationError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The folder for upgrades.
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("upgrade")
}

impl Verification {
    /// The verification of this process; `None` if it is not being verified.
    ///
    /// # Errors
    /// The file exists but cannot be read, so the state is unknown.
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
            // The program was replaced by hand in the meantime. The guard notices that too, and ends the verification.
            tracing::warn!(to, "another version than this one is on trial");
            return Ok(None);
        }
        Ok(Some(Self { from: from.to_owned(), to: to.to_owned(), folder }))
    }

    /// Completes the verification successfully: the upgrade is final once this returns, and has been synced to disk.
    ///
    /// # Errors
    /// A file could not be written or removed.
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
        // This removal is what makes the upgrade final.
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

/// The value of the line `name=value`; empty if there is none.
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
