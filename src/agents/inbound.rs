//! Handles the messages of agents. A node can only report on its own servers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::{
    ConsoleLines, Envelope, NodeId, ServerId, ServerStatus, Stats, Status, Sync, SystemInfo, ToPanel,
    capability,
};

use super::differences::Difference;
use super::reconcile::Reconciler;
use super::registry::Registry;
use super::registry_logins::RegistryLogins;
use super::session::Session;
use super::subscriptions::Subscriptions;
use crate::system::clock;

/// How often followers of the server list are notified of new stats.
const LIST_STATS_EVERY: Duration = Duration::from_millis(1900);
/// Unknown servers that are remembered per node …
const MOST_UNKNOWN: usize = 1000;
/// … and for all nodes together, apart from a few of each.
const UNKNOWN_IN_ALL: usize = 2000;
const FEW_UNKNOWN: usize = 100;
/// Minimum interval between two writes of a node's system info.
const SYSTEM_EVERY: Duration = Duration::from_secs(60);

/// Handles the messages of all agents. Cheap to clone.
#[derive(Clone)]
pub(super) struct Inbound {
    registry: Arc<Registry>,
    subscriptions: Subscriptions,
    reconciler: Reconciler,
}

impl Inbound {
    pub(super) fn new(registry: Arc<Registry>, subscriptions: Subscriptions, reconciler: Reconciler) -> Self {
        Self { registry, subscriptions, reconciler }
    }

    /// Handles one message of an agent.
    pub(super) fn receive(&self, session: &Arc<Session>, mut envelope: Envelope<ToPanel>) {
        if !self.registry.note_heard(session) {
            return;
        }
        let id = envelope.message_id.as_deref();
        match &mut envelope.message {
            ToPanel::SystemInfo(info) => self.system_info(session, info),
            ToPanel::ServerStatus(status) => self.server_status(session.node_id(), status),
            ToPanel::Sync(sync) => self.sync(session, sync),
            ToPanel::ConsoleLines(lines) => {
                if id.is_none() {
                    self.console_lines(session.node_id(), std::mem::take(lines));
                } else if !id.is_some_and(|id| session.is_private(id)) {
                    self.console_lines(session.node_id(), lines.clone());
                }
            }
            ToPanel::ServerStats(sample) => {
                if self.registry.owns(session.node_id(), &sample.server_id) {
                    self.stats(&sample.server_id, sample.stats.clone());
                }
            }
            ToPanel::NodeStats(usage) => {
                if let Some(node) = self.registry.lock().bookkeeping().nodes.get_mut(session.node_id()) {
                    node.usage = Some(usage.clone());
                }
                self.registry.changes.node(session.node_id());
            }
            ToPanel::FileProgress(progress) => {
                if self.registry.owns(session.node_id(), &progress.server_id) {
                    session.jobs.note(progress.clone());
                }
            }
            ToPanel::Error(report) if id.is_none() => {
                if session.should_log(report.code.as_str())
                    && self.registry.may_log(session.node_id(), "error")
                {
                    let brief = |text: &str| text.chars().take(500).collect::<String>();
                    let (code, said) = (brief(report.code.as_str()), brief(&report.message));
                    tracing::warn!(node = %session.node_id(), code, said, "agent error");
                }
            }
            ToPanel::Heartbeat(_)
            | ToPanel::Error(_)
            | ToPanel::Ack(_)
            | ToPanel::Progress(_)
            | ToPanel::ServerOutput(_)
            | ToPanel::FileContent(_)
            | ToPanel::StatsHistory(_)
            | ToPanel::HostReport(_)
            | ToPanel::ServerDescription(_)
            | ToPanel::TransferSize(_)
            | ToPanel::FileEntries(_)
            | ToPanel::FileInfo(_)
            | ToPanel::FileDone(_)
            | ToPanel::FileTrashList(_)
            | ToPanel::FileVersionList(_)
            | ToPanel::FileMatches(_)
            | ToPanel::DiskUsageReport(_)
            | ToPanel::UploadInfo(_)
            | ToPanel::BackupReport(_)
            | ToPanel::PlayersReport(_)
            | ToPanel::ReachReport(_)
            | ToPanel::SchedulesReport(_) => {}
        }
        if let Some(id) = id
            && !matches!(envelope.message, ToPanel::Progress(_) | ToPanel::FileProgress(_))
        {
            session.settle(id, envelope.message);
        }
    }

    fn system_info(&self, session: &Session, info: &SystemInfo) {
        let node_id = session.node_id();
        if info.capabilities.iter().any(|word| word == capability::REGISTRY) {
            session.send_logins(RegistryLogins::new(self.registry.store.clone()));
        }
        let stored = storable(info);
        let mut state = self.registry.lock();
        let Some(node) = state.nodes.get_mut(node_id) else { return };
        let firewall = node.system.as_ref().and_then(|system| system.firewall.as_ref());
        let firewall_changed = firewall != info.firewall.as_ref();
        node.system = Some(info.clone());
        let changed = node.stored.json != stored;
        node.stored.json = stored;
        let due = changed && !node.stored.waits;
        node.stored.waits |= changed;
        let affected = if firewall_changed { state.servers_of(node_id) } else { Vec::new() };
        drop(state);
        for server in affected {
            self.registry.changes.server(&server);
        }
        self.registry.changes.node(node_id);
        if due {
            self.persist_system(node_id.to_owned());
        }
    }

