//! Chooses a node for a server if the user did not.

use protocol::{HostReport, NodeId, capability};
use storage::nodes::Node;
use storage::servers::{Placed, port_owner};

use super::draft::{Draft, Ports};
use super::{Servers, template_runs};
use crate::agents::{NodeSnapshot, local};
use crate::error::{ApiError, Code};

/// Value in place of a node id that requests automatic placement.
pub const AUTO: &str = "auto";
/// Memory in bytes that a server without a limit is assumed to use, for existing servers and the new one.
const UNLIMITED: i64 = 1 << 30;
/// Free disk space in bytes that a new server needs at least.
const LEAST_DISK: i64 = 512 << 20;
/// How many candidates are asked for a host report before giving up.
const LOOKS: usize = 8;
/// How many reasons are reported if no node is suitable.
const REASONS: usize = 5;

/// A node that may be suitable.
struct Candidate {
    id: NodeId,
    name: String,
    /// Unallocated memory in bytes.
    room: i64,
    servers: usize,
}

impl Servers {
    /// The node with the most unallocated memory among those where the server fits.
    pub(super) async fn place(&self, draft: &Draft) -> Result<NodeId, ApiError> {
        let listed = self.store.read(|tx| {
            let nodes = storage::nodes::list(tx)?;
            let placed: Result<Vec<_>, _> =
                nodes.iter().map(|node| storage::servers::placed_on(tx, &node.id)).collect();
            Ok::<_, storage::Error>(nodes.into_iter().zip(placed?).collect::<Vec<_>>())
        });
        let mut any_online = false;
        let mut reasons = Vec::new();
        let mut candidates = Vec::new();
        for (node, placed) in listed.await? {
            let seen = self.agents.node(&node.id);
            any_online |= seen.online;
            match self.may_do(draft, &node, placed, &seen) {
                Ok(room) => {
                    candidates.push(Candidate {
                        id: node.id,
                        name: node.name,
                        room,
                        servers: placed.servers,
                    });
                }
                Err(reason) => reasons.push(format!("{} {reason}", node.name)),
            }
        }
        candidates.sort_by(|a, b| {
            let order = |one: &Candidate| (-one.room, one.servers, one.id != local::NODE_ID);
            order(a).cmp(&order(b)).then_with(|| a.id.cmp(&b.id))
        });
        for candidate in candidates.into_iter().take(LOOKS) {
            let ports = match &draft.ports {
                Ports::Given(ports) => ports.as_slice(),
                Ports::NextFree(_) => &[],
            };
            match self.host_report(&candidate.id, None, ports).await {
                Some(report) => match fits(draft, &report) {
                    Ok(()) => return Ok(candidate.id),
                    Err(reason) => reasons.push(format!("{} {reason}", candidate.name)),
                },
                None => reasons.push(format!("{} does not answer", candidate.name)),
            }
        }
        if !any_online {
            return Err(ApiError::new(Code::NodeOffline, "No node is online."));
        }
        let more = reasons.len().saturating_sub(REASONS);
        reasons.truncate(REASONS);
        let mut list = reasons.join("; ");
        if more > 0 {
            list.push_str(&format!("; and {more} more"));
        }
        Err(ApiError::new(Code::Conflict, format!("No node has room for it: {list}.")))
    }

    /// The unallocated memory of a node, or why the node is not suitable.
    fn may_do(&self, draft: &Draft, node: &Node, placed: Placed, seen: &NodeSnapshot) -> Result<i64, String> {
        if !seen.online {
            return Err("is offline".into());
        }
        if node.draining {
            return Err("is being drained".into());
        }
        let Some(system) = &seen.system else { return Err("has not told about itself yet".into()) };
        if !system.capabilities.iter().any(|word| word == capability::HOST_CHECK) {
            return Err("can't say what room it has".into());
        }
        if seen.engine_away() {
            return Err("has no container engine that answers".into());
        }
        if seen.no_host_path().is_some() {
            return Err("runs in a container without a place for its data on the host".into());
        }
        if draft.template.as_ref().is_some_and(|template| !template_runs(&self.agents, template, &node.id)) {
            return Err(format!("has another CPU ({})", system.arch));
        }
        if let Ports::Given(ports) = &draft.ports {
            if let Err(error) = self.own_ports.check(&node.id, ports) {
                return Err(format!("has the port in use ({})", error.message()));
            }
            for port in ports {
                let owner = self.store.read_now(|tx| port_owner(tx, &node.id, port.protocol, port.external));
                if !matches!(owner, Ok(None)) {
                    return Err(format!("has port {}/{} in use", port.external, port.protocol));
                }
            }
        }
        let total = i64::try_from(system.memory).unwrap_or(i64::MAX);
        let unlimited = i64::try_from(placed.unlimited).unwrap_or(i64::MAX).saturating_mul(UNLIMITED);
        let room = total.saturating_sub(placed.memory).saturating_sub(unlimited);
        if room < need(draft) {
            return Err(format!(
                "has too little memory: {} MiB are not promised to others",
                room.max(0) >> 20
            ));
        }
        Ok(room)
    }
}

/// Checks the draft against the node's host report.
fn fits(draft: &Draft, report: &HostReport) -> Result<(), String> {
    let free =
        |space: protocol::Space| i64::try_from(space.total.saturating_sub(space.used)).unwrap_or(i64::MAX);
    let (memory, disk) = (free(report.memory), free(report.disk));
    if memory < need(draft) {
        return Err(format!("has too little memory: {} MiB are free", memory >> 20));
    }
    if disk < draft.limits.disk.max(LEAST_DISK) {
        return Err(format!("has too little room on its disk: {} MiB are free", disk >> 20));
    }
    match report.ports_taken.first() {
        Some(port) => Err(format!("has port {}/{} in use", port.external, port.protocol.as_str())),
        None => Ok(()),
    }
}

fn need(draft: &Draft) -> i64 {
    let least = draft.template.as_ref().map_or(0, |template| template.memory.minimum);
    if draft.limits.memory > 0 { draft.limits.memory } else { least }
}

#[cfg(test)]
mod tests {
    use protocol::Space;

    use super::*;
    use crate::servers::body::CreateRequest;
    use crate::servers::validate::ValidationErrors;

    fn draft(memory: i64, disk: i64) -> Draft {
        let mut draft = Draft::new(&CreateRequest::default(), None, &mut ValidationErrors::default());
        draft.limits.memory = memory;
        draft.limits.disk = disk;
        draft
    }

    #[test]
    fn a_machine_has_room_or_says_what_it_lacks() {
        let report = |memory: u64, disk: u64| HostReport {
            memory: Space { used: 0, total: memory << 20 },
            disk: Space { used: 0, total: disk << 20 },
            ..HostReport::default()
        };
        assert_eq!(fits(&draft(1 << 30, 0), &report(1024, 512)), Ok(()));
        assert!(fits(&draft(1 << 30, 0), &report(1023, 512)).unwrap_err().contains("1023 MiB"));
        assert!(fits(&draft(0, 0), &report(1, 511)).unwrap_err().contains("disk"));
        assert!(fits(&draft(0, 1 << 30), &report(1, 1023)).unwrap_err().contains("disk"));
    }
}
