//! What the agent reports to the panel on its own: the state of the machine and its servers, and heartbeats.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use protocol::{Envelope, Firewall, Heartbeat, Problem, Sync, ToPanel, capability};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::AgentConfig;
use crate::host::Host;
use crate::link::Outbox;
use crate::runtime::engine_watch::{EngineState, EngineWatch};
use crate::supervisor::Supervisor;
use crate::upgrades::Folder;

/// Capabilities announced to the panel.
const CAPABILITIES: &[&str] = &[
    capability::DOCKER,
    capability::MONITORING,
    capability::ACK,
    capability::SYNC,
    capability::CONSOLE,
    capability::PARTIAL,
    capability::STATS,
    capability::INSTALL,
    capability::HOST_CHECK,
    capability::DESCRIBE,
    capability::FILES,
    capability::FILE_MANAGER,
    capability::FILES_SFTP,
    capability::PAUSE,
    capability::BLOCK_LAN,
    capability::TEMPLATES,
    capability::REGISTRY,
    capability::BACKUP,
    capability::BACKUP_TARGETS,
    capability::BACKUP_CONTENTS,
    capability::PLAYERS,
    capability::BACKUP_ADOPT,
    capability::REACH,
    capability::SCHEDULES,
];
/// Maximum time that the first `sync` waits for every server to be inspected.
const SETTLE: Duration = Duration::from_secs(3);
/// Interval of checks for problems of the machine.
const PROBLEMS: Duration = Duration::from_secs(60);

/// Reports to the panel. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    pub(crate) config: AgentConfig,
    pub(crate) out: Outbox<ToPanel>,
    pub(crate) watch: EngineWatch,
    pub(crate) host: Arc<Host>,
    pub(crate) servers: Supervisor,
    /// Whether the engine answers, for the samplers.
    pub(crate) engine_there: watch::Sender<bool>,
    /// Held from reading the engine's state until it is sent.
    pub(crate) reporting: Arc<Mutex<()>>,
}

impl Reporter {
    fn say(&self, message: ToPanel) {
        if let Err(error) = self.out.try_send(Envelope::new(message)) {
            tracing::debug!(%error, "a message could not be sent");
        }
    }

    /// Sends `system_info`. A request and a change may do so at the same time: the lock ensures that the newest state
    /// is sent last.
    pub(crate) fn tell_system_info(&self, tell: impl FnOnce(ToPanel)) {
        let _turn = self.reporting.lock().unwrap_or_else(PoisonError::into_inner);
        let engine = self.watch.state().report();
        let mut capabilities = CAPABILITIES.to_vec();
        capabilities.extend(self.config.carrier.as_ref().map(|_| capability::TRANSFER));
        let upgrades = self.config.guard.is_some() && self.config.release_key.is_some();
        capabilities.extend(upgrades.then_some(capability::UPGRADE));
        let mut info = self.host.system_info(&engine, &self.config.version, &capabilities);
        info.firewall = self.firewall();
        if self.config.guard.is_some() {
            info.upgrade = Folder::of(&self.config.data_dir).outcome();
        }
        tell(ToPanel::SystemInfo(Box::new(info)));
    }

    /// Sends the status of every server. A server may change and report that between reading its status and sending it
    /// here; such a status is sent again.
    pub(crate) fn tell_sync(&self) {
        let mut told = self.servers.statuses();
        self.say(ToPanel::Sync(Sync { servers: told.clone() }));
        loop {
            let now = self.servers.statuses();
            let overtaken: Vec<_> = now.iter().filter(|status| !told.contains(status)).cloned().collect();
            if overtaken.is_empty() {
                return;
            }
            for status in overtaken {
                self.say(ToPanel::ServerStatus(Box::new(status)));
            }
            told = now;
        }
    }

    /// Whether games can be isolated from the LAN; `None` if not known yet.
    fn firewall(&self) -> Option<Firewall> {
        let rules = self.config.networks.rules()?;
        Some(Firewall { active: rules.is_ok(), error: rules.err() })
    }

    fn problems(&self) -> Vec<Problem> {
        self.host.problems(&self.watch.state().report())
    }

    /// Sends `system_info` and `sync` at the start and when the engine comes back, `system_info` on changes, and
    /// heartbeats. Runs until `cancel`.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let mut engine = self.watch.subscribe();
        // The state is unknown until the first probe of the engine, which may take until its deadline.
        let _ = tokio::time::timeout(SETTLE, engine.wait_for(|state| *state != EngineState::NotYet)).await;
        let mut first = true;
        let mut heartbeat = tokio::time::interval(self.config.tunables.heartbeat);
        let mut check = tokio::time::interval(PROBLEMS);
        heartbeat.reset();
        check.reset();
        loop {
            let there = engine.borrow_and_update().is_there();
            self.engine_there.send_replace(there);
            self.tell_system_info(|info| self.say(info));
            let (mut told, mut firewall) = (self.problems(), self.firewall());
            if there {
                self.servers.find_legacy_containers().await;
                self.servers.settled(SETTLE).await;
            }
            if first || there {
                self.tell_sync();
                first = false;
            }
            loop {
                tokio::select! {
                    () = cancel.cancelled() => return,
                    changed = engine.changed() => {
                        if changed.is_err() {
                            return;
                        }
                        break;
                    }
                    _ = heartbeat.tick() => self.say(ToPanel::Heartbeat(Heartbeat {
                        node_id: self.config.node_id.clone(),
                        timestamp: Timestamp::now(),
                        status: "online".into(),
                    })),
                    _ = check.tick() => {
                        let now = self.problems();
                        let same = |a: &[Problem], b: &[Problem]| a.iter().map(|p| &p.code).eq(b.iter().map(|p| &p.code));
                        let firewall_now = self.firewall();
                        if !same(&now, &told) || firewall_now != firewall {
                            (told, firewall) = (now, firewall_now);
                            self.tell_system_info(|info| self.say(info));
                        }
                    }
                }
            }
        }
    }
}
