//! The agents: who is connected, the last known state of nodes and servers, and requests to them.
//!
//! From the bottom up; no file uses one above it:
//! - `session` is one connected agent: requests with deadlines over a bounded queue. `state` is plain data,
//!   `differences` are servers that a node has and should not have or the reverse, `error` is why a request failed.
//! - `registry` holds the state and the [`Changes`], which live connections ask for everything new.
//! - `subscriptions` records who follows which console, stats and lists, and tells agents to send exactly that.
//!   `reconcile` brings an agent's servers in line with the store. `legacy` has everything for legacy agents.
//! - `inbound` handles the messages of agents.
//! - [`Agents`] is the interface for the rest of the panel.
//! - [`local`] starts the agent in this process, [`remote`] serves the connections of agents on other machines.

mod changes;
mod console;
mod convert;
mod decoding;
mod differences;
mod duplicate_nodes;
mod error;
mod frame_filter;
mod inbound;
mod inbound_rate;
mod job_progress;
mod lan_block;
mod last_seen;
mod legacy;
mod link_stats;
mod log_limit;
mod pings;
mod reconcile;
mod registry;
mod registry_logins;
mod schedules;
mod session;
mod state;
mod stats;
mod subscriptions;

pub mod local;
pub mod remote;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use agent::LinkTimes;
use protocol::{Envelope, NodeId, ServerDescription, ServerId, Status, SystemInfo, ToAgent, ToPanel};
use storage::Store;
use storage::servers::Server;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use self::decoding::Decoding;
use self::duplicate_nodes::DuplicateNodes;
use self::inbound::Inbound;
use self::reconcile::Reconciler;
use self::registry::Registry;
use self::subscriptions::Subscriptions;
use crate::system::clock;
use crate::system::shutdown::Tasks;

pub use changes::{Changed, Changes, ChangesSince};
pub use console::{ConsoleFeed, Lines, Next, ReaderId};
pub use convert::{behaviour_record, create_message, port_message, template_record, update_message};
pub use differences::{Difference, Kind as DifferenceKind};
pub use error::RequestError;
pub use link_stats::LinkSnapshot;
pub use session::Session;
pub use state::{NodeSnapshot, ServerSnapshot};
pub use stats::{Sample, StatsFeed};
pub use subscriptions::{AgentTopic, ConsoleWatch, StatsWatch, TopicGuard};

/// How long a node may take to answer a request for its system info.
const SYSTEM_INFO_WITHIN: Duration = Duration::from_secs(10);

/// All agents. Cheap to clone.
#[derive(Clone)]
pub struct Agents(Arc<Inner>);

struct Inner {
    registry: Arc<Registry>,
    subscriptions: Subscriptions,
    reconciler: Reconciler,
    inbound: Inbound,
    legacy: Arc<legacy::Shared>,
    decoding: Decoding,
    duplicates: DuplicateNodes,
    sessions: AtomicU64,
}

