//! Opens a database without ever making things worse.
//!
//! The order matters: lock the folder; check the file through an [`Overlay`] that keeps writes in memory; only then
//! open it for real. A refused file is left unchanged.
//!
//! [`Overlay`]: crate::overlay::Overlay

mod catch_panic;
pub(crate) mod check;
mod error;
pub(crate) mod lock;
mod marker;
#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use redb::Database;
use redb::backends::FileBackend;

pub(crate) use catch_panic::panic_text;
pub use error::OpenError;
pub(crate) use lock::Lock;

use crate::backend::{Disk, FileDisk, builder, private_file, sync_folder_of};
use crate::error::Error;
use crate::meta::Instance;
use crate::schema::{self, Schema};
use crate::tx;

/// File name of the database in the data folder.
pub(crate) const FILE: &str = "panel.redb";

/// A database that passed all checks.
pub(crate) struct Opened {
    pub(crate) database: Database,
    pub(crate) instance: Instance,
    /// Whether it starts read-only because the disk is full.
    pub(crate) disk_full: bool,
}

/// Locks the folder, creates the database if there was none, and opens it.
pub(crate) fn open_folder(dir: &Path, schema: &Schema) -> Result<(Opened, FileDisk, Lock), OpenError> {
    prepare_folder(dir)?;
    let path = dir.join(FILE);
    let lock = lock::take(&dir.join("panel.lock"), &path)?;
    let marker = dir.join("instance.json");
    match fs::metadata(&path) {
        Ok(metadata) => may_write(&path, &metadata)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound && marker::is_there(&marker)? => {
            return Err(OpenError::Missing { path, marker });
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => create(&path, schema)?,
        Err(e) => return Err(OpenError::io("looking for", &path, e)),
    }
    let disk = FileDisk::new(path);
    let opened = open(&disk, schema)?;
    if let Ok(metadata) = fs::metadata(disk.path()) {
        close_to_others(disk.path(), &metadata, 0o600);
    }
    if let Err(error) = marker::write(&marker, &opened.instance) {
        // On a full disk updating the marker can wait, but a missing one is an error.
        if !marker::is_there(&marker)? {
            return Err(error);
        }
    }
    Ok((opened, disk, lock))
}

/// Checks a database, migrates it to the current schema and opens it.
pub(crate) fn open(disk: &dyn Disk, schema: &Schema) -> Result<Opened, OpenError> {
    let facts = check::check(disk)?;
    if facts.schema > schema.number {
        return Err(OpenError::NewerSchema {
            path: disk.path().to_owned(),
            file: facts.schema,
            known: schema.number,
        });
    }
    if facts.schema < schema.number {
        let database = migrate(disk, facts.schema, schema)?;
        return Ok(Opened { database, instance: facts.instance, disk_full: false });
    }
    let (database, disk_full) = match open_checked(disk) {
        Ok(database) => (database, false),
        // Users can read their data, and writes begin once there is space.
        Err(OpenError::DiskFull { .. }) => (open_in_memory(disk)?, true),
        Err(error) => return Err(error),
    };
    Ok(Opened { database, instance: facts.instance, disk_full })
}

/// Reopens a database.
pub(crate) fn reopen(disk: &dyn Disk) -> Result<Database, OpenError> {
    check::check(disk)?;
    open_checked(disk)
}

/// Opens a database that can be read while it cannot be written.
pub(crate) fn open_in_memory(disk: &dyn Disk) -> Result<Database, OpenError> {
    catching(disk.path(), || {
        let overlay = disk.overlay().map_err(|e| OpenError::io("reading", disk.path(), e))?;
        builder().create_with_backend(overlay).map_err(|e| check::sort(disk.path(), e))
    })
}

fn open_checked(disk: &dyn Disk) -> Result<Database, OpenError> {
    catching(disk.path(), || disk.open(&builder()).map_err(|e| check::sort(disk.path(), e)))
}

fn catching<T>(path: &Path, work: impl FnOnce() -> Result<T, OpenError>) -> Result<T, OpenError> {
    catch_panic::catch_quietly(work).unwrap_or_else(|panic| {
        Err(OpenError::Corrupt { path: path.to_owned(), reason: panic_text(&*panic) })
    })
}

/// Copies the file, opens it and performs all missing migrations in one transaction.
fn migrate(disk: &dyn Disk, from: u32, schema: &Schema) -> Result<Database, OpenError> {
    let copy = disk.copy_aside(from).map_err(|e| OpenError::io("copying aside", disk.path(), e))?;
    let database = open_checked(disk)?;
    let run = || {
        let tx = tx::begin(&database)?;
        schema.migrate(&tx, from)?;
        tx::finish(tx)
    };
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(Error::Panicked(panic_text(&*panic))))
        .map_err(|error| OpenError::MigrationFailed {
            path: disk.path().to_owned(),
            from,
            to: schema.number,
            reason: error.to_string(),
            copy: copy.clone(),
        })?;
    tracing::info!(from, to = schema.number, copy = %copy.display(), "the database follows a newer schema now");
    Ok(database)
}

