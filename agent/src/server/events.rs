//! What happens at the engine, and what follows from it.

use std::sync::Arc;

use tokio::time::Instant;

use super::jobs::{self, Event, FetchError, Look, RemoveError};
use super::launch::{LaunchError, Launched};
use super::plan;
use super::queue::{Act, Happened, Idle, Phase};
use super::requests::CANCELLED;
use super::state::{Intent, Live, Server, Waiter};
use super::stop::{self, StopStep};
use crate::engine::EngineState;
use crate::persist::{Pending, PersistError, ServerFile, Wanted};
use crate::protocol::{ServerStatus, Status};
use crate::runtime::{EngineError, Fault, Owner};

/// For the console, which more people read than may know what an engine says about the addresses it reaches: that goes
/// into the state.
const NOT_FETCHED: &str = "The image could not be fetched. The server's state says why.";

impl Server {
    pub(super) fn event(&mut self, event: Event) {
        match event {
            Event::Launched(run, result) => {
                if self.is_current(run) {
                    self.launched(run, *result);
                }
            }
            Event::Ready(run) => {
                if self.is_current(run) {
                    self.ready();
                }
            }
            Event::Exited(run, result) => {
                if self.is_current(run) {
                    match result {
                        Ok(exit) => self.exited(run, exit),
                        Err(error) => self.lost(&error),
                    }
                }
            }
            Event::Signalled(signal, step, result) => self.signalled(&signal, step, result),
            Event::Typed(run, step, result) => {
                if self.is_current(run) {
                    match result {
                        Ok(()) => self.taken(step),
                        Err(error) => self.not_typed(error),
                    }
                }
            }
            Event::Fetched(result) => self.fetched(result),
            Event::Looked(seen) => self.looked(seen),
            Event::Adopted(run, result) => {
                if self.is_current(run) {
                    self.adopted(run, *result);
                }
            }
            Event::Saved(file, result) => self.saved(*file, result),
            Event::Removed(result) => self.removed(result),
            Event::Glanced(run, seen) => {
                if let Some(seen) = seen.filter(|_| self.is_current(run)) {
                    self.glanced(seen.paused);
                }
            }
            Event::OutputSignals(run, signals) => {
                if self.is_current(run) {
                    self.heard(&signals);
                }
            }
            Event::Resumed(run, reply, result) => self.resumed(run, reply, result),
            Event::Nothing => {}
        }
        self.try_remove();
        self.publish();
    }

    fn launched(&mut self, run: u64, result: Result<Launched, LaunchError>) {
        self.launching = None;
        let launched = match result {
            Ok(launched) => launched,
            Err(LaunchError::Away(error)) => return self.lost(&error),
            Err(error) => return self.not_launched(error),
        };
        if launched.user.is_some() && self.file.user != launched.user {
            self.file.user.clone_from(&launched.user);
            self.save(None);
        }
        let ready = launched.ready;
        self.goes_on(run, launched);
        match self.intent.take() {
            Some(intent) => self.act(if intent == Intent::Kill { Act::Kill } else { Act::Stop }),
            None if ready => self.ready(),
            None => {}
        }
    }

    /// A game runs: waits for its end and its ready line.
    fn goes_on(&mut self, number: u64, launched: Launched) {
        let Launched { container_id, started_at, pid, connected, legacy, found_paused, .. } = launched;
        self.legacy = legacy;
        let Some(run) = self.run.as_mut() else { return };
        self.last_container = Some(container_id.clone());
        let since = Instant::now();
        run.live = Some(Live { container_id: container_id.clone(), pid, since, started_at, found_paused });
        let exit = jobs::exit(Arc::clone(&self.context), container_id, connected.over, connected.ended);
        self.job(async move { Event::Exited(number, exit.await) });
        let ready = connected.ready;
        self.job(async move {
            match ready.await {
                Ok(()) => Event::Ready(number),
                // The line never came, and cannot any more: no event. The run's end is one.
                Err(_) => Event::Ready(0),
            }
        });
    }

