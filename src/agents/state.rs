//! Last known state of every node and server, as plain data. The intended state is in the store.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use protocol::{NodeId, NodeStats, Problem, ProblemCode, ServerId, ServerStatus, Stats, Status, SystemInfo};
use storage::Millis;
use tokio_util::sync::CancellationToken;

use super::differences::{Difference, Kind};
use super::lan_block;
use super::link_stats::{LinkSnapshot, LinkStats};
use super::log_limit::LogLimit;
use super::session::Session;

/// The node of the agent in this process.
pub const LOCAL_NODE_ID: NodeId = NodeId::fixed("local");

/// Stats older than this are no longer shown.
const STATS_LAST: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(super) struct State {
    pub(super) nodes: HashMap<NodeId, NodeState>,
    pub(super) servers: HashMap<ServerId, ServerState>,
}

#[derive(Default)]
pub(super) struct NodeState {
    /// Display name.
    pub(super) name: String,
    pub(super) session: Option<Arc<Session>>,
    /// Id of the agent's process; absent if the agent sends none.
    pub(super) process: Option<String>,
    pub(super) system: Option<SystemInfo>,
    pub(super) usage: Option<NodeStats>,
    /// Time of the last message.
    pub(super) last_heard: Option<Millis>,
    /// Since when no agent of this node is connected.
    pub(super) away_since: Option<Millis>,
    /// Differences between agent and store, by server.
    pub(super) differences: BTreeMap<ServerId, Difference>,
    /// Token that is cancelled when the secrets that admitted its connections become invalid.
    pub(super) admission: Option<CancellationToken>,
    pub(super) stored: StoredSystem,
    /// Limits the log lines caused by this node.
    pub(super) log: LogLimit,
}

/// The stored system info of a node.
#[derive(Default)]
pub(super) struct StoredSystem {
    /// As JSON: the stored text, or the one that is being stored.
    pub(super) json: Option<String>,
    pub(super) written: Option<Instant>,
    /// A write is scheduled.
    pub(super) waits: bool,
}

pub(super) struct ServerState {
    pub(super) node_id: NodeId,
    pub(super) status: Option<ServerStatus>,
    pub(super) stats: Option<(Stats, Instant)>,
    /// When followers of the server list were last notified of new stats.
    pub(super) listed_stats: Option<Instant>,
    /// Whether its agent has confirmed that it has the server.
    pub(super) handed_over: bool,
}

/// What is currently known of a node.
#[derive(Clone, Debug, Default)]
pub struct NodeSnapshot {
    /// Whether its agent is connected.
    pub online: bool,
    /// The agent's last system info, possibly from an earlier run of the panel; absent if it never sent one.
    pub system: Option<SystemInfo>,
    /// The machine's latest stats.
    pub usage: Option<NodeStats>,
    /// When the last message of its agent arrived; absent if none ever did.
    pub last_heard: Option<Millis>,
    /// Known problems of the node.
    pub problems: Vec<Problem>,
    /// Differences between agent and store, by server; empty while offline.
    pub differences: BTreeMap<ServerId, Difference>,
    /// Statistics of the link to its agent; empty while offline.
    pub link: LinkSnapshot,
    /// Whether its agent only supports the legacy protocol.
    pub limited: bool,
}

/// What is currently known of a server.
#[derive(Clone, Debug, Default)]
pub struct ServerSnapshot {
    /// Whether its node's agent is connected.
    pub online: bool,
    /// Display name of its node.
    pub node_name: String,
    /// Since when its node is offline; absent while it is connected.
    pub away_since: Option<Millis>,
    /// Whether its agent has lost the server.
    pub missing: bool,
    /// The agent's last status; `None` if it has not reported this server yet.
    pub status: Option<ServerStatus>,
    /// The latest stats, unless they are too old.
    pub stats: Option<Stats>,
    /// When the stats expire; absent without stats.
    pub stats_until: Option<Instant>,
    /// Why blocking the local network does not work on its node; absent if it works or is not known.
    pub lan_problem: Option<String>,
}

impl State {
    pub(super) fn server(&self, server_id: &ServerId) -> ServerSnapshot {
        let Some(server) = self.servers.get(server_id) else { return ServerSnapshot::default() };
        let Some(node) = self.nodes.get(&server.node_id) else { return ServerSnapshot::default() };
        let mut snapshot = ServerSnapshot {
            online: node.session.is_some(),
            node_name: node.name.clone(),
            away_since: node.away_since,
            ..ServerSnapshot::default()
        };
        if snapshot.online {
            snapshot.lan_problem = lan_block::problem(node.system.as_ref());
            let difference = node.differences.get(server_id);
            snapshot.missing = difference.is_some_and(|difference| difference.kind == Kind::Missing);
            let stats = server.stats.as_ref().filter(|(_, at)| at.elapsed() < STATS_LAST);
            snapshot.stats = stats.map(|(stats, _)| stats.clone());
            snapshot.stats_until = stats.map(|(_, at)| *at + STATS_LAST);
            snapshot.status.clone_from(&server.status);
        }
        snapshot
    }

    /// Whether a server is placed on a node.
    pub(super) fn is_on(&self, server_id: &ServerId, node_id: &NodeId) -> bool {
        self.servers.get(server_id).is_some_and(|server| server.node_id == node_id)
    }

    /// The ids of a node's servers.
    pub(super) fn servers_of(&self, node_id: &NodeId) -> Vec<ServerId> {
        self.on(node_id).map(|(id, _)| id.clone()).collect()
    }

