//! Files of the panel in its data folder, readable by their owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Permission bits that give others access.
const OTHERS: u32 = 0o077;
/// Entries by which a data folder of the panel is recognised.
const OURS: &[&str] = &["panel.redb", "instance.json", "secrets", "setup-token", "config.toml", "servers"];

/// Folders whose mode is never changed, even if empty.
const EVERYBODYS: &[&str] =
    &["/", "/tmp", "/var/tmp", "/dev/shm", "/run", "/var/lib", "/home", "/srv", "/opt", "/mnt"];

/// Why a file of the panel can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A file operation failed.
    #[error("{doing} {}: {}", path.display(), in_words(source))]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A secret that others can read is no longer secret.
    #[error(
        "{} can be read by other users of this machine (mode {mode:04o}): run `chmod 600 {}`; \
         if others may have read it, delete it and a new one is made",
        path.display(), path.display()
    )]
    Exposed {
        /// The file that others can read.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A folder that contains other things is not a data folder.
    #[error(
        "{} is open to other users (mode {mode:04o}) and is not the panel's alone: \
         give the panel a folder of its own (DATA_DIR)",
        path.display()
    )]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file exists but is empty.
    #[error("{} is empty: delete it, and a new one is made", path.display())]
    Empty {
        /// The empty file.
        path: PathBuf,
    },
}

fn in_words(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full: free some space".to_owned()
        }
        _ => source.to_string(),
    }
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Io { doing, path, source }
}

/// Creates the data folder (0700), or restricts an existing one that others can access.
pub fn data_folder(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(io_error("making the data folder", path))?;
    let found = fs::metadata(path).map_err(io_error("looking at the data folder", path))?;
    let mode = found.permissions().mode() & 0o7777;
    if mode & OTHERS == 0 {
        return Ok(());
    }
    let mut entries = fs::read_dir(path).map_err(io_error("listing the data folder", path))?;
    // Never change the mode of a folder that is not the panel's, such as with DATA_DIR=/tmp.
    let ours = entries.next().is_none() || OURS.iter().any(|name| path.join(name).exists());
    let everybodys = EVERYBODYS.iter().any(|other| path == Path::new(other));
    if !ours || everybodys || found.uid() != rustix::process::geteuid().as_raw() {
        return Err(FileError::NotOurs { path: path.to_owned(), mode });
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
        .map_err(io_error("closing the data folder to others", path))
}

/// Creates a folder (0700) if it does not exist.
pub fn folder(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io_error("making", path))
}

/// Fails if others can read a file in the folder.
pub fn check_folder(path: &Path) -> Result<(), FileError> {
    for entry in fs::read_dir(path).map_err(io_error("listing", path))? {
        let entry = entry.map_err(io_error("listing", path))?;
        check_private(&entry.path())?;
    }
    Ok(())
}

/// Fails if others can read the file. A missing file is fine.
pub fn check_private(path: &Path) -> Result<(), FileError> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(io_error("looking at", path)(cause)),
    };
    let mode = found.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(FileError::Exposed { path: path.to_owned(), mode });
    }
    Ok(())
}

/// The secret in a file, created with `make` if the file does not exist. Fails if others can read it.
pub fn secret(path: &Path, make: impl FnOnce() -> String) -> Result<String, FileError> {
    check_private(path)?;
    match fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => Err(FileError::Empty { path: path.to_owned() }),
        Ok(text) => Ok(text.trim().to_owned()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            let value = make();
            write_private(path, &format!("{value}\n"))?;
            Ok(value)
        }
        Err(cause) => Err(io_error("reading", path)(cause)),
    }
}

/// Writes a file (0600) atomically.
pub fn write_private(path: &Path, text: &str) -> Result<(), FileError> {
    let fresh = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        sync_parent(path)
    };
    write().map_err(io_error("writing", path))
}

/// Removes a file durably. A missing file is fine.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path).map_err(io_error("removing", path)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(io_error("removing", path)(cause)),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_secret_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert_eq!(secret(&path, || "first".into()).unwrap(), "first");
        assert_eq!(secret(&path, || "second".into()).unwrap(), "first");
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(secret(&path, || "third".into()), Err(FileError::Exposed { mode: 0o640, .. })));
        remove(&path).unwrap();
        remove(&path).unwrap();
    }

    #[test]
    fn only_a_folder_of_ours_is_closed() {
        let base = tempfile::tempdir().unwrap();
        let fresh = base.path().join("a/b");
        data_folder(&fresh).unwrap();
        assert_eq!(mode(&fresh), 0o700);
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).unwrap();
        data_folder(&fresh).unwrap();
        assert_eq!(mode(&fresh), 0o700, "an empty one");
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(fresh.join("holiday.jpg"), "").unwrap();
        assert!(matches!(data_folder(&fresh), Err(FileError::NotOurs { .. })));
        assert_eq!(mode(&fresh), 0o755, "left alone");
    }
}
