//! Transactions as used by the feature modules.

use std::cell::{Cell, RefCell};
use std::ops::Deref;

use redb::{Database, ReadTransaction, WriteTransaction};

use crate::error::{Error, Result};

/// A consistent snapshot of the database. Also the reading half of a [`WriteTx`], which sees its own writes.
pub struct ReadTx {
    pub(crate) source: Source,
}

/// Where a [`ReadTx`] reads from.
pub(crate) enum Source {
    Read(ReadTransaction),
    Write(Box<WriteTransaction>),
}

/// The transaction of a write closure: all of its changes are kept, or none.
pub struct WriteTx {
    read: ReadTx,
    /// Undo steps for the changes of the current closure, oldest first.
    undo: RefCell<Vec<Undo>>,
    /// Set after a database error: nothing of this transaction can be committed any more.
    broken: RefCell<Option<Error>>,
    changed: Cell<bool>,
}

/// Restores one record.
pub(crate) type Undo = Box<dyn FnOnce(&WriteTransaction) -> Result<()>>;

impl ReadTx {
    pub(crate) fn new(transaction: ReadTransaction) -> Self {
        Self { source: Source::Read(transaction) }
    }
}

impl Deref for WriteTx {
    type Target = ReadTx;

    fn deref(&self) -> &ReadTx {
        &self.read
    }
}

impl WriteTx {
    pub(crate) fn new(transaction: WriteTransaction) -> Self {
        Self {
            read: ReadTx { source: Source::Write(Box::new(transaction)) },
            undo: RefCell::default(),
            broken: RefCell::default(),
            changed: Cell::new(false),
        }
    }

    /// Changes one record and remembers how to undo that.
    pub(crate) fn change<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<(T, Option<Undo>)>,
    ) -> Result<T> {
        let Source::Write(transaction) = &self.read.source else { return Err(Error::Closed) };
        if let Some(error) = self.broken() {
            return Err(error);
        }
        self.changed.set(true);
        match work(transaction) {
            Ok((value, undo)) => {
                self.undo.borrow_mut().extend(undo);
                Ok(value)
            }
            Err(error) => {
                if error.breaks_handle() {
                    self.broken.replace(Some(error.clone()));
                }
                Err(error)
            }
        }
    }

    /// Keeps the changes made so far, whatever the next closure does.
    pub(crate) fn keep(&self) {
        self.undo.borrow_mut().clear();
    }

    /// Undoes the changes since the last [`Self::keep`], newest first.
    pub(crate) fn rollback(&self) {
        let undo = std::mem::take(&mut *self.undo.borrow_mut());
        let Source::Write(transaction) = &self.read.source else { return };
        for step in undo.into_iter().rev() {
            if let Err(error) = step(transaction) {
                self.broken.replace(Some(error));
                return;
            }
        }
    }

    /// Why this transaction cannot be committed, if so.
    pub(crate) fn broken(&self) -> Option<Error> {
        self.broken.borrow().clone()
    }

    /// Whether anything was written, even if it was undone.
    pub(crate) fn changed(&self) -> bool {
        self.changed.get()
    }

    /// The underlying transaction, to be committed or aborted.
    pub(crate) fn into_inner(self) -> Option<WriteTransaction> {
        match self.read.source {
            Source::Write(transaction) => Some(*transaction),
            Source::Read(_) => None,
        }
    }
}

/// Begins a write that is safe against power cuts and quick to recover from one.
pub(crate) fn begin(database: &Database) -> Result<WriteTx> {
    let mut transaction = database.begin_write().map_err(|e| Error::redb("beginning a write", e))?;
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
    Ok(WriteTx::new(transaction))
}

/// Commits if anything was changed.
pub(crate) fn finish(tx: WriteTx) -> Result<()> {
    let changed = tx.changed();
    let Some(transaction) = tx.into_inner() else { return Err(Error::Closed) };
    if changed {
        transaction.commit().map_err(|e| Error::redb("committing a write", e))
    } else {
        transaction.abort().map_err(|e| Error::redb("ending a write without changes", e))
    }
}
