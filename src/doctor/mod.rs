//! The doctor checks for everything that may keep games from being played, with advice for each finding. For the
//! command line and the page.
//!
//! Runs only on request, because it writes to the disk and resolves names.

mod backups;
mod changes;
mod clock;
mod commands;
mod database;
mod disk;
mod engine;
mod firewall;
mod folder;
mod machine;
mod network;
mod nodes;
mod openrc;
mod ports;
mod routes;
mod service;
mod text;
mod views;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use agent::docker::{EngineAway, EngineFacts};
use agent::host::Sources;
use protocol::Engine;
use storage::Store;
use tokio::sync::Mutex;

pub use backups::{BackupSide, FailingBackup};
pub use changes::FILE;
pub use database::Looked;
pub use nodes::{NodeSide, PanelSide};
pub use ports::Wanted;
pub use routes::routes;
pub use text::{Look, text};
pub use views::{Finding, Level, Report, SHAPE};

use crate::agents::{Agents, local};
use crate::auth::Admin;
use crate::config::Config;
use crate::error::{ApiError, Code};
use crate::net::mdns::Name;
use crate::system::clock as time;

/// Time limit of a run.
const PATIENCE: Duration = Duration::from_secs(15);
/// Time limit of checking the database.
const DATABASE_TIME: Duration = Duration::from_secs(8);
const ENGINE_TIME: Duration = Duration::from_secs(5);

/// The panel to be checked.
#[derive(Debug)]
pub struct Subject {
    /// The data folder.
    pub data_dir: PathBuf,
    /// Configured address of the engine.
    pub docker_host: Option<String>,
    /// Configured ports.
    pub ports: Vec<Wanted>,
    /// The panel's public URL.
    pub public_url: Option<String>,
    /// State of the panel.
    pub panel: Panel,
}

/// State of the panel's process.
#[derive(Debug)]
pub enum Panel {
    /// It is running and returned this.
    Runs(Box<PanelSide>),
    /// It is running but cannot be asked; with the reason.
    Closed(String),
    /// It is not running; with the result of checking its database.
    Stopped(Looked),
}

impl Panel {
    fn side(&self) -> Option<&PanelSide> {
        match self {
            Self::Runs(side) => Some(side),
            Self::Closed(_) | Self::Stopped(_) => None,
        }
    }
}

impl Subject {
    /// From the settings, for a panel that is not running or has not been asked yet.
    pub fn of(config: &Config) -> Self {
        let port = |number, what, setting, optional| Wanted { number, what, setting, optional };
        let mut ports = vec![
            port(config.port, "the page", "PORT", false),
            port(config.websocket_port, "for agents", "WEBSOCKET_PORT", false),
        ];
        ports.extend(config.health_port.map(|number| port(number, "the node's health", "HEALTH_PORT", true)));
        ports.extend(config.sftp_port.map(|number| port(number, "files by SFTP", "SFTP_PORT", true)));
        Self {
            data_dir: config.data_dir.clone(),
            docker_host: config.docker_host.clone(),
            ports,
            public_url: config.public_url.clone(),
            panel: Panel::Stopped(Looked::Missing),
        }
    }
}

/// Runs all checks, compares the result with the last report, and stores it.
pub async fn examine(subject: Subject) -> Report {
    let root = rustix::process::geteuid().is_root();
    let names =
        [Some(network::REGISTRY.to_owned()), subject.public_url.as_deref().and_then(network::host_of)];
    let (engine, rules, set, resolved) = tokio::join!(
        agent::docker::facts(subject.docker_host.as_deref(), ENGINE_TIME),
        firewall::Rules::ask(root),
        commands::ask(&["timedatectl", "show", "-p", "NTPSynchronized", "--value"]),
        futures_util::future::join_all(names.iter().flatten().map(|name| network::resolve(name))),
    );
    let seen = Seen { engine, rules, set, resolved };
    let look = move || {
        let mut report = look(&subject, &seen, &Sources::default());
        let folder = &subject.data_dir;
        if let Some(last) = changes::last(folder) {
            changes::compare(&mut report, &last);
        }
        if let Err(cause) = changes::keep(folder, &report) {
            // The report is still valid; only the next comparison is affected.
            tracing::debug!(%cause, "the report was not kept");
        }
        report
    };
    match tokio::task::spawn_blocking(look).await {
        Ok(report) => report,
        Err(cause) => {
            let advice = "That is a fault of ours: please report it with what the log says.";
            let detail = format!("It broke off: {cause}.");
            let finding = Finding::problem("machine", "doctor_failed", "The check-up failed", detail, advice);
            report(vec![finding], BTreeMap::new())
        }
    }
}

/// Answers collected from other programs and machines.
struct Seen {
    engine: Result<EngineFacts, EngineAway>,
    rules: firewall::Rules,
    set: commands::Said,
    resolved: Vec<network::Resolved>,
}

