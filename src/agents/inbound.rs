//! What an agent's message means for the registry. An agent's word counts for its own servers only.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent::protocol::{
    ConsoleLine, ConsoleLines, Envelope, ServerStatus, Stats, Status, Sync, SystemInfo, ToPanel,
    valid_server_id,
};

use super::differences::Difference;
use super::registry::{Agents, ServerState};
use super::session::Session;
use crate::system::clock;

/// How often the list of servers tells of a new sample.
const LIST_STATS_EVERY: Duration = Duration::from_millis(1900);
/// Servers of one node that are unknown here and yet remembered …
const MOST_STRANGERS: usize = 1000;
/// … of all nodes, but for a few of each.
const STRANGERS_IN_ALL: usize = 2000;
const FEW_STRANGERS: usize = 100;
/// Between two writes of what a node says of itself.
const SYSTEM_EVERY: Duration = Duration::from_secs(60);

impl Agents {
    /// Takes one message of an agent.
    pub fn receive(&self, session: &Arc<Session>, mut envelope: Envelope<ToPanel>) {
        if !self.is_current(session) {
            return;
        }
        let id = envelope.message_id.as_deref();
        match &mut envelope.message {
            ToPanel::SystemInfo(info) => self.system_info(session, info),
            ToPanel::ServerStatus(status) => {
                self.server_status(session.node_id(), status);
            }
            ToPanel::Sync(sync) => self.sync(session, sync),
            ToPanel::ConsoleLines(lines) => {
                if id.is_none() {
                    self.console_lines(session.node_id(), std::mem::take(lines));
                } else if !id.is_some_and(|id| session.is_private(id)) {
                    self.console_lines(session.node_id(), lines.clone());
                }
            }
            ToPanel::ServerOutput(output) => {
                // An agent without numbered lines: they are numbered and kept here.
                let lines = output.output.split('\n').map(|text| ConsoleLine {
                    seq: 0,
                    time: output.timestamp,
                    stream: output.stream,
                    text: text.to_owned(),
                    truncated: false,
                });
                if self.owns(session.node_id(), &output.server_id) {
                    let server_id = output.server_id.clone();
                    let lines = self.0.kept_lines.note(&server_id, lines.collect());
                    self.0.watching.lines(ConsoleLines { server_id, lines, ..ConsoleLines::default() });
                }
            }
            ToPanel::ServerStats(sample) => {
                if self.owns(session.node_id(), &sample.server_id) {
                    self.stats(&sample.server_id, sample.stats.clone());
                }
            }
            ToPanel::NodeStats(usage) => {
                if let Some(node) = self.lock().nodes.get_mut(session.node_id()) {
                    node.usage = Some(usage.clone());
                }
                self.0.changes.node(session.node_id());
            }
            ToPanel::Error(report) if id.is_none() => {
                if session.should_log(&report.code) && self.may_log(session.node_id(), "error") {
                    let brief = |text: &str| text.chars().take(500).collect::<String>();
                    let (code, said) = (brief(&report.code), brief(&report.message));
                    tracing::warn!(node = session.node_id(), code, said, "agent error");
                }
            }
            ToPanel::Heartbeat(_)
            | ToPanel::Error(_)
            | ToPanel::Ack(_)
            | ToPanel::Progress(_)
            | ToPanel::FileContent(_)
            | ToPanel::StatsHistory(_)
            | ToPanel::HostReport(_)
            | ToPanel::ServerDescription(_)
            | ToPanel::TransferSize(_) => {}
        }
        if id.is_none() && !session.answers() {
            session.hear(&envelope.message);
        }
        if let Some(id) = id
            && !matches!(envelope.message, ToPanel::Progress(_))
        {
            session.settle(id, envelope.message);
        }
    }

