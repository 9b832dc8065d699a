//! The steps from each released schema to the next.
//!
//! All steps that a file is behind by commit in one transaction with the new number, after the file was copied aside.

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
pub(crate) const MIGRATIONS: &[Migration] = &[];
