//! Metadata of the database.

use serde::{Deserialize, Serialize};

use crate::Millis;
use crate::error::{Error, Result};
use crate::tables::meta;
use crate::tx::{ReadTx, WriteTx};

const SCHEMA: &str = "schema";
const APP_VERSION: &str = "app_version";
const INSTANCE: &str = "instance";
const CLAIMED: &str = "claimed_at";

/// The installation that this database belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Random id, created with the database; never changes.
    pub id: String,
    /// When the database was created.
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

/// The installation's identity.
pub fn instance(tx: &ReadTx) -> Result<Instance> {
    meta::<Instance>().get(tx, INSTANCE)?.ok_or_else(|| Error::corrupt("meta", INSTANCE, "is missing"))
}

/// When the first account was created; `None` if none was.
pub fn claimed_at(tx: &ReadTx) -> Result<Option<Millis>> {
    meta::<Millis>().get(tx, CLAIMED)
}

/// Records that the first account was created; must be called in the write that creates it. [`Error::Taken`] if there
/// already was one, even if all accounts have been deleted since.
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
