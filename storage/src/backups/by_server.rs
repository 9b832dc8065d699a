//! The backups of one server, which are one value.

use super::record::Backup;
use crate::error::Result;
use crate::settings;
use crate::tx::{ReadTx, WriteTx};

/// Backups of one server.
pub const MOST: usize = 1_000;

/// The name of the setting.
pub(super) fn name(server_id: &str) -> String {
    format!("backups:{server_id}")
}

/// All backups of a server, oldest first.
pub fn list(tx: &ReadTx, server_id: &str) -> Result<Vec<Backup>> {
    Ok(settings::get(tx, &name(server_id))?.unwrap_or_default())
}

/// Writes them.
#[allow(clippy::ptr_arg, reason = "a setting is read as the type that it was written as")]
pub(super) fn put(tx: &WriteTx, server_id: &str, all: &Vec<Backup>) -> Result<()> {
    settings::put(tx, &name(server_id), all)
}