    /// Notes that the node was heard; false for a connection that was replaced.
    fn is_current(&self, session: &Session) -> bool {
        let mut state = self.lock();
        let Some(node) = state.nodes.get_mut(session.node_id()) else { return false };
        let current = node.session.as_ref().is_some_and(|current| current.number() == session.number());
        if current {
            node.last_heard = Some(clock::now());
        }
        current
    }

    fn owns(&self, node_id: &str, server_id: &str) -> bool {
        let owns = self.lock().servers.get(server_id).is_some_and(|server| server.node_id == node_id);
        if !owns {
            tracing::debug!(
                node = node_id,
                server = server_id,
                "dropped a message about a server that is not there"
            );
        }
        owns
    }

    fn system_info(&self, session: &Session, info: &SystemInfo) {
        let node_id = session.node_id();
        let stored = storable(info);
        let mut state = self.lock();
        let Some(node) = state.nodes.get_mut(node_id) else { return };
        let firewall = node.system.as_ref().and_then(|system| system.firewall.as_ref());
        let firewall_changed = firewall != info.firewall.as_ref();
        node.system = Some(info.clone());
        let changed = node.stored_system != stored;
        node.stored_system = stored;
        let due = changed && !node.system_waits;
        node.system_waits |= changed;
        let affected = if firewall_changed { state.servers_of(node_id) } else { Vec::new() };
        drop(state);
        for server in affected {
            self.0.changes.server(&server);
        }
        self.0.changes.node(node_id);
        if due {
            self.persist_system(node_id.to_owned());
        }
    }

    /// Written only when it differs from what is there, and once a minute at most: an SD card wears out, and an agent may
    /// say something else each time.
    fn persist_system(&self, node_id: String) {
        let (agents, store, token) = (self.clone(), self.0.store.clone(), self.0.tasks.token());
        let written = self.lock().nodes.get(&node_id).and_then(|node| node.system_written);
        drop(self.0.tasks.spawn("node-system", async move {
            if let Some(written) = written {
                tokio::select! {
                    () = tokio::time::sleep_until((written + SYSTEM_EVERY).into()) => {}
                    // What it said last is kept when we end.
                    () = token.cancelled() => {}
                }
            }
            let system = {
                let mut state = agents.lock();
                let Some(node) = state.nodes.get_mut(&node_id) else { return };
                node.system_waits = false;
                node.system_written = Some(Instant::now());
                node.stored_system.clone()
            };
            let write = store.write(move |tx| {
                let Some(mut node) = storage::nodes::get(tx, &node_id)? else { return Ok(()) };
                node.system = system;
                node.last_seen = Some(clock::now());
                storage::nodes::update(tx, &node)
            });
            if let Err(error) = write.await {
                tracing::debug!(%error, "could not keep a node's system info");
            }
        }));
    }

    pub(super) fn server_status(&self, node_id: &str, status: &ServerStatus) {
        if !self.owns(node_id, &status.server_id) {
            if status.status == Status::Deleted {
                self.gone_there(node_id, &status.server_id);
            }
            return;
        }
        let mut state = self.lock();
        let Some(server) = state.servers.get_mut(&status.server_id) else { return };
        // Said again, it is nothing new to those who look.
        let same = server.status.as_ref() == Some(status);
        server.note(status.clone());
        // Whoever speaks of it has it.
        let found = status.status != Status::Deleted && state.settle_missing(node_id, &status.server_id);
        drop(state);
        if let Some(stats) = &status.stats {
            self.stats(&status.server_id, stats.clone());
        }
        if !same {
            self.0.changes.server(&status.server_id);
        }
        if found {
            self.0.changes.node(node_id);
        }
    }