    fn not_launched(&mut self, error: LaunchError) {
        if let Some(run) = self.run.take() {
            run.cancel.cancel();
        }
        self.made_with = None;
        let asked = self.queue.phase() == Phase::Stopping;
        self.intent = None;
        self.progress.send_replace(None);
        let (happened, status) = match error {
            LaunchError::Cancelled => (Happened::EndedWell, Status::Stopped),
            LaunchError::Fetch(message) => {
                self.console.system(NOT_FETCHED);
                self.error = Some(message);
                (Happened::FetchFailed, Status::InstallFailed)
            }
            LaunchError::Failed { message, exit_code } => {
                self.console.system(&format!("The server could not be started: {message}"));
                self.error = Some(message);
                self.exit_code = exit_code;
                (Happened::LaunchFailed, Status::Crashed)
            }
            LaunchError::Away(error) => return self.lost(&error),
        };
        let act = self.queue.happened(happened);
        if act != Act::Launch {
            // It would fail again: nobody starts it but a person.
            self.want(Wanted::Stopped);
        }
        self.remember(if asked { Status::Stopped } else { status });
        self.act(act);
    }

    /// The link to the engine broke under a run.
    pub(super) fn lost(&mut self, error: &EngineError) {
        tracing::info!(server = self.id, %error, "lost sight of its container");
        self.context.watch.suspect(error);
        self.look_anew();
    }

    /// Looks for its container as if nothing was known of it.
    pub(super) fn look_anew(&mut self) {
        if let Some(run) = self.run.take() {
            run.cancel.cancel();
        }
        self.launching = None;
        // A stop that was under way goes on when it is found again: the file knows of it.
        self.stopping = None;
        self.intent = None;
        self.queue.happened(Happened::Lost);
        self.look();
    }

    pub(super) fn look(&mut self) {
        if !self.looking {
            self.looking = true;
            let look = jobs::look(Arc::clone(&self.context), self.id.clone());
            let rest = self.rest();
            self.job(async move {
                let look = look.await;
                if let Some(seen) = look.seen.as_ref().filter(|seen| !seen.running) {
                    rest.read(seen).await;
                }
                Event::Looked(look)
            });
        }
    }

    fn looked(&mut self, look: Look) {
        self.looking = false;
        if !matches!(self.queue.phase(), Phase::Looking | Phase::Stopping) {
            return;
        }
        let Look { seen, stopped } = look;
        self.last_container = seen.as_ref().map(|seen| seen.id.clone());
        self.legacy = seen.as_ref().is_some_and(|seen| seen.owner == Owner::Legacy);
        let (running, ended) = match seen {
            Some(seen) if seen.running => (Some(seen), None),
            seen => (None, seen),
        };
        if let Some(seen) = running {
            self.made_with.clone_from(&seen.settings);
            if self.legacy {
                self.made_with = Some(if self.file.as_found { self.settings.clone() } else { String::new() });
            }
            self.queue.set_paused(seen.paused);
            self.adopt(seen);
            return;
        }
        if self.pending_stop().is_some() {
            self.ended_unseen(ended);
            return self.ask_held();
        }
        if let Some(seen) = ended.filter(|_| stopped && self.file.wanted == Wanted::Running) {
            self.stopped_unseen(&seen);
            return self.ask_held();
        }
        let act = if self.file.wanted == Wanted::Running {
            let act = self.queue.happened(Happened::FoundWanted);
            if self.queue.phase() == Phase::Starting {
                self.console.system("The server should run and does not: it is started again.");
                self.start_at = Some(self.context.turns.take(self.context.tunables.stagger));
            }
            act
        } else {
            let idle = self.idle();
            self.queue.happened(Happened::FoundIdle(idle))
        };
        if act == Act::Fetch {
            // It was broken off: one that was asked for anew goes on so.
            self.fetch(self.file.pending == Some(Pending::Install));
        } else {
            self.act(act);
        }
        self.ask_held();
    }

