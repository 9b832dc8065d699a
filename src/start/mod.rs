//! Starts and stops a panel, or an agent of another panel.

pub mod agent_mode;
pub mod control_socket;
mod error;
mod features;
pub mod health;
mod own_address;
mod upgrade_verification;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use agent::{AgentConfig, GameNetworks, LinkTimes};
use storage::Store;
use tokio::net::{TcpListener, TcpSocket};

use crate::agents::{Agents, local};
use crate::app::{App, Network, Ports};
use crate::config::Config;
use crate::db_backups;
use crate::error::Chain;
use crate::http::{self, PortPolicy};
use crate::net::mdns;
use crate::net::tls::{self, Identity};
use crate::nodes::AgentListener;
use crate::router::Router;
use crate::start::health::Health;
use crate::streams::Streams;
use crate::system::clock;
use crate::system::private_files;
use crate::system::service;
use crate::system::shutdown::Tasks;
use crate::system::upgrade_verification::Verification;

pub use error::StartError;

use self::features::Parts;
use self::own_address::own_address;
use self::upgrade_verification::VerificationGate;

/// Length of the accept queue: a thousand agents may reconnect at once.
const BACKLOG: u32 = 4096;

/// A running panel. Its tasks keep running when it is dropped: call [`Running::stop`].
pub struct Running {
    /// All of its features.
    pub app: App,
}

/// Starts the panel; returns once it listens on its ports.
pub async fn run(config: Config) -> Result<Running, StartError> {
    let started_at = clock::now();
    let folder = config.data_dir.clone();
    private_files::data_folder(&folder)?;
    private_files::folder(&folder.join("secrets"))?;
    private_files::check_folder(&folder.join("secrets"))?;
    if config.secrets_in_file {
        private_files::check_private(&folder.join("config.toml"))?;
    }
    let failed = |doing| {
        move |source: crate::system::upgrade_verification::VerificationError| StartError::Other {
            doing,
            source: source.into(),
        }
    };
    let trial = Verification::find(&folder, crate::status::VERSION).map_err(failed("looking for a trial"))?;
    service::status("Opening the database");
    let opened = folder.clone();
    let store = tokio::task::spawn_blocking(move || Store::open(&opened))
        .await
        .map_err(|source| StartError::Other { doing: "opening the database", source: source.into() })??;
    // After the database, so that nothing is written to a folder whose database cannot be opened.
    let identity = Identity::open(
        (config.tls_cert.as_deref(), config.tls_key.as_deref()),
        &folder.join("secrets"),
        &tls::names(config.bind, config.public_url.as_deref()),
    )?;
    let tasks = Tasks::new();
    let name = mdns::Name::default();
    let panel = listen(SocketAddr::new(config.bind, config.port), "the panel", "PORT or BIND")?;
    let agents = listen(SocketAddr::new(config.bind, config.websocket_port), "the agents", "WEBSOCKET_PORT")?;
    let health = match config.health_port {
        Some(port) => listen(SocketAddr::new(config.bind, port), "the node's health", "HEALTH_PORT")
            .inspect_err(|cause| tracing::warn!(%cause, "the panel starts without it"))
            .ok(),
        None => None,
    };
    let sftp = match config.sftp_port {
        Some(port) => listen(SocketAddr::new(config.bind, port), "files by SFTP", "SFTP_PORT")
            .inspect_err(|cause| tracing::warn!(%cause, "the panel starts without it"))
            .ok(),
        None => None,
    };
    let ports = Ports {
        panel: address(&panel)?,
        agents: address(&agents)?,
        health: health.as_ref().map(address).transpose()?,
        sftp: sftp.as_ref().map(address).transpose()?,
    };
    tracing::info!(pin = identity.pin(), "whoever asks by TLS is answered with this key");
    let registry = registry(&store, &tasks, config.link_times.clone()).await?;
    let streams = Streams::default();
    let network = Network { identity, ports, name };
    let config = Arc::new(config);
    let parts = Parts { config, network, store, agents: registry, tasks: tasks.clone() };
    let app = features::build(parts, &streams, started_at)?;
    mdns::start(&app.network.name, app.config.mdns, ports.panel.ip(), ports.panel.port(), &tasks);

    // Connections from games to this machine are refused by the panel's ports.
    let networks = GameNetworks::default();
    let refusing = |policy: PortPolicy| {
        let networks = networks.clone();
        policy.refusing(move |peer| networks.contain(peer))
    };
    let gate = VerificationGate::new(Router::new(&app), trial.is_none());
    let (tls, gated) = (app.network.identity.acceptor(), gate.clone());
    let for_people = app.network.identity.acceptor_for_people();
    let proxies = app.config.network.trusted_proxies.clone();
    let people = PortPolicy::people().shared(move |address| proxies.contain(address));
    drop(tasks.spawn(
        "panel port",
        http::serve(panel, Some(for_people), refusing(people), tasks.clone(), move |request| {
            gated.clone().answer(request)
        }),
    ));
    if let Some(trial) = trial {
        upgrade_verification::prove(trial, &app.store, ports.panel).await?;
    }
    app.features.auth.start(&tasks);
    if let Err(cause) = control_socket::listen(
        &folder,
        app.features.users.clone(),
        app.store.clone(),
        app.features.doctor.clone(),
        &tasks,
    ) {
        // Caused by a full disk or a path that is too long; no reason not to start.
        tracing::warn!(%cause, "the admin socket can't be made: `user password` won't work");
    }
    if let Some(listener) = health {
        let known = app.agents.clone();
        let probe = Health::new(started_at, &local::NODE_ID, move || known.node(&local::NODE_ID).online);
        drop(tasks.spawn(
            "health port",
            http::serve(listener, None, refusing(PortPolicy::people()), tasks.clone(), move |request| {
                probe.clone().answer(request)
            }),
        ));
    }
    let listener = AgentListener::new(
        app.store.clone(),
        app.agents.clone(),
        streams.clone(),
        tasks.clone(),
        app.config.agent_secret.as_ref(),
    );
    drop(tasks.spawn(
        "agents port",
        http::serve(agents, Some(tls), refusing(PortPolicy::agents()), tasks.clone(), move |request| {
            listener.clone().answer(request)
        }),
    ));
    if let Some(listener) = sftp {
        let networks = networks.clone();
        let refuses = Arc::new(move |peer| networks.contain(peer));
        drop(tasks.spawn("SFTP port", app.features.games.sftp.clone().serve(listener, refuses)));
    }
    start_local_agent(&app, &streams, networks);
    db_backups::start(&app.store, &app.config.data_dir, &tasks);
    app.features.upgrades.start();
    gate.open();
    let full = tasks.clone();
    let full = move || full.running("connection") >= http::CONNECTIONS;
    service::watchdog(Some(service::reached(ports.panel)), full, &tasks);
    Ok(Running { app })
}

