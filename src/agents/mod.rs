//! The agents: who is connected, the last known state of nodes and servers, and requests to them.
//!
//! From the bottom up; no file knows one above it:
//! - `session` is one connected agent: requests with deadlines over a bounded queue. `state` is plain data, `differences`
//!   what a node has and should not have, or the reverse, `error` why a request has no answer.
//! - `registry` holds the state and the [`Changes`], by which live connections ask "what is new since?".
//! - `subscriptions` knows who follows which console, stats and lists, and tells agents to send exactly that.
//!   `reconcile` makes an agent's servers what the store says. `legacy` is all for legacy agents.
//! - `inbound` takes the messages of agents.
//! - [`Agents`] is the front that the rest of the panel sees.
//! - [`local`] starts the agent in this process, [`remote`] serves the connections of those on other machines.

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
pub use convert::{behaviour_record, create_message, port_message, update_message};
pub use differences::{Difference, Kind as DifferenceKind};
pub use error::RequestError;
pub use link_stats::LinkSnapshot;
pub use session::Session;
pub use state::{NodeSnapshot, ServerSnapshot};
pub use stats::{Sample, StatsFeed};
pub use subscriptions::{AgentTopic, ConsoleWatch, StatsWatch, TopicGuard};

/// How long a node may take to describe itself.
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

    /// An agent has connected. Its messages go to [`Agents::receive`], the returned queue to it. A second connection of
    /// the same node replaces the first.
    pub fn attach(&self, node_id: &NodeId) -> (Arc<Session>, mpsc::Receiver<Envelope<ToAgent>>) {
        self.attach_as(node_id, None)
    }

    /// The same of an agent that names its process.
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

    /// Its link has ended. The end of a connection that was replaced changes nothing.
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

    /// Takes one message of an agent.
    pub fn receive(&self, session: &Arc<Session>, envelope: Envelope<ToPanel>) {
        self.0.inbound.receive(session, envelope);
    }

    /// Whether a new connection is refused because two machines use this id and one of them is connected.
    pub fn turns_away(&self, node_id: &NodeId, process: Option<&str>) -> bool {
        self.session(node_id).is_ok() && self.0.duplicates.turns_away(node_id, process)
    }

    /// Cancelled when the secret that admitted a node's connections is no longer valid, or the panel ends.
    pub fn admission(&self, node_id: &NodeId) -> Option<CancellationToken> {
        let registry = &self.0.registry;
        let mut state = registry.lock();
        let node = state.bookkeeping().nodes.get_mut(node_id)?;
        Some(node.admission.get_or_insert_with(|| registry.tasks.token().child_token()).clone())
    }

    /// Ends a node's connections; new ones have to be admitted again.
    pub fn cut_off(&self, node_id: &NodeId) {
        let admission = self.0.registry.lock().nodes.get_mut(node_id).and_then(|node| node.admission.take());
        if let Some(admission) = admission {
            admission.cancel();
        }
    }

    /// The number of a node's connection, by which it differs from later ones.
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

    /// Stores when nodes were last heard: soon once they are gone, seldom while they are connected, and at the end.
    pub async fn keep_last_seen(&self) {
        last_seen::keep(&self.0.registry).await;
    }

    fn registry(&self) -> &Registry {
        &self.0.registry
    }
}

/// What is known.
impl Agents {
    /// What changed, for live connections.
    pub fn changes(&self) -> &Changes {
        &self.0.registry.changes
    }

    /// What is known of a node.
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

    /// A node is connected, and its agent does not have this capability.
    pub fn lacks(&self, node_id: &NodeId, capability: &str) -> bool {
        let node = self.node(node_id);
        let same = |name: &String| name == capability;
        node.online && !node.system.is_some_and(|system| system.capabilities.iter().any(same))
    }

    /// Each node with its CPU's architecture; empty where that is not known.
    pub fn architectures(&self) -> Vec<(NodeId, String)> {
        self.0.registry.lock().architectures()
    }

    /// What is known of a server.
    pub fn server(&self, server_id: &ServerId) -> ServerSnapshot {
        self.0.registry.lock().server(server_id)
    }

    /// Counts the changes of what [`Self::server`] tells, but for samples that grow old
    /// ([`ServerSnapshot::stats_until`]).
    pub fn revision(&self) -> u64 {
        self.0.registry.revision()
    }

    /// The node of a server.
    pub fn node_of(&self, server_id: &ServerId) -> Option<NodeId> {
        self.0.registry.node_of(server_id)
    }

    /// How a server of a node differs from what it should be.
    pub fn difference(&self, node_id: &NodeId, server_id: &ServerId) -> Option<Difference> {
        self.0.registry.lock().nodes.get(node_id).and_then(|node| node.differences.get(server_id).cloned())
    }

