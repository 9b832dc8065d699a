//! The number of the schema, and the first contents of a new database.

use crate::error::Result;
use crate::meta::{self, Instance};
use crate::tables;
use crate::tx::WriteTx;

/// The schema that this program reads and writes. Each step up to it stands in [`crate::migrations`].
pub(crate) const SCHEMA: u32 = 1;

/// Fills a new, empty database.
pub(crate) fn create(tx: &WriteTx, instance: &Instance) -> Result<()> {
    tables::create_all(tx)?;
    meta::set_schema(tx, SCHEMA)?;
    meta::set_instance(tx, instance)
}