fn look(subject: &Subject, seen: &Seen, sources: &Sources) -> Report {
    let data_dir = subject.data_dir.as_path();
    let (now, panel, facts) = (SystemTime::now(), subject.panel.side(), seen.engine.as_ref().ok());
    let addresses = agent::host::addresses();
    let mut found = engine::engine(&seen.engine);
    found.extend(machine::limits(sources, facts));
    found.extend(machine::as_a_node(sources, data_dir, &Engine::default()));
    found.extend(machine::memory(sources, panel.map(|panel| panel.promised)));
    found.extend(machine::bits(sources, std::env::consts::ARCH));
    found.extend(machine::entropy(sources));
    found.extend(clock::clock(sources, data_dir, now, &seen.set));
    let real = data_dir.canonicalize();
    let placed = real.as_deref().unwrap_or(data_dir);
    found.extend(disk::mount_of(sources, placed).into_iter().flat_map(|mount| disk::place(&mount, placed)));
    if real.is_ok() {
        found.push(disk::speed(&disk::measure(data_dir), data_dir));
    }
    found.extend(folder::folder(data_dir, panel.map(|panel| panel.user)));
    found.push(database::database(match &subject.panel {
        Panel::Runs(panel) => &panel.database,
        Panel::Closed(_) => &Looked::Closed,
        Panel::Stopped(looked) => looked,
    }));
    found.extend(database::copies(data_dir, now));
    found.extend(match &subject.panel {
        Panel::Runs(panel) => ports::of_running(sources, &subject.ports, &panel.ports),
        Panel::Closed(cause) => vec![service::closed(cause)],
        Panel::Stopped(_) => ports::of_stopped(sources, &subject.ports, ports::is_taken),
    });
    if matches!(&subject.panel, Panel::Stopped(looked) if !matches!(looked, Looked::Missing)) {
        found.push(service::stopped());
    }
    found.extend(network::names(&seen.resolved, &addresses));
    let port = panel.and_then(|panel| panel.ports.first().copied());
    if let (Some(panel), Some(port)) = (panel, port) {
        found.extend(network::reached(panel.bind, port, &addresses, Some(&panel.local_name)));
    }
    if panel.is_none_or(|panel| !panel.bind.is_loopback()) {
        found.extend(firewall::firewall(&seen.rules, &outside(subject), sources));
    }
    let running = panel.map(|panel| panel.program.as_str());
    found.extend(service::service(sources, data_dir, running, crate::status::VERSION));
    found.extend(panel.into_iter().flat_map(nodes::nodes));
    found.extend(
        panel.into_iter().flat_map(|panel| backups::backups(&panel.backups, crate::system::clock::now())),
    );
    openrc::in_its_words(&mut found, sources);
    report(found, facts_of(sources, facts, &addresses, running))
}

/// Ports that must be reachable from the network; the agents' port only if there are agents.
fn outside(subject: &Subject) -> Vec<u16> {
    let all = match subject.panel.side() {
        Some(panel) => panel.ports.clone(),
        None => subject.ports.iter().map(|port| port.number).collect(),
    };
    let agents = subject.panel.side().is_some_and(|panel| panel.nodes > 0);
    all.into_iter().take(if agents { 2 } else { 1 }).filter(|port| *port != 0).collect()
}

fn report(mut findings: Vec<Finding>, facts: BTreeMap<String, String>) -> Report {
    findings.sort_by_key(|finding| finding.level);
    Report {
        version: SHAPE,
        at: time::rfc3339(time::now()),
        since: None,
        facts,
        summary: views::Summary::of(&findings),
        findings,
        gone: Vec::new(),
        changed: Vec::new(),
    }
}

fn facts_of(
    sources: &Sources,
    engine: Option<&EngineFacts>,
    addresses: &[IpAddr],
    running: Option<&str>,
) -> BTreeMap<String, String> {
    let host = agent::host::Host::with_sources("local".into(), "/".into(), sources.clone());
    let info = host.system_info(&Engine::default(), crate::status::VERSION, &[]);
    let system = sources.text("etc/os-release").unwrap_or_default();
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or_default();
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let engine = engine
        .map(|engine| format!("{} {}", if engine.podman { "Podman" } else { "Docker" }, engine.version));
    let all = [
        ("program", Some(running.unwrap_or(crate::status::VERSION).to_owned())),
        ("system", Some(system.trim_matches('"').to_owned())),
        ("kernel", info.kernel.map(|kernel| format!("Linux {kernel} {}", info.arch))),
        ("machine", Some(format!("{}, {} of memory", info.cpu, agent::host::size(info.memory)))),
        ("engine", engine),
        ("addresses", Some(addresses.join(", "))),
    ];
    let known = all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.filter(|(_, value)| !value.is_empty()).collect()
}

/// The doctor of a running panel. Cheap to clone.
#[derive(Clone)]
pub struct Doctor(Arc<Inner>);