/// Connections.
impl Agents {
    /// Loads nodes and servers from the store. No agent is connected yet.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn new(store: Store, tasks: Tasks) -> storage::Result<Self> {
        Self::with_times(store, tasks, LinkTimes::default())
    }

    /// Like [`Agents::new`], with other times for the links to agents.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn with_times(store: Store, tasks: Tasks, times: LinkTimes) -> storage::Result<Self> {
        let duplicates = DuplicateNodes::new(times.duplicates.clone());
        let registry = Arc::new(Registry::load(store, tasks, times)?);
        let subscriptions = Subscriptions::new(Arc::clone(&registry));
        let reconciler = Reconciler::new(Arc::clone(&registry));
        Ok(Self(Arc::new(Inner {
            inbound: Inbound::new(Arc::clone(&registry), subscriptions.clone(), reconciler.clone()),
            legacy: Arc::new(legacy::Shared::new(Arc::clone(&registry))),
            registry,
            subscriptions,
            reconciler,
            decoding: Decoding::default(),
            duplicates,
            sessions: AtomicU64::new(1),
        })))
    }

    /// The times of the links to agents.
    pub fn times(&self) -> &LinkTimes {
        &self.0.registry.times
    }

    /// Registers a connected agent. Its messages go to [`Agents::receive`]; the returned queue has the messages for it.
    /// A second connection of the same node replaces the first.
    pub fn attach(&self, node_id: &NodeId) -> (Arc<Session>, mpsc::Receiver<Envelope<ToAgent>>) {
        self.attach_as(node_id, None)
    }

    /// Like [`Agents::attach`], for an agent that may send an id of its process.
    fn attach_as(
        &self,
        node_id: &NodeId,
        process: Option<&str>,
    ) -> (Arc<Session>, mpsc::Receiver<Envelope<ToAgent>>) {
        let registry = &self.0.registry;
        let number = self.0.sessions.fetch_add(1, Ordering::Relaxed);
        let (session, queue) = Session::new(node_id, number);
        let mut state = registry.lock();
        let node = state.nodes.entry(node_id.to_owned()).or_default();
        let replaced = node.session.replace(Arc::clone(&session));
        let before = std::mem::replace(&mut node.process, process.map(ToOwned::to_owned));
        node.last_heard = Some(clock::now());
        node.away_since = None;
        node.differences.clear();
        let servers = state.forget_states_of(node_id);
        drop(state);
        if let Some(old) = replaced {
            self.0.duplicates.replaced(node_id, before.as_deref(), process);
            old.end();
        }
        if registry.may_log(node_id, "connected") {
            tracing::info!("Agent connected for node: {node_id}");
        }
        registry.changed(node_id, &servers);
        (session, queue)
    }

    /// Ends a session whose link has closed. No effect if another connection has replaced it.
    pub fn detach(&self, session: &Session) {
        session.end();
        let (registry, node_id) = (&self.0.registry, session.node_id());
        let mut state = registry.lock();
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
        if registry.may_log(node_id, "disconnected") {
            tracing::info!("Agent disconnected for node: {node_id}");
        }
        registry.changed(node_id, &servers);
        self.0.subscriptions.set_ready(&servers);
    }

    /// Handles one message of an agent.
    pub fn receive(&self, session: &Arc<Session>, envelope: Envelope<ToPanel>) {
        self.0.inbound.receive(session, envelope);
    }

    /// Whether to refuse a new connection because two machines use this node id and one of them is connected.
    pub fn turns_away(&self, node_id: &NodeId, process: Option<&str>) -> bool {
        self.session(node_id).is_ok() && self.0.duplicates.turns_away(node_id, process)
    }

    /// Token that is cancelled when the secret that admitted the node's connections becomes invalid, or the panel
    /// stops. `None` for an unknown node.
    pub fn admission(&self, node_id: &NodeId) -> Option<CancellationToken> {
        let registry = &self.0.registry;
        let mut state = registry.lock();
        let node = state.bookkeeping().nodes.get_mut(node_id)?;
        Some(node.admission.get_or_insert_with(|| registry.tasks.token().child_token()).clone())
    }

    /// Closes a node's connections; new ones have to authenticate again.
    pub fn cut_off(&self, node_id: &NodeId) {
        let admission = self.0.registry.lock().nodes.get_mut(node_id).and_then(|node| node.admission.take());
        if let Some(admission) = admission {
            admission.cancel();
        }
    }

    /// Number of the node's connection; later connections have other numbers. `None` while offline.
    pub fn connection(&self, node_id: &NodeId) -> Option<u64> {
        self.session(node_id).ok().map(|session| session.number())
    }

    /// The node's session.
    ///
    /// # Errors
    /// [`RequestError::Offline`].
    pub fn session(&self, node_id: &NodeId) -> Result<Arc<Session>, RequestError> {
        self.0.registry.session(node_id)
    }

    /// Runs until the panel stops. Stores when each node was last heard: soon after it disconnects, rarely while
    /// connected, and at the end.
    pub async fn keep_last_seen(&self) {
        last_seen::keep(&self.0.registry).await;
    }

    fn registry(&self) -> &Registry {
        &self.0.registry
    }
}

/// Known state.
impl Agents {
    /// The change log, for live connections.
    pub fn changes(&self) -> &Changes {
        &self.0.registry.changes
    }

    /// The current snapshot of a node.
    pub fn node(&self, node_id: &NodeId) -> NodeSnapshot {
        let known = self.0.registry.lock().nodes.get(node_id).map(|node| {
            let lacks_files = node.session.as_ref().is_some_and(|session| session.lacks_files());
            (node.snapshot(), lacks_files)
        });
        let (mut node, lacks_files) = known.unwrap_or_default();
        legacy::describe(&mut node, lacks_files);
        node.problems.extend(self.0.duplicates.problem(node_id));
        node
    }

