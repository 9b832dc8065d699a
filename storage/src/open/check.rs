//! The first check of a file, before anything may be written to it.

use std::io;
use std::path::Path;

use redb::{DatabaseError, ReadableDatabase, StorageBackend, StorageError};

use crate::backend::{Disk, builder};
use crate::error::Error;
use crate::meta::{self, Instance};
use crate::open::OpenError;
use crate::open::catch_panic::{catch_quietly, panic_text};
use crate::tx::ReadTx;

/// Files up to this size in bytes are verified completely at every start, which takes a few dozen milliseconds; larger
/// ones only after an unclean stop.
const ALWAYS_WHOLE: u64 = 64 << 20;

/// Facts about a file that passed the check.
pub(crate) struct Facts {
    pub(crate) schema: u32,
    pub(crate) instance: Instance,
}

/// Checks the file without writing to it: that it is a database of this program, that no byte was changed from outside,
/// and which schema it has.
pub(crate) fn check(disk: &dyn Disk) -> Result<Facts, OpenError> {
    check_up_to(disk, ALWAYS_WHOLE)
}

/// Like [`check`], but cleanly closed files larger than `always_whole` are not verified completely.
pub(crate) fn check_up_to(disk: &dyn Disk, always_whole: u64) -> Result<Facts, OpenError> {
    // redb returns errors for most kinds of damage and panics for some; neither may crash the program.
    catch_quietly(|| check_inner(disk, always_whole))
        .unwrap_or_else(|panic| Err(corrupt(disk.path(), panic_text(&*panic))))
}

fn check_inner(disk: &dyn Disk, always_whole: u64) -> Result<Facts, OpenError> {
    let path = disk.path();
    let overlay = || disk.overlay().map_err(|e| OpenError::io("reading", path, e));
    let len = overlay()?.len().map_err(|e| OpenError::io("reading", path, e))?;
    if len == 0 {
        return Err(OpenError::Empty { path: path.to_owned() });
    }
    match builder().open_read_only_with_backend(overlay()?) {
        Ok(database) if len > always_whole => return facts(path, &database),
        // Refused because the last stop was unclean.
        Ok(_) | Err(DatabaseError::RepairAborted) => {}
        Err(error) => return Err(sort(path, error)),
    }

    // Verifies every checksum before anything is trusted, and repairs in memory what a crash left.
    let database = builder()
        .set_check_integrity_on_open(true)
        .create_with_backend(overlay()?)
        .map_err(|e| sort(path, e))?;
    facts(path, &database)
}

fn facts(path: &Path, database: &impl ReadableDatabase) -> Result<Facts, OpenError> {
    let not_ours = |error: Error| match error {
        Error::Corrupt { reason, .. } => OpenError::NotADatabase { path: path.to_owned(), reason },
        other => corrupt(path, other),
    };
    let transaction = database.begin_read().map_err(|e| corrupt(path, e))?;
    let tx = ReadTx::new(transaction);
    Ok(Facts {
        schema: meta::schema(&tx).map_err(not_ours)?,
        instance: meta::instance(&tx).map_err(not_ours)?,
    })
}

fn corrupt(path: &Path, reason: impl std::fmt::Display) -> OpenError {
    OpenError::Corrupt { path: path.to_owned(), reason: reason.to_string() }
}

/// Maps an error of redb to what the operator has to do about it.
pub(crate) fn sort(path: &Path, error: DatabaseError) -> OpenError {
    let owned = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            OpenError::AlreadyOpen { path: owned, pid: None }
        }
        DatabaseError::UpgradeRequired(version) => OpenError::OldFormat { path: owned, version },
        DatabaseError::Storage(StorageError::Io(error)) => match error.kind() {
            io::ErrorKind::InvalidData => OpenError::NotADatabase { path: owned, reason: error.to_string() },
            io::ErrorKind::UnexpectedEof => OpenError::Truncated { path: owned, reason: error.to_string() },
            _ => OpenError::io("opening", path, error),
        },
        DatabaseError::Storage(StorageError::Corrupted(reason))
            if reason.contains("truncated") || reason.contains("File length") =>
        {
            OpenError::Truncated { path: owned, reason }
        }
        DatabaseError::Storage(StorageError::Corrupted(reason)) => corrupt(path, reason),
        other => corrupt(path, other),
    }
}