    /// A node's servers.
    pub(super) fn on<'s>(
        &'s self,
        node_id: &'s NodeId,
    ) -> impl Iterator<Item = (&'s ServerId, &'s ServerState)> {
        self.servers.iter().filter(move |(_, server)| server.node_id == node_id)
    }

    /// Places a server on a node.
    pub(super) fn place(&mut self, server_id: &ServerId, node_id: &NodeId) {
        let mut server = ServerState::new(node_id.to_owned(), false);
        let online = self.nodes.get(node_id).is_some_and(|node| node.session.is_some());
        server.status = online.then(|| ServerStatus::new(server_id, Status::Installing));
        self.servers.insert(server_id.to_owned(), server);
    }

    /// Adds a server that was unknown on this node and has been adopted.
    pub(super) fn adopt(&mut self, server_id: &ServerId, node_id: &NodeId) {
        let mut server = ServerState::new(node_id.to_owned(), true);
        if let Some(node) = self.nodes.get_mut(node_id) {
            server.status = node.differences.remove(server_id).and_then(|difference| difference.status);
        }
        self.servers.insert(server_id.to_owned(), server);
    }

    /// Moves a server to another node; returns the previous one.
    pub(super) fn move_to(&mut self, server_id: &ServerId, node_id: &NodeId) -> Option<NodeId> {
        let mut server = ServerState::new(node_id.to_owned(), true);
        // Assumed until the new agent reports more: the server has just been created there and never started.
        let mut status = ServerStatus::new(server_id, Status::Stopped);
        status.since = Some(Timestamp::now());
        server.status = Some(status);
        if let Some(node) = self.nodes.get_mut(node_id) {
            node.differences.remove(server_id);
        }
        self.servers.insert(server_id.to_owned(), server).map(|before| before.node_id)
    }

    /// Drops the known state of a node's servers; returns their ids.
    pub(super) fn forget_states_of(&mut self, node_id: &NodeId) -> Vec<ServerId> {
        let mut ids = Vec::new();
        for (id, server) in self.servers.iter_mut().filter(|(_, server)| server.node_id == node_id) {
            server.status = None;
            server.stats = None;
            ids.push(id.clone());
        }
        ids
    }

    /// Notes that a missing server exists again. Returns whether it was missing.
    pub(super) fn settle_missing(&mut self, node_id: &NodeId, server_id: &ServerId) -> bool {
        self.remove_difference(node_id, server_id, Kind::Missing)
    }

    /// Removes a difference of this kind; returns whether there was one.
    pub(super) fn remove_difference(&mut self, node_id: &NodeId, server_id: &ServerId, kind: Kind) -> bool {
        let Some(node) = self.nodes.get_mut(node_id) else { return false };
        let there = node.differences.get(server_id).is_some_and(|known| known.kind == kind);
        if there {
            node.differences.remove(server_id);
        }
        there
    }

    /// The CPU architecture of each node; empty if not known.
    pub(super) fn architectures(&self) -> Vec<(NodeId, String)> {
        let of = |node: &NodeState| node.system.as_ref().map(|info| info.arch.clone()).unwrap_or_default();
        let mut known: Vec<_> = self.nodes.iter().map(|(id, node)| (id.clone(), of(node))).collect();
        known.sort_unstable();
        known
    }

    /// Work on a node that must not be interrupted, phrased as the end of a sentence; `None` if there is none.
    pub(super) fn busy(&self, node_id: &NodeId) -> Option<String> {
        self.on(node_id).find_map(|(id, server)| {
            let does = match server.status.as_ref()?.status {
                Status::Installing => "installs",
                Status::Starting => "starts",
                Status::Stopping => "stops",
                _ => return None,
            };
            Some(format!("the server {id} {does}"))
        })
    }

    /// How many servers of a node are running.
    pub(super) fn running_on(&self, node_id: &NodeId) -> usize {
        let runs = |server: &ServerState| {
            server.status.as_ref().is_some_and(|status| status.status == Status::Running)
        };
        self.on(node_id).filter(|(_, server)| runs(server)).count()
    }
}

impl NodeState {
    pub(super) fn snapshot(&self) -> NodeSnapshot {
        let link = self.session.as_ref().map(|session| &session.link);
        NodeSnapshot {
            online: self.session.is_some(),
            system: self.system.clone(),
            usage: self.usage.clone(),
            last_heard: self.last_heard,
            problems: link.and_then(LinkStats::problem).into_iter().collect(),
            differences: self.differences.clone(),
            link: link.map(LinkStats::snapshot).unwrap_or_default(),
            limited: false,
        }
    }
}

impl ServerState {
    pub(super) fn new(node_id: NodeId, handed_over: bool) -> Self {
        Self { node_id, status: None, stats: None, listed_stats: None, handed_over }
    }

    pub(super) fn note(&mut self, status: ServerStatus) {
        if !matches!(status.status, Status::Starting | Status::Running | Status::Paused | Status::Stopping) {
            self.stats = None;
        }
        self.status = if status.status == Status::Deleted { None } else { Some(status) };
    }
}

impl NodeSnapshot {
    /// The problem, reported by the agent, that no game can run there because the agent's container has no path on its
    /// host.
    pub fn no_host_path(&self) -> Option<&Problem> {
        let problems = self.system.as_ref().map_or(&[][..], |system| system.problems.as_slice());
        problems.iter().find(|problem| problem.code == ProblemCode::NoHostPath)
    }

    /// Why blocking the local network does not work on this node; `None` if it works or is not known.
    pub fn lan_problem(&self) -> Option<String> {
        lan_block::problem(self.system.as_ref().filter(|_| self.online))
    }

    /// Whether the node is connected but its container engine does not respond.
    pub fn engine_away(&self) -> bool {
        let engine = self.system.as_ref().and_then(|system| system.engine.as_ref());
        self.online && engine.is_some_and(|engine| !engine.available)
    }
}
