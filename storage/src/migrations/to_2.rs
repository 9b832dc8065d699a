//! Adds the table of transfers.

use crate::error::Result;
use crate::table::Table;
use crate::tx::WriteTx;

pub(super) fn run(tx: &WriteTx) -> Result<()> {
    Table::<&'static str, ()>::new("moves").create(tx)
}
