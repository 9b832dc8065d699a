//! Reads and writes servers.

use super::ports;
use super::record::Server;
use crate::error::{Error, Result};
use crate::tables::{NODES, SERVERS, SERVERS_BY_NODE};
use crate::tx::{ReadTx, WriteTx};
use ids::ServerId;

pub(super) const NOT_FOUND: Error = Error::NotFound { what: "server" };

/// Adds a server and reserves its ports. [`Error::PortTaken`] names the server that has one of them.
pub fn insert(tx: &WriteTx, server: &Server) -> Result<()> {
    if !NODES.contains(tx, server.node_id.as_str())? {
        return Err(Error::NotFound { what: "node" });
    }
    if SERVERS.contains(tx, server.id.as_str())? {
        return Err(Error::Taken { what: "the server id" });
    }
    ports::take(tx, server)?;
    SERVERS_BY_NODE.put(tx, (server.node_id.as_str(), server.id.as_str()), &server.id)?;
    SERVERS.put(tx, server.id.as_str(), server)
}

/// The server with this id.
pub fn get(tx: &ReadTx, id: &str) -> Result<Option<Server>> {
    SERVERS.get(tx, id)
}

/// The servers with these ids; missing ones are skipped.
pub fn get_many<'a>(tx: &ReadTx, ids: impl IntoIterator<Item = &'a str>) -> Result<Vec<Server>> {
    let mut servers = Vec::new();
    for id in ids {
        servers.extend(SERVERS.get(tx, id)?);
    }
    Ok(servers)
}

/// All servers, ordered by id.
pub fn list(tx: &ReadTx) -> Result<Vec<Server>> {
    SERVERS.all(tx)
}

/// The servers of a node.
pub fn list_by_node(tx: &ReadTx, node_id: &str) -> Result<Vec<Server>> {
    let ids = SERVERS_BY_NODE.scan(tx, (node_id, ""), |key| key.0 == node_id)?;
    get_many(tx, ids.iter().map(ServerId::as_str))
}

/// Number of servers on a node.
pub fn count_by_node(tx: &ReadTx, node_id: &str) -> Result<usize> {
    Ok(SERVERS_BY_NODE.scan(tx, (node_id, ""), |key| key.0 == node_id)?.len())
}

/// Totals of the servers placed on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// Number of servers.
    pub servers: usize,
    /// Sum of their memory limits in bytes; servers without a limit are not counted.
    pub memory: i64,
    /// Number of servers without a memory limit.
    pub unlimited: usize,
}

/// Totals of the servers placed on a node.
pub fn placed_on(tx: &ReadTx, node_id: &str) -> Result<Placed> {
    let mut placed = Placed::default();
    for server in list_by_node(tx, node_id)? {
        placed.servers += 1;
        placed.memory = placed.memory.saturating_add(server.limits.memory.max(0));
        placed.unlimited += usize::from(server.limits.memory <= 0);
    }
    Ok(placed)
}

/// Updates a server; frees the ports it no longer has and reserves new ones.
pub fn update(tx: &WriteTx, server: &Server) -> Result<()> {
    let old = SERVERS.get(tx, server.id.as_str())?.ok_or(NOT_FOUND)?;
    ports::give_back(tx, &old)?;
    ports::take(tx, server)?;
    if old.node_id != server.node_id {
        if !NODES.contains(tx, server.node_id.as_str())? {
            return Err(Error::NotFound { what: "node" });
        }
        SERVERS_BY_NODE.remove(tx, (old.node_id.as_str(), old.id.as_str()))?;
        SERVERS_BY_NODE.put(tx, (server.node_id.as_str(), server.id.as_str()), &server.id)?;
    }
    SERVERS.put(tx, server.id.as_str(), server)
}

/// Records that the agents of these servers have them. Skips ids that no longer exist; returns how many changed.
pub fn set_handed_over_many(tx: &WriteTx, ids: &[ServerId]) -> Result<usize> {
    let mut news = 0;
    for id in ids {
        if let Some(mut server) = SERVERS.get(tx, id.as_str())?
            && !server.handed_over
        {
            server.handed_over = true;
            SERVERS.put(tx, id.as_str(), &server)?;
            news += 1;
        }
    }
    Ok(news)
}
