//! One agent: takes the panel's messages, hands them on, and says unasked what the panel must know.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{self, AgentConfig};
use crate::console::ConsoleMark;
use crate::docker::Engine;
use crate::engine::{EngineState, EngineWatch, watch_engine};
use crate::error::Error;
use crate::files::Files;
use crate::host::Host;
use crate::link::{AgentSide, Inbox, Outbox};
use crate::pauses;
use crate::protocol::{
    ConsoleLines, Envelope, Firewall, Heartbeat, HostCheck, PowerAction, Problem, StatsHistory, Sync,
    ToAgent, ToPanel, capability,
};
use crate::reply_cache::{Answers, Reply};
use crate::runtime::Runtime;
use crate::server::{Context, Request, StartStagger, Sweeper, folder};
use crate::subscriptions::{Consoles, Needs, Sampler, Wanted};
use crate::supervisor::Supervisor;
use crate::transfers::Transfers;
use crate::upgrades::{Folder, Upgrades};

/// Looks at the host that may be under way: each asks the engine.
const CHECKS: usize = 32;
/// What this agent can do.
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
    capability::PAUSE,
    capability::BLOCK_LAN,
];
/// How long the first `sync` waits for the first look at every server.
const SETTLE: Duration = Duration::from_secs(3);
/// Engine logs that are read at a time.
const LOGS: usize = 4;
/// Between two looks at what is wrong with the machine.
const PROBLEMS: Duration = Duration::from_secs(60);

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    cancel: CancellationToken,
}

impl Agent {
    /// Ends it. Games run on.
    pub fn stop(&self) {
        self.cancel.cancel();
    }
}

/// Starts an agent: its tasks run on `tasks` until `cancel`. Games outlive it. Returns at once, whether the engine
/// answers or not.
///
/// # Errors
/// The data folder cannot be used.
pub fn start(
    config: AgentConfig,
    link: AgentSide,
    tasks: &TaskTracker,
    cancel: CancellationToken,
) -> Result<Agent, Error> {
    // Its own: a link that closes ends this agent and nothing else.
    let given = cancel;
    let cancel = given.child_token();
    drop(given);
    let servers_dir = folder::servers(&config.data_dir);
    DirBuilder::new().recursive(true).mode(0o700).create(&servers_dir).map_err(Error::DataDir)?;
    // Its true name: it becomes part of mounts and labels, and must be the same by whichever way it was reached.
    let data_dir = config.data_dir.canonicalize().map_err(Error::DataDir)?;
    let engine = Engine::new(&config, data_dir.clone());
    let paths = engine.paths();
    let engine: Arc<dyn Runtime> = Arc::new(engine);
    let (watch, look) = watch_engine(Arc::clone(&engine), &config.tunables, cancel.clone());
    drop(tasks.spawn(look));
    folder::discard_unfinished(&data_dir);
    let AgentSide { to_panel, from_panel } = link;
    let context = Arc::new(Context {
        engine: Arc::clone(&engine),
        watch: watch.clone(),
        tunables: config.tunables.clone(),
        data_dir: data_dir.clone(),
        paths: paths.clone(),
        timezone: config.timezone.clone().unwrap_or_else(config::timezone),
        tasks: tasks.clone(),
        cancel: cancel.clone(),
        out: to_panel.clone(),
        turns: StartStagger::default(),
        sweeper: Sweeper::default(),
        io_weight: AtomicBool::new(true),
        log_turns: Semaphore::new(LOGS),
    });
    let sweeping = Arc::clone(&context);
    drop(tasks.spawn(async move {
        sweeping.sweeper.run(sweeping.data_dir.clone(), sweeping.cancel.clone()).await;
    }));
    let servers = Supervisor::load(Arc::clone(&context)).map_err(Error::State)?;
    drop(tasks.spawn(pauses::watch(Arc::clone(&context), servers.clone())));
    let host = Arc::new(Host::new(config.node_id.clone(), folder::servers(&data_dir)).seen_by(paths));
    let wanted = Arc::new(Wanted::default());
    let sampler = Sampler::default();
    let (there, engine_there) = watch::channel(false);
    let needs = Needs {
        engine: Arc::clone(&engine),
        engine_there,
        out: to_panel.clone(),
        tasks: tasks.clone(),
        cancel: cancel.clone(),
        servers_dir: folder::servers(&data_dir),
        state_dir: context.state_dir(),
        idle: config.tunables.sample_idle,
    };
    drop(tasks.spawn(sampler.clone().run(servers.clone(), Arc::clone(&wanted), Arc::clone(&host), needs)));
    let transfers = Transfers::new(Arc::clone(&context), servers.clone(), config.carrier.clone());
    let upgrades = Upgrades::new(Arc::clone(&context), servers.clone(), &config);
    let voice = Reporter {
        config,
        out: to_panel.clone(),
        watch,
        host: Arc::clone(&host),
        servers: servers.clone(),
        there,
        telling: Arc::default(),
    };
    drop(tasks.spawn(voice.clone().news(cancel.clone())));
    let ears = Dispatcher {
        answers: Answers::new(to_panel.clone()),
        consoles: Consoles::new(to_panel, tasks.clone(), cancel.clone()),
        voice,
        engine,
        servers,
        transfers,
        upgrades,
        wanted,
        sampler,
        host,
        files: Files::new(data_dir, tasks.clone()),
        checks: Arc::new(Semaphore::new(CHECKS)),
        tasks: tasks.clone(),
    };
    drop(tasks.spawn(ears.listen(from_panel, cancel.clone())));
    Ok(Agent { cancel })
}

