//! Requests: what one may ask, and the first thing that follows from it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::jobs::{self, Event};
use super::launch::Launch;
use super::queue::{Act, Happened, Phase, Refusal, RequestKind};
use super::state::{Intent, Request, Run, Server, ServerRequest, Waiter};
use super::stop::{Due, StopStep, Stopping};
use super::typing::{self, Port};
use super::{folder, plan};
use crate::host;
use crate::persist::{Moment, Pending, PendingStop, Wanted};
use crate::protocol::{
    Behaviour, ContainerUser, PowerAction, ServerCreate, ServerDescription, ServerUpdate, Status, ToPanel,
};
use crate::reply_cache::Reply;

/// Requests that wait for the first look.
const HELD: usize = 64;
/// Bytes of a command: what a terminal takes as one line, with room for its end.
const COMMAND: usize = 4_000;
/// The engine lets a port go a moment after a game's end.
const PORT_LINGERS: Duration = Duration::from_secs(5);
/// What a server says whose installation was called off.
pub(super) const CANCELLED: &str = "The installation was cancelled.";

impl Server {
    /// Takes one request. Answers at once, but for those that wait for the disk or for a removal.
    pub(super) fn asked(&mut self, asked: ServerRequest) {
        let ServerRequest { what, reply } = asked;
        match what {
            Request::Replace(spec) => return self.replace(*spec, reply),
            Request::Update(update) => return self.update(*update, reply),
            Request::Describe => {
                let description =
                    ServerDescription { spec: self.file.spec.clone(), suspended: self.file.suspended };
                return reply.answer(ToPanel::ServerDescription(Box::new(description)));
            }
            _ => {}
        }
        if self.queue.phase() == Phase::Looking && !self.queue.away() && self.held.len() < HELD {
            return self.held.push(ServerRequest { what, reply });
        }
        let ask = match &what {
            Request::Power(action) => RequestKind::Power(*action),
            Request::Command(_) => RequestKind::Command,
            Request::Delete => RequestKind::Delete,
            Request::Suspend => RequestKind::Suspend,
            Request::Unsuspend => RequestKind::Unsuspend,
            Request::Reinstall => RequestKind::Reinstall,
            Request::CancelInstall => RequestKind::CancelInstall,
            Request::Replace(_) | Request::Update(_) | Request::Describe => return,
        };
        let mut queue = self.queue.clone();
        let act = match queue.ask(ask) {
            Ok(act) => act,
            Err(refusal) => return self.refuse(refusal, ask, reply),
        };
        if act == Act::Launch
            && let Err((code, message)) = self.may_start()
        {
            return reply.refuse(code, message);
        }
        let command = match what {
            Request::Command(line) => match check_command(&line) {
                Ok(()) => Some(line),
                Err(message) => return reply.refuse("invalid", message),
            },
            _ => None,
        };
        self.queue = queue;
        match ask {
            RequestKind::Power(PowerAction::Start | PowerAction::Restart) => self.want(Wanted::Running),
            RequestKind::Power(PowerAction::Stop | PowerAction::Kill) | RequestKind::Suspend => {
                self.want(Wanted::Stopped);
            }
            _ => {}
        }
        if matches!(ask, RequestKind::Suspend | RequestKind::Unsuspend) {
            self.file.suspended = self.queue.suspended();
            self.save(None);
        }
        match (act, command) {
            (Act::Command, Some(line)) => return self.command(line, reply),
            (Act::Resume, _) => return self.resume(reply),
            (Act::Remove, _) => {
                self.deletes.push(reply);
                self.act(act);
                return self.publish();
            }
            (Act::Nothing, _) if ask == RequestKind::Delete => return self.deletes.push(reply),
            _ => {}
        }
        if act == Act::Launch {
            self.crashes.forget();
        }
        self.act(act);
        self.answer_when_saved(reply);
        self.publish();
    }