    fn idle(&mut self) -> Idle {
        let Some(last) = self.file.last.clone() else { return Idle::NotInstalled };
        if self.file.pending == Some(Pending::Install) {
            return Idle::NotInstalled;
        }
        self.exit_code = last.exit_code;
        self.oom_killed = last.oom_killed;
        self.error = last.error;
        match last.status {
            Status::InstallFailed => Idle::InstallFailed,
            Status::Crashed => Idle::Crashed,
            _ => Idle::Stopped,
        }
    }

    fn adopted(&mut self, run: u64, result: Result<Launched, EngineError>) {
        match result {
            Err(error) => self.lost(&error),
            Ok(launched) => {
                self.error = None;
                self.exit_code = None;
                self.oom_killed = false;
                let (id, ready) = (launched.container_id.clone(), launched.ready);
                self.goes_on(run, launched);
                self.go_on_stopping(&id, ready);
                if ready {
                    self.ready();
                }
            }
        }
        self.ask_held();
    }

    /// It was found running: goes on with the stop that was under way, if one was.
    fn go_on_stopping(&mut self, container_id: &str, ready: bool) {
        let looking = self.queue.phase() == Phase::Looking;
        let pending = self.pending_stop().cloned().filter(|pending| {
            // Another container than the one that was to end is what a restart came to.
            !looking || pending.container_id.as_ref().is_none_or(|id| id == container_id)
        });
        let Some(mut pending) = pending else {
            self.file.pending = None;
            self.file.wanted = Wanted::Running;
            let found = if ready { Happened::FoundRunning } else { Happened::FoundStarting };
            let act = self.queue.happened(found);
            return self.act(act);
        };
        self.queue.happened(Happened::FoundStopping { again: pending.again });
        if looking {
            self.console.system("The stop that was under way goes on.");
        }
        pending.container_id = Some(container_id.to_owned());
        self.file.pending = Some(Pending::Stop(pending));
        if self.resume_to_stop() {
            return;
        }
        let Some(number) = self.run.as_ref().map(|run| run.number) else { return };
        let (context, id) = (Arc::clone(&self.context), container_id.to_owned());
        self.job(async move {
            let signals = context.engine.signals(&id).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "which signals a container was sent is not known");
                Vec::new()
            });
            Event::OutputSignals(number, signals)
        });
    }

    /// Goes on with a stop, and takes no step twice.
    fn heard(&mut self, signals: &[String]) {
        let Some(mut pending) = self.pending_stop().cloned() else { return };
        let stop = self.file.spec.behaviour.clone().unwrap_or_default().stop;
        pending.taken = stop::taken((!pending.kill).then_some(&stop), pending.taken, signals);
        self.file.pending = Some(Pending::Stop(pending.clone()));
        if self.stopping.is_none() {
            self.stop_live(&pending);
        }
    }

    fn signalled(&mut self, signal: &str, step: u32, result: Result<(), EngineError>) {
        let Err(error) = result else { return self.taken(step) };
        // It ended before the signal came: that is what was wanted.
        if !matches!(error.fault, Fault::Missing | Fault::Conflict) {
            tracing::warn!(server = self.id, signal, %error, "a signal could not be sent");
            self.console.system(&format!("The signal {signal} could not be sent: {}", error.message));
            self.context.watch.suspect(&error);
        }
    }

    fn fetched(&mut self, result: Result<Option<String>, FetchError>) {
        self.fetching = None;
        self.progress.send_replace(None);
        let (happened, status) = match result {
            Ok(note) => {
                if let Some(note) = note {
                    tracing::info!(server = self.file.spec.server_id, note, "an image was not fetched anew");
                    self.console.system("The image could not be fetched anew. The one that is here is kept.");
                }
                (Happened::Fetched, Status::Stopped)
            }
            Err(FetchError::Cancelled) => {
                self.error = Some(CANCELLED.into());
                (Happened::FetchFailed, Status::InstallFailed)
            }
            Err(FetchError::Failed(message)) => {
                self.console.system(NOT_FETCHED);
                self.error = Some(message);
                (Happened::FetchFailed, Status::InstallFailed)
            }
        };
        self.queue.happened(happened);
        if self.queue.phase() != Phase::Deleting && !self.context.cancel.is_cancelled() {
            self.remember(status);
        }
    }

    fn saved(&mut self, file: ServerFile, result: Result<(), PersistError>) {
        self.saving = false;
        let waiters = std::mem::take(&mut self.save_waiters);
        let fresh = self.saved.is_none();
        match result {
            Ok(()) => {
                self.saved = Some(file);
                if fresh && self.queue.phase() == Phase::Installing {
                    self.fetch(false);
                } else if fresh {
                    self.fetching = None;
                }
                for waiter in waiters {
                    match waiter {
                        Waiter::Keep(reply) => reply.ack(Some(self.queue.status())),
                        waiter => self.kept(waiter),
                    }
                }
            }
            Err(error) => {
                tracing::error!(server = self.id, %error, "a server's file could not be written");
                let code = if error.is_disk_full() { "disk_full" } else { "busy" };
                let kept = waiters.iter().any(|waiter| matches!(waiter, Waiter::Keep(_)));
                if let (Some(saved), true) = (&self.saved, kept) {
                    self.file.spec = saved.spec.clone();
                    self.settings = plan::fingerprint(&self.file.spec);
                }
                for waiter in waiters {
                    match waiter {
                        Waiter::Keep(reply) => {
                            reply.refuse(code, format!("The node could not write it down: {error}"));
                        }
                        // It is done, and that nobody could write it down does not undo it.
                        waiter => self.kept(waiter),
                    }
                }
                self.gone |= fresh;
            }
        }
    }

    /// Whoever waited for the disk waits no longer.
    fn kept(&mut self, waiter: Waiter) {
        match waiter {
            Waiter::Keep(reply) => reply.ack(Some(self.queue.status())),
            Waiter::Act(reply, status) => reply.ack(Some(status)),
            Waiter::Refuse(reply, code, message) => reply.refuse(code, message),
            Waiter::Stop => {
                if let Some(stopping) = &mut self.stopping {
                    stopping.release();
                }
            }
        }
    }

    fn removed(&mut self, result: Result<(), RemoveError>) {
        self.removing = false;
        match result {
            Ok(()) => {
                self.gone = true;
                if let Some(run) = self.run.take() {
                    run.cancel.cancel();
                }
            }
            Err(error) => {
                self.queue.happened(Happened::DeleteFailed);
                let code = match &error {
                    RemoveError::Engine(error) => {
                        self.context.watch.suspect(error);
                        if error.fault == Fault::Away { "engine_unavailable" } else { "busy" }
                    }
                    RemoveError::File(error) if error.is_disk_full() => "disk_full",
                    RemoveError::File(_) | RemoveError::Folder(_) => "busy",
                };
                for reply in std::mem::take(&mut self.deletes) {
                    reply.refuse(code, format!("The server could not be removed: {error}"));
                }
                if let Some(run) = self.run.take() {
                    run.cancel.cancel();
                }
                self.look();
            }
        }
    }

    /// The engine went or came.
    pub(super) fn engine_changed(&mut self, state: &EngineState) {
        self.queue.set_away(matches!(state, EngineState::Away(_)));
        if self.queue.away() {
            self.ask_held();
        }
        self.publish();
    }

    /// Something is due.
    pub(super) fn due(&mut self) {
        let now = Instant::now();
        if let Some(due) = self.stopping.as_mut().and_then(|stopping| stopping.due(now)) {
            if let (StopStep::Signal(signal), true) = (&due.blow, due.insists) {
                self.console.system(&format!("It has not stopped yet: sending {signal}."));
            }
            self.apply_stop_step(due);
        }
        if self.start_at.is_some_and(|at| at <= now) {
            self.launch();
        }
        if self.restart_at.is_some_and(|(at, _)| at <= now) {
            let act = self.queue.happened(Happened::Due);
            if act == Act::Launch {
                self.act(act);
            } else {
                self.restart_at = None;
            }
        }
        self.publish();
    }

    /// The last word about a server that is gone.
    pub(super) fn farewell(&mut self) {
        self.tell(ServerStatus::new(&self.id, Status::Deleted));
        for reply in std::mem::take(&mut self.deletes) {
            reply.ack(None);
        }
    }
}
