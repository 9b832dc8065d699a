//! The database handle, which must be replaced after a failure.
//!
//! redb refuses all writes on a handle once one failed with a disk error or a full disk; reads keep working. The store
//! then reports that it is read-only, and reopens the database as soon as that may succeed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use redb::{Database, ReadableDatabase};
use tokio::sync::watch;

use crate::backend::Disk;
use crate::error::{Error, Result};
use crate::open::{self, Lock, Opened};
use crate::tx::ReadTx;

/// Whether the database accepts writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It accepts reads and writes.
    Ok,
    /// It only accepts reads at the moment, and recovers automatically.
    ReadOnly {
        /// The reason, for operators.
        reason: String,
        /// Whether the cause is a full disk.
        disk_full: bool,
    },
}

/// The current handle and its health.
pub(crate) struct Handle {
    disk: Box<dyn Disk>,
    database: RwLock<Option<Database>>,
    health: watch::Sender<Health>,
    /// See [`crate::Store::revision`].
    revision: AtomicU64,
    /// Released last.
    lock: Mutex<Option<Lock>>,
}

impl Handle {
    pub(crate) fn new(disk: Box<dyn Disk>, opened: Opened, lock: Option<Lock>) -> Self {
        let health = if opened.disk_full { read_only(&Error::DiskFull) } else { Health::Ok };
        Self {
            disk,
            database: RwLock::new(Some(opened.database)),
            health: watch::Sender::new(health),
            revision: AtomicU64::new(1),
            lock: Mutex::new(lock),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.disk.path()
    }

    pub(crate) fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Raises the revision: later reads may see other data.
    fn count(&self) {
        self.revision.fetch_add(1, Ordering::AcqRel);
    }

    /// The error for writers while the database is read-only.
    pub(crate) fn refusal(&self) -> Option<Error> {
        match &*self.health.borrow() {
            Health::Ok => None,
            Health::ReadOnly { disk_full: true, .. } => Some(Error::DiskFull),
            Health::ReadOnly { reason, .. } => Some(Error::ReadOnly { reason: reason.clone() }),
        }
    }

    /// Runs `work` on a consistent snapshot.
    pub(crate) fn read<T, E: From<Error>>(&self, work: impl FnOnce(&ReadTx) -> Result<T, E>) -> Result<T, E> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(Error::Closed)?;
        work(&ReadTx::new(database.begin_read().map_err(|e| Error::redb("beginning a read", e))?))
    }

    /// Runs `work`. If it fails, the database is read-only until [`Self::heal`] succeeds.
    pub(crate) fn write(&self, work: impl FnOnce(&Database) -> Result<()>) -> Result<()> {
        let outcome = {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            work(database.as_ref().ok_or(Error::Closed)?)
        };
        // Also after a failure: its changes may become visible when the database is reopened.
        self.count();
        if let Err(error) = &outcome {
            tracing::error!(%error, "a write to the database failed; it is read-only until it was opened anew");
            self.health.send_replace(read_only(error));
        }
        outcome
    }

    /// Reopens the database if it may then accept writes. Waits for running reads.
    pub(crate) fn heal(&self) {
        if self.refusal().is_some_and(|why| matches!(why, Error::DiskFull)) && self.disk.probe().is_err() {
            return;
        }
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        close(database.take());
        match open::reopen(&*self.disk) {
            Ok(new) => {
                *database = Some(new);
                self.count();
                drop(database);
                tracing::info!("the database takes writes again");
                self.health.send_replace(Health::Ok);
            }
            Err(error) => {
                // Keep it readable.
                *database = open::open_in_memory(&*self.disk).ok();
                self.count();
                drop(database);
                let disk_full = matches!(error, open::OpenError::DiskFull { .. });
                self.health.send_if_modified(|health| {
                    let now = Health::ReadOnly { reason: error.to_string(), disk_full };
                    let changed = *health != now;
                    if changed {
                        tracing::error!(%error, "the database cannot be opened anew");
                        *health = now;
                    }
                    changed
                });
            }
        }
    }

    /// Closes the database so that the next start has nothing to repair. Must not be called inside a read or write.
    pub(crate) fn close(&self) {
        close(self.database.write().unwrap_or_else(PoisonError::into_inner).take());
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

fn read_only(error: &Error) -> Health {
    Health::ReadOnly { reason: error.to_string(), disk_full: matches!(error, Error::DiskFull) }
}

fn close(database: Option<Database>) {
    let Some(database) = database else { return };
    match catch_unwind(AssertUnwindSafe(|| database.close())) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the database was not closed cleanly"),
        Err(_) => tracing::warn!("the database was not closed cleanly"),
    }
}
