//! Settings that are changed in the panel, by name.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::tables::settings;
use crate::tx::{ReadTx, WriteTx};

/// The setting with this name. One that is there and is not a `T` is [`crate::Error::Corrupt`].
pub fn get<T: Serialize + DeserializeOwned + 'static>(tx: &ReadTx, name: &str) -> Result<Option<T>> {
    settings::<T>().get(tx, name)
}

/// Writes a setting, in place of the one that may be there.
pub fn put<T: Serialize + DeserializeOwned + 'static>(tx: &WriteTx, name: &str, value: &T) -> Result<()> {
    settings::<T>().put(tx, name, value)
}

/// Deletes a setting and tells whether it was there.
pub fn delete(tx: &WriteTx, name: &str) -> Result<bool> {
    settings::<()>().remove(tx, name)
}