/// What the agent says unasked.
#[derive(Clone, Debug)]
struct Reporter {
    config: AgentConfig,
    out: Outbox<ToPanel>,
    watch: EngineWatch,
    host: Arc<Host>,
    servers: Supervisor,
    there: watch::Sender<bool>,
    /// Held from the look at the engine until it is told.
    telling: Arc<Mutex<()>>,
}

impl Reporter {
    fn say(&self, message: ToPanel) {
        if let Err(error) = self.out.try_send(Envelope::new(message)) {
            tracing::debug!(%error, "a message could not be sent");
        }
    }

    /// Tells what this machine is. Two may do so at once, the one who was asked and the one with news: what is said last
    /// has to be what was seen last.
    fn tell_system_info(&self, tell: impl FnOnce(ToPanel)) {
        let _turn = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// Tells of every server. A server may change between the look and the telling, and tell that itself in between: what
    /// was overtaken so is told again.
    fn tell_sync(&self) {
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

    /// Whether games can be kept from the local network, where that is known.
    fn firewall(&self) -> Option<Firewall> {
        let rules = self.config.networks.rules()?;
        Some(Firewall { active: rules.is_ok(), error: rules.err() })
    }

    fn problems(&self) -> Vec<Problem> {
        self.host.problems(&self.watch.state().report())
    }

    /// `system_info` and `sync` at the start and whenever the engine comes back; `system_info` when something in it
    /// changes; heartbeats.
    async fn news(self, cancel: CancellationToken) {
        let mut engine = self.watch.subscribe();
        // The first look at the engine takes a moment or its deadline; nothing is known before.
        let _ = tokio::time::timeout(SETTLE, engine.wait_for(|state| *state != EngineState::NotYet)).await;
        let mut first = true;
        let mut heartbeat = tokio::time::interval(self.config.tunables.heartbeat);
        let mut look = tokio::time::interval(PROBLEMS);
        heartbeat.reset();
        look.reset();
        loop {
            let there = engine.borrow_and_update().is_there();
            self.there.send_replace(there);
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
                    _ = look.tick() => {
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

/// What the agent hears.
struct Dispatcher {
    answers: Answers,
    consoles: Consoles,
    voice: Reporter,
    engine: Arc<dyn Runtime>,
    servers: Supervisor,
    transfers: Transfers,
    upgrades: Upgrades,
    wanted: Arc<Wanted>,
    sampler: Sampler,
    host: Arc<Host>,
    files: Files,
    /// Looks at the host that may be under way.
    checks: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Dispatcher {
    async fn listen(self, mut from_panel: Inbox<ToAgent>, cancel: CancellationToken) {
        loop {
            let envelope = tokio::select! {
                () = cancel.cancelled() => return,
                envelope = from_panel.recv() => envelope,
            };
            // The panel is gone: another agent may be started over another link, and must not meet this one.
            let Some(envelope) = envelope else { return cancel.cancel() };
            self.hear(envelope);
        }
    }

    /// Never waits: whoever has something to wait for answers by himself.
    fn hear(&self, envelope: Envelope<ToAgent>) {
        let Envelope { message, message_id, .. } = envelope;
        let Some(reply) = self.answers.take(message_id, server_of(&message)) else { return };
        let ask = |id: &str, what: Request, reply: Reply| self.servers.ask(id, what, reply);
        match message {
            ToAgent::SystemInfoRequest => {
                self.voice.tell_system_info(|info| reply.answer(info));
                self.voice.tell_sync();
            }
            ToAgent::ServerCreate(spec) => self.servers.create(*spec, reply),
            ToAgent::ServerUpdate(update) => {
                let id = update.server_id.clone();
                ask(&id, Request::Update(update), reply);
            }
            ToAgent::ServerStart(of) => ask(&of.server_id, Request::Power(PowerAction::Start), reply),
            ToAgent::ServerStop(of) => ask(&of.server_id, Request::Power(PowerAction::Stop), reply),
            ToAgent::ServerRestart(of) => {
                ask(&of.server_id, Request::Power(PowerAction::Restart), reply);
            }
            ToAgent::ServerPower(power) => ask(&power.server_id, Request::Power(power.action), reply),
            ToAgent::ServerDelete(of) => {
                self.consoles.unsubscribe(&of.server_id);
                ask(&of.server_id, Request::Delete, reply);
            }
            ToAgent::ServerSuspend(of) => ask(&of.server_id, Request::Suspend, reply),
            ToAgent::ServerUnsuspend(of) => ask(&of.server_id, Request::Unsuspend, reply),
            ToAgent::ServerReinstall(of) => ask(&of.server_id, Request::Reinstall, reply),
            ToAgent::InstallCancel(of) => ask(&of.server_id, Request::CancelInstall, reply),
            ToAgent::ServerCommand(command) => {
                ask(&command.server_id, Request::Command(command.command), reply);
            }
            ToAgent::ConsoleSubscribe(of) => match self.servers.get(&of.server_id) {
                Some(handle) => {
                    let place = of.after.map(|after| ConsoleMark { after, last: of.last });
                    self.consoles.subscribe(&of.server_id, &handle, place, of.partial);
                    reply.ack(None);
                }
                None => not_found(reply),
            },
            ToAgent::ConsoleUnsubscribe(of) => {
                self.consoles.unsubscribe(&of.server_id);
                reply.ack(None);
            }
            ToAgent::ConsoleTail(of) => match self.servers.get(&of.server_id) {
                Some(handle) => {
                    let (lines, partial) =
                        handle.console.tail(usize::try_from(of.tail).unwrap_or(usize::MAX));
                    reply.answer(ToPanel::ConsoleLines(ConsoleLines {
                        server_id: of.server_id,
                        lines,
                        reset: false,
                        partial,
                    }));
                }
                None => not_found(reply),
            },
            ToAgent::StatsSubscribe(of) => {
                self.wanted.replace(of.server_ids, of.node);
                reply.ack(None);
            }
            ToAgent::StatsHistory(of) => {
                let samples = self.sampler.history(&of.server_id);
                reply.answer(ToPanel::StatsHistory(StatsHistory { server_id: of.server_id, samples }));
            }
            ToAgent::HostCheck(check) => self.host_check(check, reply),
            ToAgent::ServerDescribe(of) => ask(&of.server_id, Request::Describe, reply),
            ToAgent::TransferMeasure(of) => self.transfers.measure(of.server_id, reply),
            ToAgent::TransferPrepare(of) => self.transfers.prepare(of, reply),
            ToAgent::TransferSend(of) => self.transfers.send(of, reply),
            ToAgent::TransferReceive(of) => self.transfers.receive(of, reply),
            ToAgent::TransferDiscard(of) => self.transfers.discard(of.server_id, reply),
            ToAgent::UpgradeReceive(of) => self.upgrades.receive(of, reply),
            ToAgent::FileRead(file) => match self.servers.get(&file.server_id) {
                Some(_) => self.files.read(file, reply),
                None => not_found(reply),
            },
            ToAgent::FileWrite(file) => match self.servers.get(&file.server_id) {
                Some(_) => self.files.write(file, reply),
                None => not_found(reply),
            },
        }
    }

    fn host_check(&self, check: HostCheck, reply: Reply) {
        let Ok(place) = Arc::clone(&self.checks).try_acquire_owned() else {
            return reply.refuse("busy", "The node is busy with other checks. Try again.");
        };
        let (engine, host) = (Arc::clone(&self.engine), Arc::clone(&self.host));
        drop(self.tasks.spawn(async move {
            let image = match &check.image {
                Some(image) if !image.is_empty() => engine.image_environment(image).await,
                _ => Ok(None),
            };
            // Whether the engine answers is told elsewhere; what is not known is not there.
            let report = host.report(image.unwrap_or_default(), &check.ports);
            reply.answer(ToPanel::HostReport(report));
            drop(place);
        }));
    }
}

fn not_found(reply: Reply) {
    reply.refuse("not_found", "There is no such server on this node.");
}

/// Which server a message is about.
fn server_of(message: &ToAgent) -> Option<&str> {
    Some(match message {
        ToAgent::ServerCreate(spec) => &spec.server_id,
        ToAgent::ServerUpdate(update) => &update.server_id,
        ToAgent::ServerStart(of)
        | ToAgent::ServerStop(of)
        | ToAgent::ServerRestart(of)
        | ToAgent::ServerDelete(of)
        | ToAgent::ServerSuspend(of)
        | ToAgent::ServerUnsuspend(of)
        | ToAgent::ServerReinstall(of)
        | ToAgent::InstallCancel(of)
        | ToAgent::ConsoleUnsubscribe(of)
        | ToAgent::StatsHistory(of)
        | ToAgent::ServerDescribe(of)
        | ToAgent::TransferMeasure(of)
        | ToAgent::TransferDiscard(of) => &of.server_id,
        ToAgent::TransferPrepare(of) => &of.server_id,
        ToAgent::TransferSend(of) => &of.server_id,
        ToAgent::TransferReceive(of) => &of.server_id,
        ToAgent::ServerPower(power) => &power.server_id,
        ToAgent::ServerCommand(command) => &command.server_id,
        ToAgent::FileRead(file) => &file.server_id,
        ToAgent::FileWrite(file) => &file.server_id,
        ToAgent::ConsoleSubscribe(of) => &of.server_id,
        ToAgent::ConsoleTail(of) => &of.server_id,
        ToAgent::SystemInfoRequest
        | ToAgent::StatsSubscribe(_)
        | ToAgent::HostCheck(_)
        | ToAgent::UpgradeReceive(_) => return None,
    })
}
