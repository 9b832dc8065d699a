//! Assembles an agent from its parts.

pub(crate) mod error;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::ToPanel;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::error::Error;
use crate::backups::Backups;
use crate::config::{self, AgentConfig};
use crate::docker::Engine;
use crate::files::{Files, FilesContext};
use crate::handlers::{self, HostChecks, Parts};
use crate::host::Host;
use crate::link::{AgentSide, Outbox};
use crate::panel::reply_cache::Answers;
use crate::panel::reporter::Reporter;
use crate::panel::subscriptions::{Consoles, Needs, Sampler, Wanted};
use crate::players::Players;
use crate::reach::Reach;
use crate::runtime::Runtime;
use crate::runtime::engine_watch::watch_engine;
use crate::schedules::Schedules;
use crate::server::{Context, Shared, folder};
use crate::stats::Usages;
use crate::supervisor::Supervisor;
use crate::supervisor::pauses;
use crate::transfers::Transfers;
use crate::upgrades::Upgrades;

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    cancel: CancellationToken,
}

impl Agent {
    /// Stops the agent. Games keep running.
    pub fn stop(&self) {
        self.cancel.cancel();
    }
}

/// Starts an agent: its tasks run on `tasks` until `cancel`. Games outlive it. Returns at once, whether or not the
/// engine answers.
///
/// # Errors
/// The data folder cannot be used.
pub fn start(
    config: AgentConfig,
    link: AgentSide,
    tasks: &TaskTracker,
    cancel: CancellationToken,
) -> Result<Agent, Error> {
    // A child token: a closed link only ends this agent.
    let given = cancel;
    let cancel = given.child_token();
    drop(given);
    let data_dir = data_dir(&config.data_dir)?;
    folder::discard_unfinished(&data_dir);
    let AgentSide { to_panel, from_panel } = link;
    let context = context(&config, data_dir, to_panel.clone(), tasks, &cancel);
    sweep(&context);
    let servers = Supervisor::load(Arc::clone(&context)).map_err(Error::State)?;
    drop(tasks.spawn(pauses::watch(Arc::clone(&context), servers.clone())));

    let servers_dir = folder::servers(&context.data_dir);
    let host = Arc::new(Host::new(config.node_id.clone(), servers_dir).seen_by(context.paths.clone()));
    let (engine_there, there) = watch::channel(false);
    let usages = Usages::new(folder::servers(&context.data_dir), tasks.clone(), cancel.clone());
    let (wanted, sampler) = (Arc::new(Wanted::default()), Sampler::new(usages.clone()));
    let needs = sampling(&context, &config, there);
    drop(tasks.spawn(sampler.clone().run(servers.clone(), Arc::clone(&wanted), Arc::clone(&host), needs)));

    let files = Files::new(FilesContext {
        data_dir: context.data_dir.clone(),
        tasks: tasks.clone(),
        cancel: cancel.clone(),
        out: to_panel.clone(),
        opener: config.carrier.clone(),
        usages: usages.clone(),
    });
    files.start_sweeping();
    let opener = config.carrier.clone();
    let transfers = Transfers::new(Arc::clone(&context), servers.clone(), config.carrier.clone());
    let upgrades = Upgrades::new(Arc::clone(&context), servers.clone(), &config);
    let reporter = Reporter {
        config,
        out: to_panel.clone(),
        watch: context.watch.clone(),
        host: Arc::clone(&host),
        servers: servers.clone(),
        engine_there,
        reporting: Arc::default(),
    };
    drop(tasks.spawn(reporter.clone().run(cancel.clone())));
    let reach = Reach::start(
        &context.state_dir(),
        Arc::clone(&context.engine),
        servers.clone(),
        tasks.clone(),
        cancel.clone(),
    );
    let answers = Answers::new(to_panel.clone());
    let backups = Backups::new(Arc::clone(&context), answers.clone(), opener);
    let players = Players::new(Arc::clone(&context.engine), tasks.clone());
    let tools = (servers.clone(), answers.clone(), players.clone());
    let schedules = Schedules::start(&context.state_dir(), tools, tasks, &cancel);
    let parts = Parts {
        reporter,
        servers,
        consoles: Consoles::new(to_panel, tasks.clone(), cancel.clone()),
        wanted,
        sampler,
        usages,
        checks: HostChecks::new(Arc::clone(&context.engine), host, tasks.clone()),
        reach,
        players,
        schedules,
        files,
        transfers,
        backups,
        upgrades,
    };
    drop(tasks.spawn(handlers::run(parts, answers, from_panel, cancel.clone())));
    Ok(Agent { cancel })
}

/// Creates the folder if needed and returns its canonical path, which becomes part of mounts and labels and must not
/// depend on how it was reached.
fn data_dir(configured: &Path) -> Result<PathBuf, Error> {
    let servers_dir = folder::servers(configured);
    DirBuilder::new().recursive(true).mode(0o700).create(&servers_dir).map_err(Error::DataDir)?;
    configured.canonicalize().map_err(Error::DataDir)
}

/// Creates the state shared by all servers; starts watching the engine.
fn context(
    config: &AgentConfig,
    data_dir: PathBuf,
    out: Outbox<ToPanel>,
    tasks: &TaskTracker,
    cancel: &CancellationToken,
) -> Arc<Context> {
    let engine = Engine::new(config, data_dir.clone());
    let paths = engine.paths();
    let engine: Arc<dyn Runtime> = Arc::new(engine);
    let (watch, probing) = watch_engine(Arc::clone(&engine), &config.tunables, cancel.clone());
    drop(tasks.spawn(probing));
    Arc::new(Context {
        engine,
        watch,
        tunables: config.tunables.clone(),
        data_dir,
        paths,
        timezone: config.timezone.clone().unwrap_or_else(config::timezone),
        tasks: tasks.clone(),
        cancel: cancel.clone(),
        out,
        shared: Shared::default(),
    })
}

/// Removes discarded folders as long as the agent runs.
fn sweep(context: &Arc<Context>) {
    let sweeping = Arc::clone(context);
    drop(context.tasks.spawn(async move {
        sweeping.shared.sweeper.run(sweeping.data_dir.clone(), sweeping.cancel.clone()).await;
    }));
}

fn sampling(context: &Context, config: &AgentConfig, engine_there: watch::Receiver<bool>) -> Needs {
    Needs {
        engine: Arc::clone(&context.engine),
        engine_there,
        out: context.out.clone(),
        cancel: context.cancel.clone(),
        state_dir: context.state_dir(),
        idle: config.tunables.sample_idle,
    }
}