    fn sync(&self, session: &Arc<Session>, sync: &Sync) {
        let node_id = session.node_id();
        let mut state = self.lock();
        let mut differences = BTreeMap::new();
        let mut has = HashMap::new();
        let mut news = Vec::new();
        let mut strangers = 0;
        let others = state.nodes.iter().filter(|(id, _)| *id != node_id);
        let taken: usize = others.map(|(_, node)| node.differences.len()).sum();
        let room = STRANGERS_IN_ALL.saturating_sub(taken).clamp(FEW_STRANGERS, MOST_STRANGERS);
        for status in &sync.servers {
            let id = &status.server_id;
            match state.servers.get_mut(id) {
                Some(server) if server.node_id == node_id => {
                    server.note(status.clone());
                    if !std::mem::replace(&mut server.handed_over, true) {
                        news.push(id.clone());
                    }
                    has.insert(id.clone(), status.status.clone());
                }
                other => {
                    strangers += 1;
                    if valid_server_id(id) && differences.len() < room {
                        let elsewhere = other.map(|server| server.node_id.clone());
                        differences.insert(id.clone(), Difference::unknown(status, elsewhere));
                    }
                }
            }
        }
        let ours = state.servers_of(node_id);
        // Said now, by what had been acknowledged before this sync was read: an answer to a creation that crosses it must
        // not make its server one that was lost.
        for id in &ours {
            let lost =
                state.servers.get(id).is_some_and(|server| server.handed_over) && !has.contains_key(id);
            if lost {
                differences.insert(id.clone(), Difference::missing());
            }
        }
        if let Some(node) = state.nodes.get_mut(node_id) {
            // Said once for each lot: an agent may sync as often as it likes.
            if !differences.is_empty()
                && node.differences != differences
                && node.log.take("differences", Instant::now())
            {
                let lost: Vec<_> = ours.iter().filter(|id| differences.contains_key(*id)).take(10).collect();
                let some: Vec<_> = differences.keys().take(10).collect();
                tracing::warn!(
                    node = node_id,
                    strangers,
                    servers = ?some,
                    ?lost,
                    "the node has servers that this panel does not know, or has lost some"
                );
            }
            node.differences = differences;
        }
        drop(state);
        for id in &ours {
            self.0.changes.server(id);
        }
        self.0.changes.node(node_id);
        self.note_handed_over(news);
        self.follow_again(session);
        self.reconcile(session, has);
    }

    fn console_lines(&self, node_id: &str, lines: ConsoleLines) {
        if self.owns(node_id, &lines.server_id) {
            self.0.watching.lines(lines);
        }
    }

    fn stats(&self, server_id: &str, stats: Stats) {
        let mut state = self.lock();
        let Some(server) = state.servers.get_mut(server_id) else { return };
        let now = Instant::now();
        server.stats = Some((stats.clone(), now));
        let list_watched = self.0.watching.is_listed(server_id);
        let due = server.told_stats.is_none_or(|told| now.duration_since(told) >= LIST_STATS_EVERY);
        if list_watched && due {
            server.told_stats = Some(now);
        }
        drop(state);
        self.0.watching.sample(server_id, stats);
        if list_watched && due {
            self.0.changes.server(server_id);
        }
    }

    /// A server that could not be handed to its agent.
    pub(super) fn note_failed(&self, server_id: &str, reason: &str) {
        let mut state = self.lock();
        let Some(server) = state.servers.get_mut(server_id) else { return };
        let mut status = ServerStatus::new(server_id, Status::InstallFailed);
        status.error = Some(reason.to_owned());
        server.note(status);
        drop(state);
        self.0.changes.server(server_id);
    }
}

impl ServerState {
    fn note(&mut self, status: ServerStatus) {
        if !matches!(status.status, Status::Starting | Status::Running | Status::Paused | Status::Stopping) {
            self.stats = None;
        }
        self.status = if status.status == Status::Deleted { None } else { Some(status) };
    }
}

/// What is kept of the system info: not what is true only for the moment.
fn storable(info: &SystemInfo) -> Option<String> {
    let lasting = SystemInfo { problems: Vec::new(), engine: None, firewall: None, ..info.clone() };
    serde_json::to_string(&lasting).ok()
}
