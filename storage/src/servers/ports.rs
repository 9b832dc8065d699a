//! The ports of each node and their servers; ports stay reserved for stopped servers.

use crate::error::{Error, Result};
use crate::servers::{Protocol, Server};
use crate::tables::{PORTS, SERVERS};
use crate::tx::{ReadTx, WriteTx};
use ids::ServerId;

/// The server that has this port of this node.
pub fn port_owner(tx: &ReadTx, node_id: &str, protocol: Protocol, port: u16) -> Result<Option<ServerId>> {
    PORTS.get(tx, (node_id, number(protocol), port))
}

/// The lowest port from `from` on that is free on the node, if any.
pub fn next_free_port(tx: &ReadTx, node_id: &str, from: u16, protocol: Protocol) -> Result<Option<u16>> {
    let mut port = from.max(1);
    loop {
        if !PORTS.contains(tx, (node_id, number(protocol), port))? {
            return Ok(Some(port));
        }
        match port.checked_add(1) {
            Some(next) => port = next,
            None => return Ok(None),
        }
    }
}

/// The ids of the servers that use ports of a node, one entry per port.
pub fn ports_by_node(tx: &ReadTx, node_id: &str, protocol: Protocol) -> Result<Vec<ServerId>> {
    let number = number(protocol);
    PORTS.scan(tx, (node_id, number, 0), |key| key.0 == node_id && key.1 == number)
}

/// Reserves the ports of a server.
pub(crate) fn take(tx: &WriteTx, server: &Server) -> Result<()> {
    for port in &server.ports {
        let key = (server.node_id.as_str(), number(port.protocol), port.external);
        if let Some(owner) = PORTS.get(tx, key)? {
            let name =
                SERVERS.get(tx, owner.as_str())?.map_or_else(|| server.name.clone(), |other| other.name);
            return Err(Error::PortTaken {
                node: server.node_id.clone(),
                port: port.external,
                protocol: port.protocol,
                server: owner,
                name,
            });
        }
        PORTS.put(tx, key, &server.id)?;
    }
    Ok(())
}

/// Frees the ports of a server.
pub(super) fn give_back(tx: &WriteTx, server: &Server) -> Result<()> {
    for port in &server.ports {
        PORTS.remove(tx, (server.node_id.as_str(), number(port.protocol), port.external))?;
    }
    Ok(())
}

fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 0,
        Protocol::Udp => 1,
    }
}