    /// Stores the system info, only if it changed and at most once a minute: an agent may report something new each
    /// time, and SD cards wear out.
    fn persist_system(&self, node_id: NodeId) {
        let (registry, token) = (Arc::clone(&self.registry), self.registry.tasks.token());
        let written = registry.lock().nodes.get(&node_id).and_then(|node| node.stored.written);
        drop(self.registry.tasks.spawn("node-system", async move {
            if let Some(written) = written {
                tokio::select! {
                    () = tokio::time::sleep_until((written + SYSTEM_EVERY).into()) => {}
                    // The panel is stopping: store the latest now.
                    () = token.cancelled() => {}
                }
            }
            let system = {
                let mut state = registry.lock();
                let Some(node) = state.bookkeeping().nodes.get_mut(&node_id) else { return };
                node.stored.waits = false;
                node.stored.written = Some(Instant::now());
                node.stored.json.clone()
            };
            let write = registry.store.write(move |tx| {
                let Some(mut node) = storage::nodes::get(tx, &node_id)? else { return Ok(()) };
                node.system = system;
                node.last_seen = Some(clock::now());
                storage::nodes::update(tx, &node)
            });
            if let Err(error) = write.await {
                tracing::debug!(%error, "could not store a node's system info");
            }
        }));
    }

    fn server_status(&self, node_id: &NodeId, status: &ServerStatus) {
        if !self.registry.owns(node_id, &status.server_id) {
            if status.status == Status::Deleted {
                self.registry.note_unknown_gone(node_id, &status.server_id);
            }
            return;
        }
        let mut state = self.registry.lock();
        let Some(server) = state.servers.get_mut(&status.server_id) else { return };
        // A repeated status is no change for followers.
        let same = server.status.as_ref() == Some(status);
        server.note(status.clone());
        // An agent that reports a server has it.
        let found = status.status != Status::Deleted && state.settle_missing(node_id, &status.server_id);
        drop(state);
        if let Some(stats) = &status.stats {
            self.stats(&status.server_id, stats.clone());
        }
        if !same {
            self.registry.changes.server(&status.server_id);
        }
        if found {
            self.registry.changes.node(node_id);
        }
    }

    fn sync(&self, session: &Arc<Session>, sync: &Sync) {
        let node_id = session.node_id();
        let mut state = self.registry.lock();
        let mut differences = BTreeMap::new();
        let mut has = HashMap::new();
        let mut confirmed = Vec::new();
        let mut unknown = 0;
        let others = state.nodes.iter().filter(|(id, _)| *id != node_id);
        let taken: usize = others.map(|(_, node)| node.differences.len()).sum();
        let room = UNKNOWN_IN_ALL.saturating_sub(taken).clamp(FEW_UNKNOWN, MOST_UNKNOWN);
        for status in &sync.servers {
            let id = &status.server_id;
            match state.servers.get_mut(id) {
                Some(server) if server.node_id == node_id => {
                    server.note(status.clone());
                    if !std::mem::replace(&mut server.handed_over, true) {
                        confirmed.push(id.clone());
                    }
                    has.insert(id.clone(), status.status.clone());
                }
                other => {
                    unknown += 1;
                    if id.is_valid() && differences.len() < room {
                        let elsewhere = other.map(|server| server.node_id.clone());
                        differences.insert(id.clone(), Difference::unknown(status, elsewhere));
                    }
                }
            }
        }
        let ours = state.servers_of(node_id);
        // Uses what had been acknowledged before this sync was read. The answer to a create request may arrive at the
        // same time; that server is not lost.
        for id in &ours {
            let lost =
                state.servers.get(id).is_some_and(|server| server.handed_over) && !has.contains_key(id);
            if lost {
                differences.insert(id.clone(), Difference::missing());
            }
        }
        if let Some(node) = state.nodes.get_mut(node_id) {
            // Logged once for each set of servers, because an agent may sync at any rate.
            if !differences.is_empty()
                && node.differences != differences
                && node.log.take("differences", Instant::now())
            {
                let lost: Vec<_> = ours.iter().filter(|id| differences.contains_key(*id)).take(10).collect();
                let some: Vec<_> = differences.keys().take(10).collect();
                tracing::warn!(
                    node = %node_id,
                    unknown,
                    servers = ?some,
                    ?lost,
                    "the node has servers that this panel does not know, or has lost some"
                );
            }
            node.differences = differences;
        }
        drop(state);
        self.registry.changed(node_id, &ours);
        self.registry.note_handed_over(confirmed);
        self.subscriptions.resume(session);
        self.reconciler.reconcile(session, has);
    }

    fn console_lines(&self, node_id: &NodeId, lines: ConsoleLines) {
        if self.registry.owns(node_id, &lines.server_id) {
            self.subscriptions.lines(lines);
        }
    }

    fn stats(&self, server_id: &ServerId, stats: Stats) {
        let mut state = self.registry.lock();
        let Some(server) = state.servers.get_mut(server_id) else { return };
        let now = Instant::now();
        server.stats = Some((stats.clone(), now));
        let list_watched = self.subscriptions.is_listed(server_id);
        let due = server.listed_stats.is_none_or(|last| now.duration_since(last) >= LIST_STATS_EVERY);
        if list_watched && due {
            server.listed_stats = Some(now);
        }
        drop(state);
        self.subscriptions.sample(server_id, stats);
        if list_watched && due {
            self.registry.changes.server(server_id);
        }
    }
}

/// The part of the system info that is stored, as JSON: without values that change all the time.
fn storable(info: &SystemInfo) -> Option<String> {
    let lasting = SystemInfo { problems: Vec::new(), engine: None, firewall: None, ..info.clone() };
    serde_json::to_string(&lasting).ok()
}
