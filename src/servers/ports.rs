//! Which ports a server may have.

use std::collections::BTreeSet;

use protocol::NodeId;
use storage::ReadTx;
use storage::servers::{Port, Protocol, port_owner};

use crate::error::{ApiError, Code};

/// The ports that this process listens on itself, each with what it is for.
#[derive(Clone, Debug, Default)]
pub struct OwnPorts(pub Vec<(u16, &'static str)>);

/// Ports that are not to be proposed, whoever has them.
pub(super) type Excluded = BTreeSet<(u16, Protocol)>;

impl OwnPorts {
    /// What this port of a node is for, where it is ours. We listen by TCP only, and on our own machine.
    fn what(&self, node_id: &NodeId, port: Port) -> Option<&'static str> {
        if node_id != crate::agents::local::NODE_ID || port.protocol != Protocol::Tcp {
            return None;
        }
        self.0.iter().find(|(number, _)| *number == port.external).map(|(_, what)| *what)
    }

    /// Refuses ports that are ours.
    pub(super) fn check(&self, node_id: &NodeId, ports: &[Port]) -> Result<(), ApiError> {
        for port in ports {
            if let Some(what) = self.what(node_id, *port) {
                let sentence = format!("Port {}/tcp is the panel's own ({what}).", port.external);
                return Err(ApiError::new(Code::PortInUse, sentence));
            }
        }
        Ok(())
    }
}

/// The wanted ports moved up together, to where all of them are free: games often count on their distance.
pub(super) fn next_free(
    tx: &ReadTx,
    node_id: &NodeId,
    wanted: &[Port],
    own: &OwnPorts,
    excluded: &Excluded,
) -> Result<Vec<Port>, ApiError> {
    let highest = wanted.iter().map(|port| port.external).max().unwrap_or(0);
    for offset in 0..=u16::MAX - highest {
        let moved: Vec<_> =
            wanted.iter().map(|port| Port { external: port.external + offset, ..*port }).collect();
        let mut free = true;
        for port in &moved {
            if excluded.contains(&(port.external, port.protocol))
                || own.what(node_id, *port).is_some()
                || port_owner(tx, node_id, port.protocol, port.external)?.is_some()
            {
                free = false;
                break;
            }
        }
        if free {
            return Ok(moved);
        }
    }
    Err(ApiError::new(Code::PortInUse, "No free ports are left above the usual ones: choose some yourself."))
}