    /// Whether the node is connected and its agent lacks this capability.
    pub fn lacks(&self, node_id: &NodeId, capability: &str) -> bool {
        let node = self.node(node_id);
        let same = |name: &String| name == capability;
        node.online && !node.system.is_some_and(|system| system.capabilities.iter().any(same))
    }

    /// The CPU architecture of each node; empty if not known.
    pub fn architectures(&self) -> Vec<(NodeId, String)> {
        self.0.registry.lock().architectures()
    }

    /// The current snapshot of a server.
    pub fn server(&self, server_id: &ServerId) -> ServerSnapshot {
        self.0.registry.lock().server(server_id)
    }

    /// A counter that changes with the answers of [`Self::server`], except for stats that expire
    /// ([`ServerSnapshot::stats_until`]).
    pub fn revision(&self) -> u64 {
        self.0.registry.revision()
    }

    /// The node of a server; `None` for an unknown server.
    pub fn node_of(&self, server_id: &ServerId) -> Option<NodeId> {
        self.0.registry.node_of(server_id)
    }

    /// The difference between agent and store for a server of this node, if there is one.
    pub fn difference(&self, node_id: &NodeId, server_id: &ServerId) -> Option<Difference> {
        self.0.registry.lock().nodes.get(node_id).and_then(|node| node.differences.get(server_id).cloned())
    }

    /// Work on a node that must not be interrupted, phrased as the end of a sentence; `None` if there is none.
    pub fn busy(&self, node_id: &NodeId) -> Option<String> {
        self.0.registry.lock().busy(node_id)
    }

    /// How many servers of a node are running.
    pub fn running_on(&self, node_id: &NodeId) -> usize {
        self.0.registry.lock().running_on(node_id)
    }
}

/// Creation, change and removal of nodes and servers.
impl Agents {
    /// Adds a new node, or renames one. Its agent may connect later.
    pub fn add_node(&self, node_id: &NodeId, name: &str) {
        let mut state = self.0.registry.lock();
        name.clone_into(&mut state.nodes.entry(node_id.to_owned()).or_default().name);
        let servers = state.servers_of(node_id);
        drop(state);
        self.0.registry.changed(node_id, &servers);
    }

    /// Notifies followers of a change to a node that is stored elsewhere.
    pub fn node_changed(&self, node_id: &NodeId) {
        self.changes().node(node_id);
    }

    /// Removes a deleted node and disconnects its agent.
    pub fn forget_node(&self, node_id: &NodeId) {
        let node = self.0.registry.lock().nodes.remove(node_id);
        if let Some(node) = node {
            if let Some(session) = node.session {
                session.end();
            }
            if let Some(admission) = node.admission {
                admission.cancel();
            }
        }
        self.0.subscriptions.node_gone(node_id);
        self.changes().node_gone(node_id);
    }

    /// Places a new server on a node. Its status is `installing` until the agent reports another, if the agent is
    /// connected.
    pub fn place(&self, server_id: &ServerId, node_id: &NodeId) {
        self.0.registry.lock().place(server_id, node_id);
        self.server_changed(server_id, node_id);
    }

    /// Adds a server that was unknown on this node and has been adopted.
    pub fn adopted(&self, server_id: &ServerId, node_id: &NodeId) {
        self.0.registry.lock().adopt(server_id, node_id);
        self.server_changed(server_id, node_id);
    }

    /// Moves a server to another node after a transfer: messages of the new node count from now on, and its followers
    /// follow it there.
    pub fn moved(&self, server_id: &ServerId, node_id: &NodeId) {
        let before = self.0.registry.lock().move_to(server_id, node_id);
        self.server_changed(server_id, node_id);
        if let Some(before) = before {
            self.changes().node(&before);
            self.0.subscriptions.refresh(&before);
        }
        if let Ok(session) = self.session(node_id) {
            self.0.subscriptions.resume(&session);
            // The agent answers with everything it has.
            drop(session.tell(ToAgent::SystemInfoRequest));
        }
    }

    /// Removes a deleted server.
    pub fn forget_server(&self, server_id: &ServerId) {
        let mut state = self.0.registry.lock();
        let Some(server) = state.servers.remove(server_id) else { return };
        if let Some(node) = state.nodes.get_mut(&server.node_id) {
            node.differences.remove(server_id);
        }
        drop(state);
        self.0.subscriptions.server_gone(server_id);
        self.0.legacy.server_gone(server_id);
        self.changes().server_gone(server_id);
        self.changes().node(&server.node_id);
    }

