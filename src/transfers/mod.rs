//! Transfers of servers to another node.
//!
//! A server belongs to the node in its record, and is only started there. The record is changed once, in a single
//! transaction, when the copy is complete, written to disk and registered with the other agent. Before that, the
//! transfer can be cancelled and the original is untouched. After it, only starting the server and removing old data is
//! left. The transfer's record has everything needed to resume it after a crash of the panel.

mod cleanup;
mod copy;
mod failure;
mod routes;
mod run;
mod tracker;
mod views;

use std::num::NonZeroU32;
use std::sync::Arc;

use protocol::{HostCheck, NodeId, ServerId, SystemInfo, ToAgent, ToPanel, capability};
use storage::Store;
use storage::servers::Server;
use storage::transfers::{Move, Step};

pub use routes::routes;
pub use views::{MoveView, TransferStep};

use self::tracker::Tracker;
use crate::agents::{Agents, local, port_message};
use crate::auth::Admin;
use crate::error::{ApiError, Code};
use crate::streams::Streams;
use crate::system::clock;
use crate::system::shutdown::Tasks;

/// Time for a node to answer which ports are free.
const HOST_CHECK: std::time::Duration = std::time::Duration::from_secs(10);

/// All operations on transfers. Cheap to clone.
#[derive(Clone)]
pub struct Transfers {
    store: Store,
    agents: Agents,
    transfers: Streams,
    tasks: Tasks,
    /// TCP ports of this machine that the panel uses.
    own_ports: Arc<Vec<u16>>,
    /// Bandwidth limit of one transfer in MiB per second.
    limit: Option<NonZeroU32>,
    lives: Tracker,
}

