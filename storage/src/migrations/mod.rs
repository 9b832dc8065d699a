//! The steps from each released schema to the next.
//!
//! All steps that a file is behind are committed in one transaction together with the new number, after a copy of the
//! file was made.
//!
//! To change the schema: change tables and records, write the step in a file of its own here (with copies of the old
//! records, so that later changes cannot break it), append it to [`MIGRATIONS`], raise the number in
//! [`crate::schema::CURRENT`] and `PRESENT` in `tests/schema_files.rs`, and create the new schema's file as described
//! there. A field with `#[serde(default)]` is no schema change, unless an older program must not write the record.

mod to_2;

use crate::error::Result;
use crate::tx::WriteTx;

/// One migration step.
pub(crate) struct Migration {
    /// The schema that the step leads to.
    pub(crate) to: u32,
    /// Description for the log.
    pub(crate) what: &'static str,
    /// Performs the step.
    pub(crate) run: fn(&WriteTx) -> Result<()>,
}

/// All steps, oldest first; the last one leads to [`crate::schema::CURRENT`].
pub(crate) const MIGRATIONS: &[Migration] =
    &[Migration { to: 2, what: "servers can move to another node", run: to_2::run }];