    fn refuse(&mut self, refusal: Refusal, ask: RequestKind, reply: Reply) {
        let (code, message) = refusal.words();
        // Who stops a crashed server means the restart that is due.
        let stop = matches!(ask, RequestKind::Power(PowerAction::Stop | PowerAction::Kill));
        if stop && refusal == Refusal::NotRunning && self.restart_at.take().is_some() {
            self.want(Wanted::Stopped);
            self.console.system("The restart was called off.");
            self.publish();
            let message = "The server is not running; its restart was called off.";
            return self.save_for(Some(Waiter::Refuse(reply, code, message)));
        }
        reply.refuse(code, message);
    }

    pub(super) fn want(&mut self, wanted: Wanted) {
        if self.file.wanted != wanted {
            self.file.wanted = wanted;
            self.save(None);
        }
    }

    /// What would make a start fail for certain.
    fn may_start(&self) -> Result<(), (&'static str, String)> {
        if !folder::has_room(&self.context.data_dir) {
            let message = "The disk of the data folder is full: the game could not save anything.";
            return Err(("disk_full", message.into()));
        }
        if self.ended.is_some_and(|ended| ended.elapsed() < PORT_LINGERS) {
            return Ok(());
        }
        let taken = host::ports_taken(&self.file.spec.ports);
        let Some(port) = taken.first() else { return Ok(()) };
        let (number, protocol) = (port.external, port.protocol.as_str());
        Err((
            "port_in_use",
            format!("Port {number}/{protocol} is in use by another program on this machine."),
        ))
    }

    /// Answered when the line is written.
    fn command(&mut self, line: String, reply: Reply) {
        let Some(run) = &self.run else { return reply.refuse("not_running", "The server is not running.") };
        let typed = run.keyboard.type_line(line, None);
        self.job(async move {
            match typed.await {
                Ok(()) => reply.ack(None),
                Err(error) => reply.refuse("busy", error.sentence()),
            }
            Event::Nothing
        });
    }

    /// Does what the queue said.
    pub(super) fn act(&mut self, act: Act) {
        match act {
            Act::Nothing | Act::Command | Act::Resume => {}
            Act::Launch => self.launch(),
            Act::Fetch => {
                self.file.pending = Some(Pending::Install);
                self.save(None);
                self.fetch(true);
            }
            Act::CancelFetch => self.cancel_fetch(),
            Act::CallOff => {
                self.restart_at = None;
                if let Some(Pending::Stop(stop)) = &mut self.file.pending {
                    stop.again = false;
                }
            }
            Act::Stop => self.stop(Intent::Stop),
            Act::Kill => self.stop(Intent::Kill),
            Act::Remove => {
                self.restart_at = None;
                self.start_at = None;
                for going in self.launching.iter().chain(&self.fetching) {
                    going.cancel();
                }
                self.try_remove();
            }
        }
    }

    /// Begins the removal as soon as nothing else of ours is at the engine.
    pub(super) fn try_remove(&mut self) {
        let idle = self.launching.is_none() && self.fetching.is_none() && !self.saving;
        if self.queue.phase() == Phase::Deleting && idle && !self.removing {
            self.removing = true;
            let (context, id) = (Arc::clone(&self.context), self.id.clone());
            let begun = self.file.deleting;
            self.job(async move { Event::Removed(jobs::remove(context, id, begun).await) });
        }
    }

    pub(super) fn launch(&mut self) {
        self.restart_at = None;
        self.start_at = None;
        self.intent = None;
        self.stopping = None;
        self.error = None;
        self.exit_code = None;
        self.oom_killed = false;
        self.queue.set_paused(false);
        self.progress.send_replace(None);
        let (number, run, port) = self.new_run();
        let cancel = self.context.cancel.child_token();
        self.launching = Some(cancel.clone());
        self.made_with = Some(self.settings.clone());
        let launch = Launch {
            context: Arc::clone(&self.context),
            spec: self.file.spec.clone(),
            user: self.file.user.clone(),
            // One that is not ours stays what it is, whatever becomes of this start.
            old: if self.legacy { self.last_container.clone() } else { self.last_container.take() },
            legacy: self.legacy,
            as_found: self.file.as_found,
            console: self.console.clone(),
            trail: Arc::clone(&self.trail),
            port,
            progress: self.progress.clone(),
            cancel,
            run,
        };
        self.console.system("Starting the server.");
        self.job(async move { Event::Launched(number, Box::new(launch.launch().await)) });
    }