/// Creates a new database. It gets its name once it is complete, so that no start ever finds a partial one.
fn create(path: &Path, schema: &Schema) -> Result<(), OpenError> {
    let unfinished = path.with_extension("redb.new");
    let failed = |e: io::Error| OpenError::io("making", path, e);
    if let Err(e) = fs::remove_file(&unfinished)
        && e.kind() != io::ErrorKind::NotFound
    {
        return Err(failed(e));
    }
    let file = private_file(&unfinished).map_err(failed)?;
    let synced = file.try_clone().map_err(failed)?;
    let backend = FileBackend::new(file).map_err(|e| check::sort(path, e))?;
    let database = builder().create_with_backend(backend).map_err(|e| check::sort(path, e))?;
    let fill = || {
        let tx = tx::begin(&database)?;
        schema.create(&tx, &schema::new_instance(Timestamp::now().as_millisecond()))?;
        tx::finish(tx)
    };
    fill().map_err(|error| match error {
        Error::DiskFull => OpenError::DiskFull { doing: "making", path: path.to_owned() },
        other => failed(io::Error::other(other)),
    })?;
    database.close().map_err(|e| check::sort(path, e))?;
    synced.sync_all().map_err(failed)?;
    fs::rename(&unfinished, path).map_err(failed)?;
    sync_folder_of(path).map_err(failed)
}

/// Creates the data folder, accessible to this user only.
fn prepare_folder(dir: &Path) -> Result<(), OpenError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| OpenError::io("making", dir, e))?;
    let metadata = fs::metadata(dir).map_err(|e| OpenError::io("looking at", dir, e))?;
    close_to_others(dir, &metadata, 0o700);
    Ok(())
}

/// Refuses a file that is not ours to write, also when running as root, which could write it.
fn may_write(path: &Path, metadata: &fs::Metadata) -> Result<(), OpenError> {
    let path_buf = || PathBuf::from(path);
    if !metadata.is_file() {
        return Err(OpenError::NotADatabase { path: path_buf(), reason: "not a file".to_owned() });
    }
    let ours = rustix::process::geteuid().as_raw();
    let owner = metadata.uid();
    if owner != ours && owner != 0 {
        return Err(OpenError::WrongOwner { path: path_buf(), owner, ours });
    }
    if metadata.permissions().readonly() {
        return Err(OpenError::ReadOnlyFile { path: path_buf() });
    }
    Ok(())
}

/// Removes the permissions of group and others.
fn close_to_others(path: &Path, metadata: &fs::Metadata, mode: u32) {
    if metadata.mode() & 0o077 == 0 {
        return;
    }
    if let Err(error) = fs::set_permissions(path, fs::Permissions::from_mode(mode)) {
        tracing::warn!(path = %path.display(), %error, "others can read this, and that could not be changed");
    }
}