struct Inner {
    config: Arc<Config>,
    bind: IpAddr,
    ports: Vec<u16>,
    store: Store,
    agents: Agents,
    name: Name,
    /// Allows one run at a time.
    busy: Mutex<()>,
}

impl Doctor {
    /// `listens` is the bound address and the ports.
    pub fn new(
        config: Arc<Config>,
        listens: (IpAddr, Vec<u16>),
        store: Store,
        agents: Agents,
        name: Name,
    ) -> Self {
        let (bind, ports) = listens;
        Self(Arc::new(Inner { config, bind, ports, store, agents, name, busy: Mutex::default() }))
    }

    /// The last report, whoever requested it.
    pub async fn last(&self, _admin: &Admin) -> Result<Option<Report>, ApiError> {
        let folder = self.0.config.data_dir.clone();
        tokio::task::spawn_blocking(move || changes::last(&folder))
            .await
            .map_err(|cause| ApiError::internal("reading the last report", &cause))
    }

    /// Runs all checks; takes at most 15 s.
    pub async fn run(&self, admin: &Admin) -> Result<Report, ApiError> {
        let Ok(_busy) = self.0.busy.try_lock() else {
            return Err(ApiError::new(Code::Conflict, "A check-up is under way already."));
        };
        let work = async {
            let panel = Panel::Runs(Box::new(self.side().await));
            examine(Subject { panel, ..Subject::of(&self.0.config) }).await
        };
        let report = tokio::time::timeout(PATIENCE, work).await.map_err(|_| {
            let sentence =
                "The check-up took too long. On the machine, `ctrl-alt-play doctor` has more patience.";
            ApiError::new(Code::Busy, sentence)
        })?;
        tracing::info!(by = %admin, problems = report.summary.problem, "a check-up");
        Ok(report)
    }

    /// The part of the report that only the running process knows.
    pub async fn side(&self) -> PanelSide {
        let inner = &*self.0;
        let known = inner.store.read(|tx| {
            let nodes = storage::nodes::list(tx)?;
            let memory = storage::servers::placed_on(tx, &local::NODE_ID)?.memory;
            Ok::<_, storage::Error>((nodes, memory, backups::side(tx)?))
        });
        let (nodes, promised, backups) = known.await.unwrap_or_default();
        let others: Vec<_> = nodes.into_iter().filter(|node| node.id != local::NODE_ID).collect();
        let count = others.len();
        let unwell = others.into_iter().filter_map(|node| {
            let seen = inner.agents.node(&node.id);
            let told = seen.system.filter(|_| seen.online).map(|system| system.problems).unwrap_or_default();
            let problems: Vec<_> = told.into_iter().chain(seen.problems).collect();
            (!seen.online || !problems.is_empty()).then_some(NodeSide {
                name: node.name,
                online: seen.online,
                problems,
            })
        });
        let mut unwell: Vec<NodeSide> = unwell.collect();
        unwell.sort_by(|a, b| a.name.cmp(&b.name));
        PanelSide {
            program: crate::status::VERSION.to_owned(),
            user: rustix::process::geteuid().as_raw(),
            bind: inner.bind,
            ports: inner.ports.clone(),
            local_name: inner.name.url(),
            promised,
            database: self.database().await,
            unwell,
            nodes: count,
            backups,
        }
    }

    /// Makes and verifies a copy, as for the daily one, and deletes it.
    async fn database(&self) -> Looked {
        let to = self.0.config.data_dir.join(".doctor-copy.redb");
        let found = tokio::time::timeout(DATABASE_TIME, self.0.store.copy_to(to.clone())).await;
        let _ = tokio::task::spawn_blocking(move || std::fs::remove_file(to)).await;
        match found {
            Ok(Ok(copied)) => Looked::Whole { schema: copied.schema, bytes: copied.bytes },
            Ok(Err(error)) => Looked::of_copying(&error),
            Err(_) => Looked::Skipped("It takes longer than a check-up may.".to_owned()),
        }
    }
}

/// Checks every byte of the database of a panel that is not running, without writing to it.
pub fn database_of_stopped(data_dir: &Path) -> Looked {
    let path = data_dir.join("panel.redb");
    match std::fs::File::open(&path) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            if data_dir.join("instance.json").exists() {
                return Looked::Broken(
                    "panel.redb is gone, and instance.json says that there was one".to_owned(),
                );
            }
            Looked::Missing
        }
        Err(cause) if cause.kind() == std::io::ErrorKind::PermissionDenied => Looked::Closed,
        Err(cause) => Looked::Broken(cause.to_string()),
        Ok(_) => match storage::db_backups::check_file(&path) {
            Ok(found) => Looked::Whole { schema: found.schema, bytes: found.bytes },
            Err(error) => Looked::Broken(error.to_string()),
        },
    }
}

#[cfg(test)]
mod tests;
