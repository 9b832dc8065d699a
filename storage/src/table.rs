//! A table whose values are records, stored as MessagePack maps.
//!
//! Maps, because a record written before a field was added must stay readable. Records do not implement `redb::Value`,
//! which could only panic on bytes it cannot decode.

use std::borrow::Borrow;
use std::marker::PhantomData;

use redb::{Key, ReadableTable, ReadableTableMetadata, TableDefinition, TableError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::tx::{ReadTx, Source, Undo, WriteTx};

/// A named table from keys `K` to records `V`.
pub(crate) struct Table<K: Key + 'static, V> {
    name: &'static str,
    key: PhantomData<K>,
    value: PhantomData<fn() -> V>,
}

/// Runs the same expression on the table of either kind of transaction.
macro_rules! with_table {
    ($self:ident, $tx:ident, $table:ident => $body:expr) => {
        match &$tx.source {
            Source::Read(transaction) => {
                let $table = transaction.open_table($self.definition()).map_err(|e| $self.cannot_open(e))?;
                $body
            }
            Source::Write(transaction) => {
                let $table = transaction.open_table($self.definition()).map_err(|e| $self.cannot_open(e))?;
                $body
            }
        }
    };
}

impl<K: Key + 'static, V: 'static> Table<K, V> {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, key: PhantomData, value: PhantomData }
    }

    const fn definition(&self) -> TableDefinition<'static, K, &'static [u8]> {
        TableDefinition::new(self.name)
    }

    fn cannot_open(&self, error: TableError) -> Error {
        match error {
            TableError::Storage(error) => self.cannot_read(error),
            other => Error::corrupt(self.name, "", other),
        }
    }

    fn cannot_read(&self, error: redb::StorageError) -> Error {
        match error {
            redb::StorageError::Corrupted(reason) => Error::corrupt(self.name, "", reason),
            other => Error::redb("reading the database", other),
        }
    }

    /// Creates the table if it does not exist.
    pub(crate) fn create(&self, tx: &WriteTx) -> Result<()> {
        tx.change(|transaction| {
            transaction.open_table(self.definition()).map_err(|e| self.cannot_open(e))?;
            Ok(((), None))
        })
    }

    /// Number of records.
    pub(crate) fn len(&self, tx: &ReadTx) -> Result<u64> {
        with_table!(self, tx, table => table.len().map_err(|e| self.cannot_read(e)))
    }

    /// Whether a record exists, without decoding it.
    pub(crate) fn contains<'k>(&self, tx: &ReadTx, key: impl Borrow<K::SelfType<'k>>) -> Result<bool> {
        with_table!(self, tx, table => {
            let found = table.get(key).map_err(|e| self.cannot_read(e))?;
            Ok(found.is_some())
        })
    }

    /// Deletes a record; returns whether it existed.
    pub(crate) fn remove<'k>(&self, tx: &WriteTx, key: impl Borrow<K::SelfType<'k>>) -> Result<bool> {
        tx.change(|transaction| {
            let mut table = transaction.open_table(self.definition()).map_err(|e| self.cannot_open(e))?;
            let old = table.remove(key.borrow()).map_err(|e| self.cannot_read(e))?;
            let Some(old) = old.map(|guard| guard.value().to_vec()) else { return Ok((false, None)) };
            Ok((true, Some(self.put_back(key.borrow(), Some(old)))))
        })
    }

    /// The undo step that restores the record under `key`.
    fn put_back(&self, key: &K::SelfType<'_>, old: Option<Vec<u8>>) -> Undo {
        let table = Self::new(self.name);
        let key = K::as_bytes(key).as_ref().to_vec();
        Box::new(move |transaction| {
            let mut open = transaction.open_table(table.definition()).map_err(|e| table.cannot_open(e))?;
            let key = K::from_bytes(&key);
            match &old {
                Some(bytes) => open.insert(&key, bytes.as_slice()).map(drop),
                None => open.remove(&key).map(drop),
            }
            .map_err(|e| table.cannot_read(e))
        })
    }
}

impl<K: Key + 'static, V: Serialize + DeserializeOwned + 'static> Table<K, V> {
    /// The record under `key`.
    pub(crate) fn get<'k>(&self, tx: &ReadTx, key: impl Borrow<K::SelfType<'k>>) -> Result<Option<V>> {
        with_table!(self, tx, table => {
            let found = table.get(key.borrow()).map_err(|e| self.cannot_read(e))?;
            found.map(|bytes| self.decode(key.borrow(), bytes.value())).transpose()
        })
    }

    /// All records, ordered by key.
    pub(crate) fn all(&self, tx: &ReadTx) -> Result<Vec<V>> {
        with_table!(self, tx, table => {
            let mut records = Vec::new();
            for entry in table.iter().map_err(|e| self.cannot_read(e))? {
                let (key, value) = entry.map_err(|e| self.cannot_read(e))?;
                records.push(self.decode(&key.value(), value.value())?);
            }
            Ok(records)
        })
    }

    /// The records from the key `start` on, as long as `keep` accepts their keys.
    pub(crate) fn scan<'k>(
        &self,
        tx: &ReadTx,
        start: K::SelfType<'k>,
        keep: impl Fn(&K::SelfType<'_>) -> bool,
    ) -> Result<Vec<V>> {
        with_table!(self, tx, table => {
            let mut records = Vec::new();
            for entry in table.range::<K::SelfType<'k>>(start..).map_err(|e| self.cannot_read(e))? {
                let (key, value) = entry.map_err(|e| self.cannot_read(e))?;
                if !keep(&key.value()) {
                    break;
                }
                records.push(self.decode(&key.value(), value.value())?);
            }
            Ok(records)
        })
    }

    /// Inserts or replaces the record under `key`.
    pub(crate) fn put<'k>(&self, tx: &WriteTx, key: impl Borrow<K::SelfType<'k>>, value: &V) -> Result<()> {
        let bytes = rmp_serde::to_vec_named(value)
            .map_err(|e| Error::corrupt(self.name, key.borrow(), format_args!("cannot be written: {e}")))?;
        tx.change(|transaction| {
            let mut table = transaction.open_table(self.definition()).map_err(|e| self.cannot_open(e))?;
            let old = table.insert(key.borrow(), bytes.as_slice()).map_err(|e| self.cannot_read(e))?;
            let old = old.map(|guard| guard.value().to_vec());
            Ok(((), Some(self.put_back(key.borrow(), old))))
        })
    }

    fn decode(&self, key: &K::SelfType<'_>, bytes: &[u8]) -> Result<V> {
        rmp_serde::from_slice(bytes).map_err(|e| Error::corrupt(self.name, key, e))
    }
}
