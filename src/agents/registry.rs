//! Node → session, and the last known state of every node and server. What should be stands in the store; this is what is.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use agent::LinkTimes;
use agent::protocol::{
    Envelope, NodeStats, Problem, ServerStatus, Stats, Status, SystemInfo, ToAgent, ToPanel,
};
use storage::{Millis, Store};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::changes::Changes;
use super::decoding::Decoding;
use super::differences::{Difference, Kind};
use super::duplicate_nodes::Rivals;
use super::kept_lines::KeptLines;
use super::legacy;
use super::link_stats::{Figures, LinkSnapshot};
use super::log_limit::LogLimit;
use super::node_snapshot;
use super::session::{RequestError, Session};
use super::subscriptions::Watching;
use crate::system::clock;
use crate::system::shutdown::Tasks;

/// A sample that is older than this says nothing about now.
const STATS_LAST: Duration = Duration::from_secs(30);

/// All agents. Cheap to clone.
#[derive(Clone)]
pub struct Agents(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) tasks: Tasks,
    pub(super) state: Mutex<State>,
    pub(super) changes: Changes,
    pub(super) watching: Watching,
    pub(super) kept_lines: KeptLines,
    pub(super) times: LinkTimes,
    pub(super) decoding: Decoding,
    rivals: Rivals,
    sessions: AtomicU64,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) nodes: HashMap<String, NodeState>,
    pub(super) servers: HashMap<String, ServerState>,
}

#[derive(Default)]
pub(super) struct NodeState {
    /// What people call it.
    pub(super) name: String,
    pub(super) session: Option<Arc<Session>>,
    /// Which process its agent is, where it says so.
    process: Option<String>,
    pub(super) system: Option<SystemInfo>,
    pub(super) usage: Option<NodeStats>,
    pub(super) last_heard: Option<Millis>,
    /// Since when no agent of it is connected.
    pub(super) away_since: Option<Millis>,
    /// Where what its agent has is not what the store says, by server.
    pub(super) differences: BTreeMap<String, Difference>,
    /// Cancelled when the secrets that opened to its connections open no more.
    pub(super) admission: Option<CancellationToken>,
    /// The system info as it is in the store, or on its way there.
    pub(super) stored_system: Option<String>,
    /// When it was last written, and whether somebody waits to do so again.
    pub(super) system_written: Option<Instant>,
    pub(super) system_waits: bool,
    /// What the log was told because of it.
    pub(super) log: LogLimit,
}

pub(super) struct ServerState {
    pub(super) node_id: String,
    pub(super) status: Option<ServerStatus>,
    pub(super) stats: Option<(Stats, Instant)>,
    /// When a new sample was last worth telling to those who look at the list.
    pub(super) told_stats: Option<Instant>,
    /// Its agent has said that it has it.
    pub(super) handed_over: bool,
}

/// What is known of a node now.
#[derive(Clone, Debug, Default)]
pub struct NodeSnapshot {
    /// Its agent is connected.
    pub online: bool,
    /// The agent's last word on its machine, also of an earlier run of the panel.
    pub system: Option<SystemInfo>,
    /// The newest sample of the machine.
    pub usage: Option<NodeStats>,
    /// When its agent was last heard.
    pub last_heard: Option<Millis>,
    /// What is wrong there, as we see it from here.
    pub problems: Vec<Problem>,
    /// Where what its agent has is not what it should have, by server; empty while it is away.
    pub differences: BTreeMap<String, Difference>,
    /// How the link to its agent does, while there is one.
    pub link: LinkSnapshot,
    /// Its agent speaks the legacy protocol only.
    pub limited: bool,
}

/// What is known of a server now.
#[derive(Clone, Debug, Default)]
pub struct ServerSnapshot {
    /// Its node's agent is connected.
    pub online: bool,
    /// What people call its node.
    pub node_name: String,
    /// Since when its node is away.
    pub away_since: Option<Millis>,
    /// Its agent had it once and has it no more.
    pub missing: bool,
    /// The agent's last word; `None` where it has not said anything about this server yet.
    pub status: Option<ServerStatus>,
    /// The newest sample, where it is of now.
    pub stats: Option<Stats>,
    /// Why it reaches the local network even where that is blocked, as far as it is known.
    pub lan_problem: Option<String>,
}