    fn server_changed(&self, server_id: &ServerId, node_id: &NodeId) {
        self.changes().server(server_id);
        self.changes().node(node_id);
        self.0.subscriptions.refresh(node_id);
    }
}

/// Requests.
impl Agents {
    /// Sends a request to a node and waits for the answer.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn ask(
        &self,
        node_id: &NodeId,
        message: ToAgent,
        deadline: Duration,
    ) -> Result<ToPanel, RequestError> {
        let session = self.session(node_id)?;
        let _turn = self.0.decoding.turn(&session, &message).await?;
        session.ask(message, deadline).await
    }

    /// Asks a node for its system info; `None` if it does not answer.
    pub async fn ask_system(&self, node_id: &NodeId) -> Option<SystemInfo> {
        match self.ask(node_id, ToAgent::SystemInfoRequest, SYSTEM_INFO_WITHIN).await {
            Ok(ToPanel::SystemInfo(info)) => Some(*info),
            _ => None,
        }
    }

    /// Sends a new server to its agent, in the background. If the agent is offline, the next sync does it.
    pub fn create(&self, server: Server) {
        self.0.reconciler.create(server);
    }

    /// Sends changed settings to the agent. If the agent is offline, the next sync does it. Waits a moment for the
    /// result, so that the caller sees what the settings mean for the running game.
    pub async fn update(&self, server_id: &ServerId, node_id: &NodeId) {
        self.0.reconciler.update(server_id, node_id).await;
    }

    /// Creates servers that the node was never given, and updates those it has.
    fn reconcile(&self, session: &Arc<Session>, has: HashMap<ServerId, Status>) {
        self.0.reconciler.reconcile(session, has);
    }

    /// Creates a server that its node has lost again, with an empty folder.
    ///
    /// # Errors
    /// [`RequestError`]; the server is still missing then.
    pub async fn recreate(&self, server: &Server) -> Result<(), RequestError> {
        self.0.reconciler.recreate(server).await
    }

    /// Sends settings again that the node refused before.
    ///
    /// # Errors
    /// [`RequestError`]; the difference remains then.
    pub async fn apply(&self, server: &Server) -> Result<(), RequestError> {
        self.0.reconciler.apply(server).await
    }

    /// Deletes a server on a node that is unknown to the panel.
    ///
    /// # Errors
    /// [`RequestError`]; the server still exists then.
    pub async fn remove_unknown(
        &self,
        node_id: &NodeId,
        server_id: &ServerId,
        within: Duration,
    ) -> Result<(), RequestError> {
        self.0.reconciler.remove_unknown(node_id, server_id, within).await
    }

    /// Asks a node for the settings of a server that is unknown to the panel. `None` if the agent does not support
    /// that.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn describe(
        &self,
        node_id: &NodeId,
        server_id: &ServerId,
    ) -> Result<Option<ServerDescription>, RequestError> {
        self.0.reconciler.describe(node_id, server_id).await
    }
}

/// Subscriptions.
impl Agents {
    /// Follows a console. Wakes `reader` when there is something new.
    pub fn watch_console(&self, server_id: &ServerId, node_id: &NodeId, reader: Arc<Notify>) -> ConsoleWatch {
        self.0.subscriptions.watch_console(server_id, node_id, reader)
    }

    /// Follows a server's stats. Wakes `reader` when there is something new.
    pub fn watch_stats(&self, server_id: &ServerId, node_id: &NodeId, reader: Arc<Notify>) -> StatsWatch {
        self.0.subscriptions.watch_stats(server_id, node_id, reader)
    }

    /// Follows a list until the guard is dropped.
    pub fn watch_list(&self, topic: AgentTopic) -> TopicGuard {
        self.0.subscriptions.watch_list(topic)
    }

    /// Follows a list of these servers until the guard is dropped.
    pub fn watch_some(&self, server_ids: impl Iterator<Item = ServerId>) -> TopicGuard {
        self.0.subscriptions.watch_some(server_ids)
    }

    /// Keeps a list current for a while after it was read by HTTP, in case it is read again.
    pub fn keep_fresh(&self, topic: AgentTopic) {
        self.0.subscriptions.keep_fresh(topic);
    }
}
