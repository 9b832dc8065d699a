//! Shared by all parts of this folder: state of nodes and servers, change log, store and tasks.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use agent::LinkTimes;
use protocol::{NodeId, ServerId, ServerStatus, Status};
use storage::Store;
use storage::servers::Server;

use super::changes::Changes;
use super::differences::{Difference, Kind};
use super::error::RequestError;
use super::session::Session;
use super::state::{NodeState, ServerState, State, StoredSystem};
use crate::system::clock;
use crate::system::shutdown::Tasks;

pub(super) struct Registry {
    pub(super) store: Store,
    pub(super) tasks: Tasks,
    pub(super) times: LinkTimes,
    pub(super) changes: Changes,
    state: Mutex<State>,
    /// Incremented with each change of the state.
    revision: AtomicU64,
}

/// Lock on the state. Each mutable access counts as a change.
pub(super) struct StateGuard<'r> {
    state: MutexGuard<'r, State>,
    revision: &'r AtomicU64,
}

impl Deref for StateGuard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for StateGuard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.revision.fetch_add(1, Ordering::AcqRel);
        &mut self.state
    }
}

impl StateGuard<'_> {
    /// Mutable access that does not count as a change: for fields no server snapshot shows, some of which change with
    /// every message.
    pub(super) fn bookkeeping(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Registry {
    /// Loads nodes and servers from the store. No agent is connected yet.
    pub(super) fn load(store: Store, tasks: Tasks, times: LinkTimes) -> storage::Result<Self> {
        let mut state = State::default();
        let (nodes, servers) = store.read_now(|tx| {
            Ok::<_, storage::Error>((storage::nodes::list(tx)?, storage::servers::list(tx)?))
        })?;
        for node in nodes {
            let system = node.system.as_deref().and_then(|text| serde_json::from_str(text).ok());
            let known = NodeState {
                name: node.name,
                system,
                stored: StoredSystem { json: node.system, ..StoredSystem::default() },
                last_heard: node.last_seen,
                away_since: node.last_seen,
                ..NodeState::default()
            };
            state.nodes.insert(node.id, known);
        }
        for server in servers {
            state.servers.insert(server.id, ServerState::new(server.node_id, server.handed_over));
        }
        Ok(Self {
            store,
            tasks,
            times,
            changes: Changes::default(),
            state: Mutex::new(state),
            revision: AtomicU64::new(0),
        })
    }

    pub(super) fn lock(&self) -> StateGuard<'_> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        StateGuard { state, revision: &self.revision }
    }

    /// Counter of changes to the data behind server snapshots. A change increments it before the state is unlocked. So
    /// what was read at a revision stays valid while the revision is the same, except for stats that expire.
    pub(super) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// The node's session. Fails with [`RequestError::Offline`] if it has none.
    pub(super) fn session(&self, node_id: &NodeId) -> Result<Arc<Session>, RequestError> {
        self.lock().nodes.get(node_id).and_then(|node| node.session.clone()).ok_or(RequestError::Offline)
    }

    /// Whether the node exists.
    pub(super) fn has_node(&self, node_id: &NodeId) -> bool {
        self.lock().nodes.contains_key(node_id)
    }

    /// The node of a server; `None` for an unknown server.
    pub(super) fn node_of(&self, server_id: &ServerId) -> Option<NodeId> {
        self.lock().servers.get(server_id).map(|server| server.node_id.clone())
    }

    /// Notes that a message of the node arrived; returns false if the connection has been replaced.
    pub(super) fn note_heard(&self, session: &Session) -> bool {
        let mut state = self.lock();
        let Some(node) = state.bookkeeping().nodes.get_mut(session.node_id()) else { return false };
        let current = node.session.as_ref().is_some_and(|current| current.number() == session.number());
        if current {
            node.last_heard = Some(clock::now());
        }
        current
    }

    /// Whether a server is placed on this node. Messages about other servers are dropped.
    pub(super) fn owns(&self, node_id: &NodeId, server_id: &ServerId) -> bool {
        let owns = self.lock().is_on(server_id, node_id);
        if !owns {
            tracing::debug!(
                node = %node_id,
                server = %server_id,
                "dropped a message about a server that is not there"
            );
        }
        owns
    }

    /// Counts a log line of this kind about a node; returns whether it may be written.
    pub(super) fn may_log(&self, node_id: &NodeId, kind: &'static str) -> bool {
        let mut state = self.lock();
        state.bookkeeping().nodes.get_mut(node_id).is_some_and(|node| node.log.take(kind, Instant::now()))
    }

    /// Notifies followers that these servers and their node have changed.
    pub(super) fn changed(&self, node_id: &NodeId, servers: &[ServerId]) {
        for server in servers {
            self.changes.server(server);
        }
        self.changes.node(node_id);
    }

    /// Records the result of sending a server's settings to its node.
    pub(super) fn note_update(&self, server: &Server, failure: Option<&RequestError>) {
        let reason = match failure {
            // The next sync tries again.
            Some(RequestError::Offline) => return,
            Some(RequestError::Refused(report)) => Some(report.message.clone()),
            Some(error) => Some(format!("{error}.")),
            None => None,
        };
        let mut state = self.lock();
        let Some(node) = state.nodes.get_mut(&server.node_id) else { return };
        let known = node.differences.get(&server.id).map(|known| known.kind);
        let changed = match (reason, known) {
            (_, Some(Kind::Missing | Kind::Unknown)) | (None, None) => false,
            (Some(reason), _) => {
                node.differences.insert(server.id.clone(), Difference::changed(&reason));
                true
            }
            (None, Some(Kind::Changed)) => node.differences.remove(&server.id).is_some(),
        };
        drop(state);
        if changed {
            self.changes.node(&server.node_id);
        }
    }

    /// Records, in memory and in the store, that agents have these servers.
    pub(super) fn note_handed_over(&self, ids: Vec<ServerId>) {
        if ids.is_empty() {
            return;
        }
        let mut state = self.lock();
        for id in &ids {
            if let Some(server) = state.servers.get_mut(id) {
                server.handed_over = true;
            }
        }
        drop(state);
        let store = self.store.clone();
        drop(self.tasks.spawn("handed-over", async move {
            let write = store.write(move |tx| storage::servers::set_handed_over_many(tx, &ids));
            if let Err(error) = write.await {
                tracing::debug!(%error, "could not store which servers their nodes have");
            }
        }));
    }

    /// Records that a server could not be handed to its agent.
    pub(super) fn note_failed(&self, server_id: &ServerId, reason: &str) {
        let mut state = self.lock();
        let Some(server) = state.servers.get_mut(server_id) else { return };
        let mut status = ServerStatus::new(server_id, Status::InstallFailed);
        status.error = Some(reason.to_owned());
        server.note(status);
        drop(state);
        self.changes.server(server_id);
    }

    /// Records that a node no longer has a server that it was given.
    pub(super) fn note_missing(&self, node_id: &NodeId, server_id: &ServerId) {
        let mut state = self.lock();
        if let Some(node) = state.nodes.get_mut(node_id) {
            node.differences.insert(server_id.to_owned(), Difference::missing());
        }
        drop(state);
        self.changes.server(server_id);
        self.changes.node(node_id);
    }

    /// Records that a server unknown to the panel is gone from its node.
    pub(super) fn note_unknown_gone(&self, node_id: &NodeId, server_id: &ServerId) {
        if self.lock().remove_difference(node_id, server_id, Kind::Unknown) {
            self.changes.node(node_id);
        }
    }

    /// Records that a difference was resolved.
    pub(super) fn note_resolved(&self, node_id: &NodeId, server_id: &ServerId) {
        let mut state = self.lock();
        if let Some(node) = state.nodes.get_mut(node_id) {
            node.differences.remove(server_id);
        }
        if let Some(server) = state.servers.get_mut(server_id)
            && server.node_id == node_id
            && server.status.is_none()
        {
            server.status = Some(ServerStatus::new(server_id, Status::Installing));
        }
        drop(state);
        self.changes.server(server_id);
        self.changes.node(node_id);
    }
}
