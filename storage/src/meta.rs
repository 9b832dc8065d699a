//! What the database says about itself.

use serde::{Deserialize, Serialize};

use crate::Millis;
use crate::error::{Error, Result};
use crate::tables::meta;
use crate::tx::{ReadTx, WriteTx};

const SCHEMA: &str = "schema";
const APP_VERSION: &str = "app_version";
const INSTANCE: &str = "instance";
const CLAIMED: &str = "claimed_at";

/// Which installation this database belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Made with the database, never changes.
    pub id: String,
    /// When the database was made.
    pub created_at: Millis,
}

/// The number of the schema that the tables and records follow.
pub fn schema(tx: &ReadTx) -> Result<u32> {
    meta::<u32>().get(tx, SCHEMA)?.ok_or_else(|| Error::corrupt("meta", SCHEMA, "is missing"))
}

/// The version of the program that last changed the schema.
pub fn app_version(tx: &ReadTx) -> Result<Option<String>> {
    meta::<String>().get(tx, APP_VERSION)
}

/// Which installation this is.
pub fn instance(tx: &ReadTx) -> Result<Instance> {
    meta::<Instance>().get(tx, INSTANCE)?.ok_or_else(|| Error::corrupt("meta", INSTANCE, "is missing"))
}

/// When the first account was made, if it was.
pub fn claimed_at(tx: &ReadTx) -> Result<Option<Millis>> {
    meta::<Millis>().get(tx, CLAIMED)
}

/// Notes that the first account was made: to be called in the write that makes it. [`Error::Taken`] for whoever comes
/// second, also when all accounts should be gone again.
pub fn claim(tx: &WriteTx, now: Millis) -> Result<()> {
    if claimed_at(tx)?.is_some() {
        return Err(Error::Taken { what: "the first account" });
    }
    meta::<Millis>().put(tx, CLAIMED, &now)
}

pub(crate) fn set_schema(tx: &WriteTx, number: u32) -> Result<()> {
    meta::<u32>().put(tx, SCHEMA, &number)?;
    meta::<String>().put(tx, APP_VERSION, &env!("CARGO_PKG_VERSION").to_owned())
}

pub(crate) fn set_instance(tx: &WriteTx, instance: &Instance) -> Result<()> {
    meta::<Instance>().put(tx, INSTANCE, instance)
}