    pub(super) fn new_run(&mut self) -> (u64, tokio_util::sync::CancellationToken, Port) {
        self.runs += 1;
        let cancel = self.context.cancel.child_token();
        let (keyboard, port, task) = typing::keyboard(&self.console, &cancel);
        drop(self.context.tasks.spawn(task));
        if let Some(old) =
            self.run.replace(Run { number: self.runs, keyboard, cancel: cancel.clone(), live: None })
        {
            old.cancel.cancel();
        }
        (self.runs, cancel, port)
    }

    pub(super) fn fetch(&mut self, anew: bool) {
        self.error = None;
        let cancel = self.fetching.take().unwrap_or_else(|| self.context.cancel.child_token());
        self.fetching = Some(cancel.clone());
        let image = self.file.spec.image.clone();
        let job = jobs::fetch(Arc::clone(&self.context), image, anew, self.progress.clone(), cancel);
        self.job(async move { Event::Fetched(job.await) });
    }

    fn cancel_fetch(&mut self) {
        // A new server's fetch begins when its file is written: it then finds that it was called off.
        self.fetching.get_or_insert_default().cancel();
        self.error = Some(CANCELLED.into());
        self.remember(Status::InstallFailed);
    }

    fn stop(&mut self, intent: Intent) {
        self.restart_at = None;
        let timeout = self.file.spec.behaviour.clone().unwrap_or_default().stop_timeout;
        let running = self.live().map(|live| live.container_id.clone());
        let pending = PendingStop {
            asked: Moment::now(),
            timeout: u64::from(timeout) * 1_000,
            kill: intent == Intent::Kill,
            again: self.queue.again(),
            taken: 0,
            container_id: running
                .or_else(|| self.pending_stop().and_then(|before| before.container_id.clone())),
        };
        self.file.pending = Some(Pending::Stop(pending.clone()));
        if self.live().is_none() {
            self.save(None);
            self.intent = Some(intent);
            match &self.launching {
                Some(launching) => launching.cancel(),
                // Its turn had not come yet.
                None if self.start_at.take().is_some() => {
                    self.run = None;
                    let act = self.queue.happened(Happened::EndedWell);
                    self.remember(Status::Stopped);
                    self.act(act);
                }
                None => {}
            }
            return;
        }
        if self.resume_to_stop() {
            return self.save(None);
        }
        self.stop_live(&pending);
        if let Some(stopping) = &mut self.stopping {
            // A game that has heard of it must not outlive that it was asked for.
            stopping.hold(Instant::now());
            self.save_for(Some(Waiter::Stop));
        }
    }

    /// Has a game that runs stopped, from the beginning or where it was broken off.
    pub(super) fn stop_live(&mut self, pending: &PendingStop) {
        if let Some(live) = self.live().filter(|_| self.legacy) {
            // Whoever made it told the engine to start it again when it ends by itself, as after a stop command.
            let (context, id) = (Arc::clone(&self.context), live.container_id.clone());
            self.job(async move {
                if let Err(error) = context.engine.disable_restart(&id).await {
                    tracing::debug!(%error, "its restart policy");
                }
                Event::Nothing
            });
        }
        self.stopping = Some(self.stopping_of(pending, pending.asked.elapsed()));
    }

    /// Where a stop is so long after it was asked for.
    pub(super) fn stopping_of(&self, pending: &PendingStop, elapsed: Duration) -> Stopping {
        let stop = self.file.spec.behaviour.clone().unwrap_or_default().stop;
        let (timeout, grace) = (Duration::from_millis(pending.timeout), self.context.tunables.grace);
        let stop = (!pending.kill).then_some(&stop);
        Stopping::resume(stop, timeout, grace, Instant::now(), elapsed, pending.taken)
    }