impl Agents {
    /// Nobody is connected yet. The store says which server belongs to which node.
    ///
    /// # Errors
    /// Where the store can't be read.
    pub fn new(store: Store, tasks: Tasks) -> storage::Result<Self> {
        Self::with_times(store, tasks, LinkTimes::default())
    }

    /// The same with other times for the links to agents.
    ///
    /// # Errors
    /// Where the store can't be read.
    pub fn with_times(store: Store, tasks: Tasks, times: LinkTimes) -> storage::Result<Self> {
        let mut state = State::default();
        let (nodes, servers) = store.read_now(|tx| {
            Ok::<_, storage::Error>((storage::nodes::list(tx)?, storage::servers::list(tx)?))
        })?;
        for node in nodes {
            let system = node.system.as_deref().and_then(|text| serde_json::from_str(text).ok());
            let known = NodeState {
                name: node.name,
                system,
                stored_system: node.system,
                last_heard: node.last_seen,
                away_since: node.last_seen,
                ..NodeState::default()
            };
            state.nodes.insert(node.id, known);
        }
        for server in servers {
            state.servers.insert(server.id, ServerState::new(server.node_id, server.handed_over));
        }
        let inner = Inner {
            store,
            tasks,
            state: Mutex::new(state),
            changes: Changes::default(),
            watching: Watching::default(),
            decoding: Decoding::default(),
            kept_lines: KeptLines::default(),
            rivals: Rivals::new(times.clone()),
            times,
            sessions: AtomicU64::new(1),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The times of the links to agents.
    pub fn times(&self) -> &LinkTimes {
        &self.0.times
    }

    /// What changed, for live connections.
    pub fn changes(&self) -> &Changes {
        &self.0.changes
    }

    /// An agent has connected. Its messages go to [`Agents::inbound`], the returned queue to it. A second connection of
    /// the same node replaces the first.
    pub fn attach(&self, node_id: &str) -> (Arc<Session>, mpsc::Receiver<Envelope<ToAgent>>) {
        self.attach_as(node_id, None, true)
    }

    /// The same of an agent that says which process it is, and of which it is known whether it answers under ids.
    pub(super) fn attach_as(
        &self,
        node_id: &str,
        process: Option<&str>,
        answers: bool,
    ) -> (Arc<Session>, mpsc::Receiver<Envelope<ToAgent>>) {
        let number = self.0.sessions.fetch_add(1, Ordering::Relaxed);
        let (session, queue) = Session::new(node_id, number, self.0.times.clone());
        // Before anybody can say something to it.
        session.set_answers(answers);
        let mut state = self.lock();
        let node = state.nodes.entry(node_id.to_owned()).or_default();
        let replaced = node.session.replace(Arc::clone(&session));
        let before = std::mem::replace(&mut node.process, process.map(ToOwned::to_owned));
        node.last_heard = Some(clock::now());
        node.away_since = None;
        node.differences.clear();
        let servers = state.forget_states_of(node_id);
        drop(state);
        if let Some(old) = replaced {
            self.0.rivals.replaced(node_id, before.as_deref(), process);
            old.end();
        }
        if self.may_log(node_id, "connected") {
            tracing::info!("Agent connected for node: {node_id}");
        }
        self.tell_all(node_id, &servers);
        (session, queue)
    }

    /// Its link has ended. The end of a connection that was replaced changes nothing.
    pub fn detach(&self, session: &Session) {
        session.end();
        let node_id = session.node_id();
        let mut state = self.lock();
        let Some(node) = state.nodes.get_mut(node_id) else { return };
        if node.session.as_ref().is_none_or(|current| current.number() != session.number()) {
            return;
        }
        node.session = None;
        node.usage = None;
        node.away_since = Some(clock::now());
        node.differences.clear();
        let servers = state.forget_states_of(node_id);
        drop(state);
        if self.may_log(node_id, "disconnected") {
            tracing::info!("Agent disconnected for node: {node_id}");
        }
        self.tell_all(node_id, &servers);
        self.0.watching.set_ready(&servers);
    }

    /// A node was made, or has another name. Its agent may have yet to come.
    pub fn add_node(&self, node_id: &str, name: &str) {
        let mut state = self.lock();
        name.clone_into(&mut state.nodes.entry(node_id.to_owned()).or_default().name);
        let servers = state.servers_of(node_id);
        drop(state);
        self.tell_all(node_id, &servers);
    }

    /// Whether the panel is ending.
    pub(super) fn is_stopping(&self) -> bool {
        self.0.tasks.token().is_cancelled()
    }

    /// What a connection of this node lives by: cancelled when the secret that let it in opens no more, or the panel ends.
    pub fn admission(&self, node_id: &str) -> Option<CancellationToken> {
        let mut state = self.lock();
        let node = state.nodes.get_mut(node_id)?;
        Some(node.admission.get_or_insert_with(|| self.0.tasks.token().child_token()).clone())
    }

    /// Its connections end; who comes from now on is judged anew.
    pub fn cut_off(&self, node_id: &str) {
        let admission = self.lock().nodes.get_mut(node_id).and_then(|node| node.admission.take());
        if let Some(admission) = admission {
            admission.cancel();
        }
    }

    /// Something about a node changed that is kept elsewhere.
    pub fn node_changed(&self, node_id: &str) {
        self.0.changes.node(node_id);
    }

    /// A node is removed: its agent, should it be connected, has no business here any more.
    pub fn forget_node(&self, node_id: &str) {
        let node = self.lock().nodes.remove(node_id);
        if let Some(node) = node {
            if let Some(session) = node.session {
                session.end();
            }
            if let Some(admission) = node.admission {
                admission.cancel();
            }
        }
        self.0.changes.node_gone(node_id);
    }

    /// A server was put on a node. `installing` until the agent says more, where it can be told now.
    pub fn place(&self, server_id: &str, node_id: &str) {
        let mut state = self.lock();
        let mut server = ServerState::new(node_id.to_owned(), false);
        let online = state.nodes.get(node_id).is_some_and(|node| node.session.is_some());
        server.status = online.then(|| ServerStatus::new(server_id, Status::Installing));
        state.servers.insert(server_id.to_owned(), server);
        drop(state);
        self.0.changes.server(server_id);
        self.0.changes.node(node_id);
        self.refresh_interest(node_id);
    }

    /// A server is no more.
    pub fn forget_server(&self, server_id: &str) {
        let mut state = self.lock();
        let Some(server) = state.servers.remove(server_id) else { return };
        if let Some(node) = state.nodes.get_mut(&server.node_id) {
            node.differences.remove(server_id);
        }
        drop(state);
        self.0.watching.gone(server_id);
        self.0.kept_lines.forget(server_id);
        self.0.changes.server_gone(server_id);
        self.0.changes.node(&server.node_id);
    }

    /// Whether there is such a node.
    pub(super) fn has_node(&self, node_id: &str) -> bool {
        self.lock().nodes.contains_key(node_id)
    }

    /// Whether a newcomer is turned away because two machines use this id and one of them is connected.
    pub fn turns_away(&self, node_id: &str, process: Option<&str>) -> bool {
        self.session(node_id).is_ok() && self.0.rivals.turns_away(node_id, process)
    }

    /// What is known of a node.
    pub fn node(&self, node_id: &str) -> NodeSnapshot {
        let mut seen = self.lock().nodes.get(node_id).map(NodeState::seen).unwrap_or_default();
        seen.problems.extend(self.0.rivals.problem(node_id));
        seen
    }

    /// A node is there, and its agent did not tell of this capability.
    pub fn lacks(&self, node_id: &str, capability: &str) -> bool {
        let seen = self.node(node_id);
        let told = |word: &String| word == capability;
        seen.online && !seen.system.is_some_and(|system| system.capabilities.iter().any(told))
    }

    /// Each node with its CPU's architecture, as far as it is known.
    pub fn architectures(&self) -> Vec<(String, String)> {
        let state = self.lock();
        let mut known: Vec<_> = state
            .nodes
            .iter()
            .map(|(id, node)| {
                (id.clone(), node.system.as_ref().map(|info| info.arch.clone()).unwrap_or_default())
            })
            .collect();
        known.sort_unstable();
        known
    }

    /// What is known of a server.
    pub fn server(&self, server_id: &str) -> ServerSnapshot {
        self.lock().server(server_id)
    }

    /// Where a server lives.
    pub fn node_of(&self, server_id: &str) -> Option<String> {
        self.lock().servers.get(server_id).map(|server| server.node_id.clone())
    }

    /// The node's session, where it is connected.
    pub fn session(&self, node_id: &str) -> Result<Arc<Session>, RequestError> {
        self.lock().nodes.get(node_id).and_then(|node| node.session.clone()).ok_or(RequestError::Offline)
    }

    /// Asks a node and waits for the answer.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn ask(
        &self,
        node_id: &str,
        message: ToAgent,
        deadline: Duration,
    ) -> Result<ToPanel, RequestError> {
        let session = self.session(node_id)?;
        let turn = self.0.decoding.turn(&session, &message).await?;
        if session.answers() {
            return session.ask(message, deadline).await;
        }
        if let ToAgent::ConsoleTail(tail) = &message {
            return Ok(self.kept_tail(tail));
        }
        let spoken = legacy::translate(message, &self.0.times).map_err(RequestError::Refused)?;
        let (answer, heard) = oneshot::channel();
        // To the end, also when the caller hangs up half-way: only one request of a server may be with such an agent.
        let agents = self.clone();
        drop(self.0.tasks.spawn("ask-part-one", async move {
            session.ask_part_one(spoken, answer).await;
            drop(turn);
            if session.lacks_files() {
                agents.0.changes.node(session.node_id());
            }
        }));
        heard.await.unwrap_or(Err(RequestError::Offline))
    }

    fn tell_all(&self, node_id: &str, servers: &[String]) {
        for server in servers {
            self.0.changes.server(server);
        }
        self.0.changes.node(node_id);
    }

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn server(&self, server_id: &str) -> ServerSnapshot {
        let Some(server) = self.servers.get(server_id) else { return ServerSnapshot::default() };
        let Some(node) = self.nodes.get(&server.node_id) else { return ServerSnapshot::default() };
        let mut seen = ServerSnapshot {
            online: node.session.is_some(),
            node_name: node.name.clone(),
            away_since: node.away_since,
            ..ServerSnapshot::default()
        };
        if seen.online {
            seen.lan_problem = node_snapshot::lan_problem(node.system.as_ref());
            let difference = node.differences.get(server_id);
            seen.missing = difference.is_some_and(|difference| difference.kind == Kind::Missing);
            let stats = server.stats.as_ref().filter(|(_, at)| at.elapsed() < STATS_LAST);
            seen.stats = stats.map(|(stats, _)| stats.clone());
            seen.status.clone_from(&server.status);
        }
        seen
    }

    /// The ids of a node's servers.
    pub(super) fn servers_of(&self, node_id: &str) -> Vec<String> {
        let of_node = self.servers.iter().filter(|(_, server)| server.node_id == node_id);
        of_node.map(|(id, _)| id.clone()).collect()
    }

    /// What was known of a node's servers is void; returns their ids.
    fn forget_states_of(&mut self, node_id: &str) -> Vec<String> {
        let mut ids = Vec::new();
        for (id, server) in self.servers.iter_mut().filter(|(_, server)| server.node_id == node_id) {
            server.status = None;
            server.stats = None;
            ids.push(id.clone());
        }
        ids
    }
}

impl NodeState {
    fn seen(&self) -> NodeSnapshot {
        let figures = self.session.as_ref().map(|session| &session.figures);
        NodeSnapshot {
            online: self.session.is_some(),
            system: self.system.clone(),
            usage: self.usage.clone(),
            last_heard: self.last_heard,
            problems: figures.and_then(Figures::problem).into_iter().chain(self.limited_problem()).collect(),
            differences: self.differences.clone(),
            link: figures.map(Figures::seen).unwrap_or_default(),
            limited: self.is_limited(),
        }
    }

    fn is_limited(&self) -> bool {
        self.system.as_ref().is_some_and(legacy::is_limited)
    }

    fn limited_problem(&self) -> Option<Problem> {
        let no_files = self.session.as_ref().is_some_and(|session| session.lacks_files());
        self.is_limited().then(|| legacy::problem(self.session.is_some(), no_files))
    }
}

impl ServerState {
    pub(super) fn new(node_id: String, handed_over: bool) -> Self {
        Self { node_id, status: None, stats: None, told_stats: None, handed_over }
    }
}
