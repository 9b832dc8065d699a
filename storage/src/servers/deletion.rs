//! Deletes a server with everything that belongs to it.

use super::ports;
use super::queries::NOT_FOUND;
use super::record::{Deletion, Server};
use crate::error::{Error, Result};
use crate::tables::{SERVERS, SERVERS_BY_NODE};
use crate::tx::WriteTx;
use crate::{backups, grants, schedules, shares, transfers};

/// Records that a server is being deleted, before any of its data is. If it already is, the time is kept, and the
/// deletion may become a forced one. [`Error::Taken`] during a transfer.
pub fn begin_deletion(tx: &WriteTx, id: &str, deletion: Deletion) -> Result<Server> {
    let mut server = SERVERS.get(tx, id)?.ok_or(NOT_FOUND)?;
    if transfers::get(tx, id)?.is_some_and(|it| it.step == transfers::Step::InProgress) {
        return Err(Error::Taken { what: "the move of the server" });
    }
    server.deleting = Some(match server.deleting {
        // Backups are deleted only if all requests said so.
        Some(begun) => Deletion {
            force: begun.force || deletion.force,
            keep_backups: begun.keep_backups || deletion.keep_backups,
            ..begun
        },
        None => deletion,
    });
    SERVERS.put(tx, id, &server)?;
    Ok(server)
}

/// Cancels the deletion of a server.
pub fn undo_deletion(tx: &WriteTx, id: &str) -> Result<()> {
    let mut server = SERVERS.get(tx, id)?.ok_or(NOT_FOUND)?;
    server.deleting = None;
    SERVERS.put(tx, id, &server)
}

/// Deletes a server with its grants and frees its ports; its backups stay where its deletion says so. Without a deletion,
/// as when its node is removed, those at backup targets stay. [`Error::Taken`] during a transfer.
pub fn delete(tx: &WriteTx, id: &str) -> Result<()> {
    let server = SERVERS.get(tx, id)?.ok_or(NOT_FOUND)?;
    transfers::forget(tx, id)?;
    ports::give_back(tx, &server)?;
    grants::delete_by_server(tx, id)?;
    shares::delete(tx, id)?;
    backups::forget_server(tx, &server)?;
    schedules::forget_server(tx, id)?;
    SERVERS_BY_NODE.remove(tx, (server.node_id.as_str(), id))?;
    SERVERS.remove(tx, id)?;
    Ok(())
}