    /// Takes a step of a stop.
    pub(super) fn apply_stop_step(&mut self, due: Due) {
        let Some(run) = &self.run else { return };
        let step = due.step;
        match due.blow {
            StopStep::Line(line) => {
                let (written, is_written) = oneshot::channel();
                let (number, typed) = (run.number, run.keyboard.type_line(line, Some(written)));
                self.job(async move {
                    // An agent that ends before the game was heard must not type it again.
                    is_written.await.map_or(Event::Nothing, |()| Event::Typed(number, step, Ok(())))
                });
                self.job(async move {
                    let missed = |error| Event::Typed(number, step, Err(error));
                    typed.await.map_or_else(missed, |()| Event::Nothing)
                });
                if self.queue.paused() {
                    self.unpause();
                }
            }
            StopStep::Signal(signal) => {
                let Some(live) = &run.live else { return };
                let (context, id) = (Arc::clone(&self.context), live.container_id.clone());
                let paused = self.queue.paused();
                self.job(async move {
                    let sent = jobs::signal(&context, &id, &signal, paused).await;
                    Event::Signalled(signal, step, sent)
                });
            }
        }
    }

    /// Notes a step, so that it is not taken twice. SIGKILL may be.
    pub(super) fn taken(&mut self, step: u32) {
        let last = self.stopping.as_ref().is_none_or(|stopping| stopping.killed_after().is_some());
        if let Some(Pending::Stop(stop)) = &mut self.file.pending
            && stop.taken < step
            && !last
        {
            stop.taken = step;
            self.save(None);
        }
    }

    fn replace(&mut self, spec: ServerCreate, reply: Reply) {
        if !self.file.as_found || self.queue.phase() == Phase::Deleting {
            let message = "There is a server with this id on this node already. Nothing was changed.";
            return reply.refuse("conflict", message);
        }
        self.change(spec, reply);
    }

    fn update(&mut self, update: ServerUpdate, reply: Reply) {
        let mut spec = self.file.spec.clone();
        let ServerUpdate {
            server_id: _,
            name,
            image,
            startup,
            environment,
            limits,
            ports,
            block_lan,
            behaviour,
        } = update;
        spec.name = name.or(spec.name);
        spec.image = image.unwrap_or(spec.image);
        spec.startup = startup.unwrap_or(spec.startup);
        spec.environment = environment.unwrap_or(spec.environment);
        spec.limits = limits.unwrap_or(spec.limits);
        spec.ports = ports.unwrap_or(spec.ports);
        spec.block_lan = block_lan.unwrap_or(spec.block_lan);
        spec.behaviour = behaviour.or(spec.behaviour);
        self.change(spec, reply);
    }

    fn change(&mut self, mut spec: ServerCreate, reply: Reply) {
        if self.queue.phase() == Phase::Deleting {
            let (code, message) = Refusal::NotFound.words();
            return reply.refuse(code, message);
        }
        if let Err(message) = plan::check(&spec) {
            return reply.refuse("invalid", message);
        }
        if self.file.as_found && spec.behaviour.is_none() {
            // Who knows nothing of where its files lie leaves them where they are.
            spec.behaviour.clone_from(&self.file.spec.behaviour);
        }
        if spec == self.file.spec {
            return reply.ack(Some(self.queue.status()));
        }
        self.file.as_found = false;
        let user = |spec: &ServerCreate| {
            spec.behaviour.clone().map_or_else(ContainerUser::default, |b: Behaviour| b.user)
        };
        let (before, after) = (user(&self.file.spec), user(&spec));
        if before != after || (after == ContainerUser::Image && spec.image != self.file.spec.image) {
            self.file.user = None;
        }
        self.file.spec = spec;
        self.settings = plan::fingerprint(&self.file.spec);
        self.save(Some(reply));
        self.publish();
    }

    /// What was held back is asked now.
    pub(super) fn ask_held(&mut self) {
        for asked in std::mem::take(&mut self.held) {
            self.asked(asked);
        }
    }

    /// A restart is due after this.
    pub(super) fn restart_in(&mut self, delay: Duration) {
        let span = jiff::SignedDuration::try_from(delay).unwrap_or_default();
        let at = Timestamp::now().checked_add(span).unwrap_or_default();
        self.restart_at = Some((Instant::now() + delay, at));
    }
}

fn check_command(line: &str) -> Result<(), String> {
    if line.is_empty() || line.len() > COMMAND {
        return Err(format!("A command is one line of 1 to {COMMAND} bytes."));
    }
    if line.chars().any(char::is_control) {
        return Err("A command holds no control characters.".into());
    }
    Ok(())
}
