//! `ctrl-alt-play agent`: runs this machine as a node of a panel elsewhere.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agent::remote::{BadPanelUrl, Dialer, LinkState, Remote, RemoteStreamOpener};
use agent::upgrades::release::ReleaseKey;
use agent::{AgentConfig, GameNetworks, Tunables, link};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::Config;
use crate::http::{self, PortPolicy};
use crate::start::health::Health;
use crate::system::clock;
use crate::system::private_files::{self, FileError};
use crate::system::service;
use crate::system::shutdown::Tasks;
use crate::system::upgrade_verification::{Verification, VerificationError};
use crate::upgrades::install_method;

/// How many console batches and samples may wait to be sent.
const CAPACITY: usize = 64;

/// Why the agent could not be started.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder is a panel's data folder; the panel has its own agent for it.
    #[error(
        "{0} is the data folder of a panel, and the panel looks after the servers in it: give the agent a folder of its \
         own with DATA_DIR"
    )]
    PanelsFolder(String),
    /// Another agent uses the folder.
    #[error("another agent runs on {0}: stop it first, or give this one another DATA_DIR")]
    Taken(String),
    /// There is no secret.
    #[error("AGENT_SECRET is missing: it stands in the line that the panel shows under Nodes, Add")]
    NoSecret,
    /// The panel's URL is invalid.
    #[error(transparent)]
    PanelUrl(#[from] BadPanelUrl),
    /// The agent could not be set up.
    #[error(transparent)]
    Agent(#[from] agent::Error),
    /// The state of the upgrade verification could not be read or written.
    #[error(transparent)]
    Verification(#[from] VerificationError),
    /// The upgrade verification failed.
    #[error("on trial after an upgrade: the panel has not taken this agent within {0:?}")]
    NotTaken(Duration),
}

impl NodeError {
    /// Exit code according to `sysexits.h`.
    pub fn exit_code(&self) -> u8 {
        match self {
            NodeError::File(FileError::Exposed { .. } | FileError::NotOurs { .. }) => 77,
            NodeError::File(_) | NodeError::Agent(_) | NodeError::Verification(_) => 74,
            NodeError::NotTaken(_) => 69,
            NodeError::Taken(_) => 75,
            NodeError::PanelsFolder(_) | NodeError::NoSecret | NodeError::PanelUrl(_) => 78,
        }
    }
}

/// A running node.
pub struct Node {
    tasks: Tasks,
    standing: watch::Receiver<LinkState>,
    trial: Option<Verification>,
    patience: Duration,
    // Held while the agent runs.
    _lock: File,
}

/// Starts the agent and the link to its panel. Returns at once, whether or not the panel responds.
pub async fn run_node(config: &Config) -> Result<Node, NodeError> {
    let folder = &config.data_dir;
    let secret = config.agent_secret.as_ref().ok_or(NodeError::NoSecret)?;
    let remote = Remote {
        panel_url: config.panel_url.clone(),
        node_id: config.node_id.clone(),
        secret: secret.expose().to_owned(),
        pin: config.panel_pin.clone(),
        authorities: config.ssl_cert_file.clone(),
        times: config.link_times.clone(),
    };
    let dialer = Dialer::new(remote)?;
    private_files::data_folder(folder)?;
    if config.secrets_in_file {
        private_files::check_private(&folder.join("config.toml"))?;
    }
    if folder.join("instance.json").exists() {
        return Err(NodeError::PanelsFolder(folder.display().to_string()));
    }
    let lock = lock(&folder.join("agent.lock"))?.ok_or(NodeError::Taken(folder.display().to_string()))?;
    let tasks = Tasks::new();
    let started_at = clock::now();
    let (stands, standing) = watch::channel(LinkState::Away);
    let trial = Verification::find(folder, crate::status::VERSION)?;
    let (panel_side, agent_side) = link::local(CAPACITY);
    let networks = GameNetworks::default();
    let about = AgentConfig {
        node_id: config.node_id.clone(),
        data_dir: folder.clone(),
        docker_host: config.docker_host.clone(),
        version: crate::status::VERSION.to_owned(),
        tunables: Tunables { heartbeat: config.link_times.heartbeat, ..Tunables::default() },
        carrier: Some(Arc::new(RemoteStreamOpener::new(
            dialer.clone(),
            tasks.tracker().clone(),
            tasks.token(),
        ))),
        guard: (config.upgrades.guarded && !install_method::shared_with_panel())
            .then(|| tasks.restart_token()),
        release_key: release_key(config),
        networks: networks.clone(),
        no_firewall: !config.games_firewall,
        ..AgentConfig::default()
    };
    agent::start(about, agent_side, tasks.tracker(), tasks.token())?;
    drop(tasks.spawn("link to the panel", dialer.run(panel_side, stands, tasks.token())));
    let mut port = None;
    if let Some(chosen) = config.health_port {
        match TcpListener::bind((config.bind, chosen)).await {
            Ok(listener) => {
                port = listener.local_addr().ok().map(service::reached);
                let standing = standing.clone();
                let health =
                    Health::new(started_at, &config.node_id, move || *standing.borrow() != LinkState::Away);
                let all = tasks.clone();
                let policy = PortPolicy::people().refusing(move |peer| networks.contain(peer));
                drop(tasks.spawn(
                    "health port",
                    http::serve(listener, None, policy, all, move |request| health.clone().answer(request)),
                ));
            }
            Err(cause) => {
                tracing::warn!(%cause, port = chosen, "health can't be served: HEALTH_PORT chooses another port");
            }
        }
    }
    tracing::info!(node = %config.node_id, panel = config.panel_url, "the agent runs");
    service::watchdog(port, || false, &tasks);
    let patience = config.link_times.silence + config.link_times.ping;
    Ok(Node { tasks, standing, trial, patience, _lock: lock })
}

impl Node {
    /// During verification after an upgrade, waits for the panel to accept this agent, and then completes the
    /// verification. Returns at once if this program is not being verified.
    ///
    /// # Errors
    /// The panel did not accept it within a minute; the guard should restore the previous program.
    pub async fn prove(&mut self) -> Result<(), NodeError> {
        let Some(trial) = self.trial.take() else { return Ok(()) };
        tracing::info!(from = trial.from, "on trial after an upgrade");
        service::status("On trial after an upgrade: waiting for the panel");
        let taken = self.standing.wait_for(|standing| *standing == LinkState::Taken);
        if !matches!(tokio::time::timeout(self.patience, taken).await, Ok(Ok(_))) {
            return Err(NodeError::NotTaken(self.patience));
        }
        tokio::task::spawn_blocking(move || trial.pass())
            .await
            .map_err(|_| NodeError::NotTaken(self.patience))??;
        Ok(())
    }

    /// Returns once a restart of the process is requested.
    pub async fn restart_asked(&self) {
        self.tasks.restart_token().cancelled().await;
    }

    /// Stops the agent; games keep running.
    pub async fn stop(self, grace: Duration) {
        let left = self.tasks.finish(grace).await;
        if !left.is_empty() {
            tracing::warn!(tasks = left.join(", "), "these did not end in time");
        }
    }
}

/// The public key of releases, if any: built in, or set by the machine's administrator.
fn release_key(config: &Config) -> Option<ReleaseKey> {
    let key = config.upgrades.key.as_deref()?;
    ReleaseKey::parse(key)
        .inspect_err(|error| tracing::warn!(%error, "CTRL_ALT_PLAY_KEY: no program is taken from the panel"))
        .ok()
}

/// Locks the folder; `None` if it is already locked.
fn lock(path: &Path) -> Result<Option<File>, FileError> {
    use rustix::fs::{FlockOperation, flock};
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|source| FileError::Io { doing: "opening", path: path.to_owned(), source })?;
    Ok(flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok().then_some(file))
}
