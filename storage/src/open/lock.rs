//! The lock that allows one process per data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::backend::give_to_owner_of_folder;
use crate::open::OpenError;

/// Held as long as the database is open. redb's own lock is not enough: it is released while a handle is reopened, and
/// cannot be held during the first check of the file.
pub(crate) struct Lock {
    _file: File,
}

/// Locks the lock file; fails with the process that holds it.
pub(crate) fn take(path: &Path, database: &Path) -> Result<Lock, OpenError> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|e| OpenError::io("opening", path, e))?;
    give_to_owner_of_folder(&file, path).map_err(|e| OpenError::io("giving away", path, e))?;
    match file.try_lock() {
        Ok(()) => {
            // For the error message of a second process. Not worth failing for, for example on a full disk.
            drop(note_pid(&mut file));
            Ok(Lock { _file: file })
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            drop(file.read_to_string(&mut text));
            Err(OpenError::AlreadyOpen { path: database.to_owned(), pid: text.trim().parse().ok() })
        }
        Err(TryLockError::Error(e)) => Err(OpenError::io("locking", path, e)),
    }
}

fn note_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}
