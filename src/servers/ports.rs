//! Which ports a server may use.

use std::collections::BTreeSet;

use protocol::NodeId;
use storage::ReadTx;
use storage::servers::{Port, Protocol, port_owner};

use crate::error::{ApiError, Code};

/// Ports that this process listens on, each with its purpose.
#[derive(Clone, Debug, Default)]
pub struct OwnPorts(pub Vec<(u16, &'static str)>);

/// Ports that must not be proposed, used by anything.
pub(super) type Excluded = BTreeSet<(u16, Protocol)>;

impl OwnPorts {
    /// The purpose of this port if this process listens on it. It listens on TCP only, and on the local node.
    fn what(&self, node_id: &NodeId, port: Port) -> Option<&'static str> {
        if node_id != crate::agents::local::NODE_ID || port.protocol != Protocol::Tcp {
            return None;
        }
        self.0.iter().find(|(number, _)| *number == port.external).map(|(_, what)| *what)
    }

    /// Refuses ports that this process listens on.
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

/// Raises all wanted ports by the same number until all of them are free, because games often rely on their distance.
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
