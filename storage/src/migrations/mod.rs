//! The steps from each released schema to the next.
//!
//! All steps that a file is behind by commit in one transaction with the new number, after the file was copied aside.
//!
//! To change the schema: change tables and records, write the step in a file of its own here (with the old records as
//! they were, so that later changes cannot break it), put it at the end of [`MIGRATIONS`], raise the number in
//! [`crate::schema::CURRENT`] and `PRESENT` in `tests/schema_files.rs`, and make the new schema's file as told there. A
//! field with `#[serde(default)]` is no change of the schema unless an older program must not write the record.

mod to_2;

use crate::error::Result;
use crate::tx::WriteTx;

/// One step.
pub(crate) struct Migration {
    /// The schema that the step leads to.
    pub(crate) to: u32,
    /// What it does, for the log.
    pub(crate) what: &'static str,
    /// Does it.
    pub(crate) run: fn(&WriteTx) -> Result<()>,
}

/// All steps, oldest first; the last one leads to [`crate::schema::CURRENT`].
pub(crate) const MIGRATIONS: &[Migration] =
    &[Migration { to: 2, what: "servers can move to another node", run: to_2::run }];