async fn registry(store: &Store, tasks: &Tasks, times: LinkTimes) -> Result<Agents, StartError> {
    let failed =
        |source: storage::Error| StartError::Other { doing: "reading the nodes", source: source.into() };
    local::make_node(store).await.map_err(failed)?;
    Agents::with_times(store.clone(), tasks.clone(), times).map_err(failed)
}

fn start_local_agent(app: &App, streams: &Streams, networks: GameNetworks) {
    let config = AgentConfig {
        node_id: local::NODE_ID,
        data_dir: app.config.data_dir.clone(),
        docker_host: app.config.docker_host.clone(),
        version: crate::status::VERSION.to_owned(),
        carrier: Some(streams.local()),
        networks,
        no_firewall: !app.config.games_firewall,
        ..AgentConfig::default()
    };
    local::start(&app.agents, config, &app.tasks);
    let agents = app.agents.clone();
    drop(app.tasks.spawn("last-seen", async move { agents.keep_last_seen().await }));
}

impl Running {
    /// All of its endpoints, built again.
    #[cfg(test)]
    pub(crate) fn routes(&self) -> Vec<crate::http::Route> {
        crate::router::routes(&self.app.agents, &self.app.features)
    }

    /// The URL of the page: with the machine's own address if it listens on all.
    pub fn url(&self) -> String {
        if let Some(url) = &self.app.config.public_url {
            return url.clone();
        }
        let bound = self.app.network.ports.panel;
        let address = if bound.ip().is_unspecified() { own_address() } else { bound.ip() };
        format!("http://{}", SocketAddr::new(address, bound.port()))
    }

    /// The link to create the first account; `None` if there is one already.
    pub async fn setup_link(&self) -> Option<String> {
        Some(self.url() + &self.app.features.setup.link_path().await?)
    }

    /// Prints where the panel listens and, if there is no account yet, the link to create one.
    pub async fn announce(&self, out: &mut (impl Write + Send)) -> std::io::Result<()> {
        let ports = self.app.network.ports;
        writeln!(out, "Listening on http://{}", ports.panel)?;
        writeln!(out, "Listening on ws://{} for agents", ports.agents)?;
        if let Some(health) = ports.health {
            writeln!(out, "Listening on http://{health}/health for the local node's health")?;
        }
        if let Some(sftp) = ports.sftp {
            writeln!(out, "Listening on sftp://{sftp} for servers' files")?;
        }
        let named = self.app.network.name.url();
        if let Ok(named) = &named {
            writeln!(out, "Found in your network as {named}")?;
        }
        if let Some(path) = self.app.features.setup.link_path().await {
            writeln!(out, "\nMake the first account here:\n  {}{path}", self.url())?;
            if let Ok(named) = &named {
                writeln!(out, "or here:\n  {named}{path}")?;
            }
            writeln!(out)?;
        }
        out.flush()
    }

    /// Returns once a restart of the process is requested.
    pub async fn restart_asked(&self) {
        self.app.tasks.restart_token().cancelled().await;
    }

    /// Stops the panel: no new work is accepted, running requests may finish, tasks get `grace`, and the database is
    /// closed. Returns the names of tasks that did not end in time.
    pub async fn stop(self, grace: Duration) -> Vec<String> {
        let left = self.app.tasks.finish(grace).await;
        if !left.is_empty() {
            tracing::warn!(tasks = left.join(", "), "these did not end in time");
        }
        let store = self.app.store.clone();
        let closed = tokio::task::spawn_blocking(move || store.close()).await;
        if let Err(cause) = closed {
            tracing::error!(cause = %Chain(&cause), "closing the database failed");
        }
        left
    }
}

/// Raises the limit on open files: a thousand sockets exceed the usual soft limit.
pub fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current =
        limit.maximum.map_or(Some(65_536), |maximum| Some(maximum.min(65_536))).max(limit.current);
    // If this fails, the panel works with fewer connections.
    let _ = setrlimit(Resource::Nofile, limit);
}

fn listen(address: SocketAddr, what: &'static str, setting: &'static str) -> Result<TcpListener, StartError> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bound().map_err(|source| StartError::Port { address, what, setting, source })
}

fn address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener
        .local_addr()
        .map_err(|source| StartError::Other { doing: "asking for a port's number", source: source.into() })
}

#[cfg(test)]
mod tests;
