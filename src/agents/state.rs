//! The last known state of every node and server: plain data, and what is read from it. What should be is in the store.

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

/// A sample that is older than this says nothing about the present.
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
    /// The agent's process, where it names one.
    pub(super) process: Option<String>,
    pub(super) system: Option<SystemInfo>,
    pub(super) usage: Option<NodeStats>,
    /// When the last message came.
    pub(super) last_heard: Option<Millis>,
    /// Since when no agent of this node is connected.
    pub(super) away_since: Option<Millis>,
    /// Where what its agent has is not what the store says, by server.
    pub(super) differences: BTreeMap<ServerId, Difference>,
    /// Cancelled when the secrets that admitted its connections are no longer valid.
    pub(super) admission: Option<CancellationToken>,
    pub(super) stored: StoredSystem,
    /// What was logged because of this node.
    pub(super) log: LogLimit,
}

/// A node's system info on the disk.
#[derive(Default)]
pub(super) struct StoredSystem {
    /// As JSON: what is stored, or on its way there.
    pub(super) json: Option<String>,
    pub(super) written: Option<Instant>,
    /// A write is due and waits for its time.
    pub(super) waits: bool,
}

pub(super) struct ServerState {
    pub(super) node_id: NodeId,
    pub(super) status: Option<ServerStatus>,
    pub(super) stats: Option<(Stats, Instant)>,
    /// When followers of the server list were last notified of a sample.
    pub(super) listed_stats: Option<Instant>,
    /// Its agent has confirmed that it has it.
    pub(super) handed_over: bool,
}

/// What is known of a node now.
#[derive(Clone, Debug, Default)]
pub struct NodeSnapshot {
    /// Its agent is connected.
    pub online: bool,
    /// What the agent last said of its machine, also to an earlier run of the panel.
    pub system: Option<SystemInfo>,
    /// The newest sample of the machine.
    pub usage: Option<NodeStats>,
    /// When the last message of its agent came.
    pub last_heard: Option<Millis>,
    /// What is wrong there, as far as the panel can tell.
    pub problems: Vec<Problem>,
    /// Where what its agent has is not what it should have, by server; empty while it is away.
    pub differences: BTreeMap<ServerId, Difference>,
    /// Figures of the link to its agent, while there is one.
    pub link: LinkSnapshot,
    /// Its agent speaks the legacy protocol only.
    pub limited: bool,
}

/// What is known of a server now.
#[derive(Clone, Debug, Default)]
pub struct ServerSnapshot {
    /// Its node's agent is connected.
    pub online: bool,
    /// Display name of its node.
    pub node_name: String,
    /// Since when its node is away.
    pub away_since: Option<Millis>,
    /// Its agent had it once and has it no more.
    pub missing: bool,
    /// The agent's last status; `None` where it has sent none of this server yet.
    pub status: Option<ServerStatus>,
    /// The newest sample, unless it is too old.
    pub stats: Option<Stats>,
    /// When that sample is too old; absent without one.
    pub stats_until: Option<Instant>,
    /// Why it reaches the local network even where that is blocked, as far as it is known.
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

    /// A server was put on a node.
    pub(super) fn place(&mut self, server_id: &ServerId, node_id: &NodeId) {
        let mut server = ServerState::new(node_id.to_owned(), false);
        let online = self.nodes.get(node_id).is_some_and(|node| node.session.is_some());
        server.status = online.then(|| ServerStatus::new(server_id, Status::Installing));
        self.servers.insert(server_id.to_owned(), server);
    }

    /// A server that was unknown here belongs to this panel now.
    pub(super) fn adopt(&mut self, server_id: &ServerId, node_id: &NodeId) {
        let mut server = ServerState::new(node_id.to_owned(), true);
        if let Some(node) = self.nodes.get_mut(node_id) {
            server.status = node.differences.remove(server_id).and_then(|difference| difference.status);
        }
        self.servers.insert(server_id.to_owned(), server);
    }

    /// A server has moved; returns its node before.
    pub(super) fn move_to(&mut self, server_id: &ServerId, node_id: &NodeId) -> Option<NodeId> {
        let mut server = ServerState::new(node_id.to_owned(), true);
        // Until its new agent reports more: it was made there just now, and never started.
        let mut status = ServerStatus::new(server_id, Status::Stopped);
        status.since = Some(Timestamp::now());
        server.status = Some(status);
        if let Some(node) = self.nodes.get_mut(node_id) {
            node.differences.remove(server_id);
        }
        self.servers.insert(server_id.to_owned(), server).map(|before| before.node_id)
    }

    /// Forgets what was known of a node's servers; returns their ids.
    pub(super) fn forget_states_of(&mut self, node_id: &NodeId) -> Vec<ServerId> {
        let mut ids = Vec::new();
        for (id, server) in self.servers.iter_mut().filter(|(_, server)| server.node_id == node_id) {
            server.status = None;
            server.stats = None;
            ids.push(id.clone());
        }
        ids
    }

    /// A server that was missing is there again. Returns whether it was missing.
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

    /// Each node with its CPU's architecture; empty where that is not known.
    pub(super) fn architectures(&self) -> Vec<(NodeId, String)> {
        let of = |node: &NodeState| node.system.as_ref().map(|info| info.arch.clone()).unwrap_or_default();
        let mut known: Vec<_> = self.nodes.iter().map(|(id, node)| (id.clone(), of(node))).collect();
        known.sort_unstable();
        known
    }

    /// Work at a node that must not be interrupted, as the end of a sentence.
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

    /// How many servers of a node run.
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
    /// Why no game can run there, where the agent is in a container without a path on its host; it reports that itself.
    pub fn no_host_path(&self) -> Option<&Problem> {
        let problems = self.system.as_ref().map_or(&[][..], |system| system.problems.as_slice());
        problems.iter().find(|problem| problem.code == ProblemCode::NoHostPath)
    }

    /// Why games there reach the local network even where that is blocked, as far as it is known.
    pub fn lan_problem(&self) -> Option<String> {
        lan_block::problem(self.system.as_ref().filter(|_| self.online))
    }

    /// It is connected, and its container engine does not answer.
    pub fn engine_away(&self) -> bool {
        let engine = self.system.as_ref().and_then(|system| system.engine.as_ref());
        self.online && engine.is_some_and(|engine| !engine.available)
    }
}