impl Transfers {
    /// Creates the handle, and resumes transfers of an earlier run. `own_ports` are the ports of this process; `limit`
    /// is in MiB per second.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn new(
        store: Store,
        agents: Agents,
        transfers: Streams,
        tasks: Tasks,
        own_ports: Vec<u16>,
        limit: Option<NonZeroU32>,
    ) -> storage::Result<Self> {
        let left = store.read_now(storage::transfers::list)?;
        let lives = Tracker::default();
        let own_ports = Arc::new(own_ports);
        let moves = Self { store, agents, transfers, tasks, own_ports, limit, lives };
        for record in left {
            let over = record.step == Step::Done;
            let live = moves.lives.put(record);
            if !over {
                moves.drive(live, false);
            }
        }
        Ok(moves)
    }

    /// Starts a transfer. Fails at once for reasons that are known beforehand.
    pub async fn begin(
        &self,
        admin: &Admin,
        server_id: &ServerId,
        to: &NodeId,
    ) -> Result<MoveView, ApiError> {
        let server = self.server(server_id)?;
        if server.deleting.is_some() {
            return Err(ApiError::new(Code::Conflict, "The server is being deleted."));
        }
        self.allows(server_id)?;
        let backups = self.store.read_now(|tx| storage::backups::list(tx, server_id))?;
        if backups.iter().any(|backup| backup.stage.is_busy()) {
            let sentence = "A backup of the server is under way. Wait until it has ended, or cancel it.";
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        self.check(&server, to).await?;
        let earlier = self.store.read_now(|tx| storage::transfers::get(tx, server_id))?;
        let record = Move {
            server_id: server_id.to_owned(),
            from: server.node_id.clone(),
            to: to.to_owned(),
            step: Step::InProgress,
            ran: false,
            error: None,
            started_at: clock::now(),
            leftovers: earlier.map(|earlier| earlier.leftovers).unwrap_or_default(),
            restart: false,
        };
        let new = record.clone();
        let begun = self.store.write(move |tx| storage::transfers::begin(tx, &new)).await;
        begun.map_err(|error| match error {
            storage::Error::Taken { .. } => ApiError::new(Code::Conflict, "The server is moving already."),
            other => other.into(),
        })?;
        tracing::info!(server = %server_id, from = %record.from, %to, by = %admin, "a move begins");
        let live = self.lives.put(record);
        self.agents.changes().server(server_id);
        let view = live.view();
        self.drive(live, true);
        Ok(view)
    }

    /// The last transfer of a server.
    pub fn get(&self, server_id: &ServerId) -> Result<MoveView, ApiError> {
        self.lives.get(server_id).map(|live| live.view()).ok_or_else(|| ApiError::not_found("move"))
    }

    /// Cancels a transfer, or clears a finished one.
    pub async fn cancel(&self, admin: &Admin, server_id: &ServerId) -> Result<(), ApiError> {
        let live = self.lives.get(server_id).ok_or_else(|| ApiError::not_found("move"))?;
        match live.record().step {
            Step::InProgress => {
                tracing::info!(server = %server_id, by = %admin, "a move is called off");
                live.cancel();
                return Ok(());
            }
            Step::Switched => {
                let sentence = "It can't be called off any more: the server lives on its new node already.";
                return Err(ApiError::new(Code::Conflict, sentence));
            }
            Step::Failed | Step::Done => {}
        }
        let mut record = live.record();
        let id = server_id.to_owned();
        if record.leftovers.is_empty() && !record.restart {
            self.store.write(move |tx| storage::transfers::forget(tx, &id)).await?;
            self.lives.forget(&live);
        } else {
            record.error = None;
            let changed = record.clone();
            self.store.write(move |tx| storage::transfers::update(tx, &changed)).await?;
            live.set_record(record);
        }
        self.agents.changes().server(server_id);
        Ok(())
    }

    /// The transfer as shown to everyone who can see the server; `None` once there is nothing left to report.
    pub fn shown(&self, server_id: &ServerId) -> Option<MoveView> {
        let view = self.lives.get(server_id)?.view();
        (!matches!(view.step, TransferStep::Failed | TransferStep::Done) || view.error.is_some())
            .then_some(view)
    }

    /// A counter that changes with the answers of [`Self::shown`], except for the rate of a copy.
    pub fn revision(&self) -> u64 {
        self.lives.revision()
    }

    /// Refuses an action on a server that is being transferred.
    pub fn allows(&self, server_id: &ServerId) -> Result<(), ApiError> {
        let Some(live) = self.lives.get(server_id) else { return Ok(()) };
        let record = live.record();
        if record.step != Step::InProgress {
            return Ok(());
        }
        let sentence =
            format!("The server is moving to the node {}: {}.", record.to, live.view().step.text());
        Err(ApiError::new(Code::Conflict, sentence))
    }

    /// A server that is being transferred, if any.
    pub fn under_way(&self) -> Option<ServerId> {
        self.lives.under_way(|_| true)
    }

    /// A server that is being transferred from or to this node, if any.
    pub fn under_way_at(&self, node_id: &NodeId) -> Option<ServerId> {
        self.lives.under_way(|record| record.from == node_id || record.to == node_id)
    }

    /// Drops what is known of a deleted server.
    pub fn forget(&self, server_id: &ServerId) {
        if let Some(live) = self.lives.get(server_id) {
            live.cancel();
            self.lives.forget(&live);
        }
    }

    fn server(&self, id: &str) -> Result<Server, ApiError> {
        self.store.read_now(|tx| storage::servers::get(tx, id))?.ok_or_else(|| ApiError::not_found("server"))
    }

    async fn check(&self, server: &Server, to: &NodeId) -> Result<(), ApiError> {
        if server.node_id == to {
            return Err(ApiError::field("nodeId", "is the node where it lives already"));
        }
        let node = self.store.read_now(|tx| storage::nodes::get(tx, to))?;
        let node = node.ok_or_else(|| ApiError::field("nodeId", "is no node that is known here"))?;
        if node.draining {
            let sentence = format!("The node {to} is being drained: it takes no servers.");
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        if let Some(problem) = self.agents.node(to).no_host_path() {
            return Err(ApiError::new(Code::Conflict, format!("{} {}", problem.message, problem.hint)));
        }
        self.can_move(&server.node_id)?;
        let system = self.can_move(to)?;
        let fits = &server.behaviour.architectures;
        if !system.arch.is_empty() && !fits.is_empty() && !fits.contains(&system.arch) {
            let sentence = format!("The image does not run on the CPU of the node {to} ({}).", system.arch);
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        for port in &server.ports {
            let tcp = port.protocol == storage::servers::Protocol::Tcp;
            if to == local::NODE_ID && tcp && self.own_ports.contains(&port.external) {
                let sentence = format!("Port {}/tcp of the node {to} is the panel's own.", port.external);
                return Err(ApiError::new(Code::PortInUse, sentence));
            }
        }
        let ports = server.ports.iter().copied().map(port_message).collect();
        let asked = ToAgent::HostCheck(HostCheck { image: None, ports, registry: false });
        let ToPanel::HostReport(report) = self.agents.ask(to, asked, HOST_CHECK).await? else {
            return Ok(());
        };
        // A port used by the server itself becomes free when it stops; relevant for two agents on one machine.
        let seen = self.agents.server(&server.id);
        let runs = seen.status.is_some_and(|status| tracker::runs(&status.status));
        match report.ports_taken.first() {
            Some(port) if !runs || !self.same_machine(&server.node_id, to) => {
                let (number, protocol) = (port.external, port.protocol.as_str());
                let sentence =
                    format!("Port {number}/{protocol} of the node {to} is in use by another program there.");
                Err(ApiError::new(Code::PortInUse, sentence))
            }
            _ => Ok(()),
        }
    }

    fn same_machine(&self, one: &NodeId, other: &NodeId) -> bool {
        let host = |id: &NodeId| self.agents.node(id).system.and_then(|system| system.hostname);
        host(one).is_some() && host(one) == host(other)
    }

    /// The node's system info, if its agent is connected and supports transfers.
    fn can_move(&self, node_id: &NodeId) -> Result<SystemInfo, ApiError> {
        let seen = self.agents.node(node_id);
        let Some(system) = seen.system.clone().filter(|_| seen.online) else {
            return Err(ApiError::new(Code::NodeOffline, format!("The node {node_id} is offline.")));
        };
        if !system.capabilities.iter().any(|word| word == capability::TRANSFER) {
            let sentence = format!(
                "The agent of the node {node_id} can't move servers: it is a legacy agent, or older than this panel."
            );
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        if seen.engine_away() {
            let sentence = format!("The container engine of the node {node_id} does not answer.");
            return Err(ApiError::new(Code::EngineUnavailable, sentence));
        }
        Ok(system)
    }
}