    /// Work at a node that must not be interrupted, as the end of a sentence.
    pub fn busy(&self, node_id: &NodeId) -> Option<String> {
        self.0.registry.lock().busy(node_id)
    }

    /// How many servers of a node run.
    pub fn running_on(&self, node_id: &NodeId) -> usize {
        self.0.registry.lock().running_on(node_id)
    }
}

/// Nodes and servers come, change and go.
impl Agents {
    /// A node was made, or has another name. Its agent may have yet to come.
    pub fn add_node(&self, node_id: &NodeId, name: &str) {
        let mut state = self.0.registry.lock();
        name.clone_into(&mut state.nodes.entry(node_id.to_owned()).or_default().name);
        let servers = state.servers_of(node_id);
        drop(state);
        self.0.registry.changed(node_id, &servers);
    }

    /// Something about a node changed that is kept elsewhere.
    pub fn node_changed(&self, node_id: &NodeId) {
        self.changes().node(node_id);
    }

    /// A node was deleted: a connected agent of it is cut off.
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

    /// A server was put on a node. `installing` until the agent reports more, where it can be told now.
    pub fn place(&self, server_id: &ServerId, node_id: &NodeId) {
        self.0.registry.lock().place(server_id, node_id);
        self.server_changed(server_id, node_id);
    }

    /// A server that was unknown here belongs to this panel now.
    pub fn adopted(&self, server_id: &ServerId, node_id: &NodeId) {
        self.0.registry.lock().adopt(server_id, node_id);
        self.server_changed(server_id, node_id);
    }

    /// A server has moved: from now on the messages of its new node count, and its followers follow it there.
    pub fn moved(&self, server_id: &ServerId, node_id: &NodeId) {
        let before = self.0.registry.lock().move_to(server_id, node_id);
        self.server_changed(server_id, node_id);
        if let Some(before) = before {
            self.changes().node(&before);
            self.0.subscriptions.refresh(&before);
        }
        if let Ok(session) = self.session(node_id) {
            self.0.subscriptions.resume(&session);
            // Its answer is followed by all that the node has.
            drop(session.tell(ToAgent::SystemInfoRequest));
        }
    }

    /// A server was deleted.
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
    /// Asks a node and waits for the answer.
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

    /// Asks a node what it is now.
    pub async fn ask_system(&self, node_id: &NodeId) -> Option<SystemInfo> {
        match self.ask(node_id, ToAgent::SystemInfoRequest, SYSTEM_INFO_WITHIN).await {
            Ok(ToPanel::SystemInfo(info)) => Some(*info),
            _ => None,
        }
    }

    /// Tells the agent of a new server, in the background. Where it is offline, the next sync does it.
    pub fn create(&self, server: Server) {
        self.0.reconciler.create(server);
    }

    /// Tells the agent of changed settings. Where it is offline, the next sync does it. Waits a moment for the agent to
    /// have them, so that the caller sees what they mean for the running game.
    pub async fn update(&self, server_id: &ServerId, node_id: &NodeId) {
        self.0.reconciler.update(server_id, node_id).await;
    }

    /// Creates on the node what it was never given, and updates what it has.
    fn reconcile(&self, session: &Arc<Session>, has: HashMap<ServerId, Status>) {
        self.0.reconciler.reconcile(session, has);
    }

    /// Makes a server that its node has lost again, with nothing in its folder.
    ///
    /// # Errors
    /// [`RequestError`]; it is still missing then.
    pub async fn recreate(&self, server: &Server) -> Result<(), RequestError> {
        self.0.reconciler.recreate(server).await
    }

    /// Gives a node settings that it refused before.
    ///
    /// # Errors
    /// [`RequestError`]; the difference stands then.
    pub async fn apply(&self, server: &Server) -> Result<(), RequestError> {
        self.0.reconciler.apply(server).await
    }

    /// Has a node delete a server that is unknown here.
    ///
    /// # Errors
    /// [`RequestError`]; it is still there then.
    pub async fn remove_unknown(
        &self,
        node_id: &NodeId,
        server_id: &ServerId,
        within: Duration,
    ) -> Result<(), RequestError> {
        self.0.reconciler.remove_unknown(node_id, server_id, within).await
    }

    /// What a node says of a server that is unknown here. `None` from an agent that cannot describe servers.
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

/// What is followed.
impl Agents {
    /// Follows a console. `reader` is woken when there is something new.
    pub fn watch_console(&self, server_id: &ServerId, node_id: &NodeId, reader: Arc<Notify>) -> ConsoleWatch {
        self.0.subscriptions.watch_console(server_id, node_id, reader)
    }

    /// Follows stats. `reader` is woken when there is something new.
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

    /// A list was read once, and may be again: keeps it current for a while.
    pub fn keep_fresh(&self, topic: AgentTopic) {
        self.0.subscriptions.keep_fresh(topic);
    }
}
