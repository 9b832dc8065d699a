//! What happens at the engine, and what follows from it.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::crash::Next;
use super::jobs::{self, Event, Exit, FetchError, RemoveError};
use super::launch::{self, LaunchError, Launched};
use super::queue::{Act, Happened, Idle, Phase};
use super::state::{Intent, Live, Server, Waiter};
use super::{plan, terminal};
use crate::engine::EngineState;
use crate::persist::{PersistError, ServerFile, Wanted};
use crate::protocol::{ServerStatus, Status};
use crate::runtime::{EngineError, Fault, Maker, Seen};

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
                    self.queue.happened(Happened::Ready);
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
            Event::Signalled(signal, result) => self.signalled(&signal, result),
            Event::Fetched(result) => self.fetched(result),
            Event::Looked(seen) => self.looked(seen),
            Event::Adopted(run, result) => {
                if self.is_current(run) {
                    self.adopted(run, *result);
                }
            }
            Event::Saved(file, result) => self.saved(*file, result),
            Event::Removed(result) => self.removed(result),
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
        let behaviour = self.file.spec.behaviour.as_ref();
        let has_ready_line = behaviour.is_some_and(|behaviour| behaviour.ready.is_some());
        self.goes_on(run, launched);
        match self.intent.take() {
            Some(intent) => self.act(if intent == Intent::Kill { Act::Kill } else { Act::Stop }),
            None if !has_ready_line => {
                self.queue.happened(Happened::Ready);
            }
            None => {}
        }
    }

    /// A game runs: waits for its end and its ready line.
    fn goes_on(&mut self, number: u64, launched: Launched) {
        let Launched { container_id, started_at, pid, connected, elder, .. } = launched;
        self.elder = elder;
        let Some(run) = self.run.as_mut() else { return };
        self.last_container = Some(container_id.clone());
        run.live = Some(Live { container_id: container_id.clone(), pid, since: Instant::now(), started_at });
        let exit = jobs::exit(Arc::clone(&self.context), container_id, connected.over);
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

    /// A kill that nobody asked for is looked into before it is told.
    fn exited(&mut self, run: u64, exit: Exit) {
        let asked = matches!(self.queue.phase(), Phase::Stopping | Phase::Deleting);
        match self.live() {
            Some(live) if !exit.sure && !asked => {
                let why = jobs::why_killed(Arc::clone(&self.context), live.container_id.clone(), exit);
                self.job(async move { Event::Exited(run, Ok(why.await)) });
            }
            _ => self.ended(exit),
        }
    }

    fn ended(&mut self, exit: Exit) {
        let Some(run) = self.run.take() else { return };
        run.cancel.cancel();
        self.console.finish();
        let ran = run.live.map(|live| live.since.elapsed()).unwrap_or_default();
        let asked = self.queue.phase() == Phase::Stopping;
        let killed = self.stopping.take().and_then(|stopping| stopping.killed_after());
        self.ended = Some(Instant::now());
        self.made_with = None;
        self.exit_code = Some(exit.code);
        self.oom_killed = exit.oom_killed;
        let code = exit.code;
        if exit.removed {
            self.last_container = None;
        }
        let line = match (asked, killed) {
            (true, Some(after)) if code == 137 && after.is_zero() => Some("It was killed.".to_owned()),
            (true, Some(after)) if code == 137 => {
                Some(format!("It was killed after {} s: it did not stop by itself.", after.as_secs()))
            }
            (true, _) if matches!(code, 0 | 130 | 143) => None,
            (true, _) => Some(format!("It ended with code {code} when it was stopped.")),
            (false, _) if exit.removed => {
                Some("Its container was removed by somebody else while it ran.".to_owned())
            }
            (false, _) if exit.oom_killed => {
                Some(format!("It needed more memory than it may use, and was ended for that (code {code})."))
            }
            (false, _) if code == 0 => None,
            (false, _) => Some(format!("It ended with code {code}.")),
        };
        let said = match &line {
            Some(line) => format!("The server has stopped. {line}"),
            None if asked => "The server has stopped.".to_owned(),
            None => format!("The game ended by itself with code {code}."),
        };
        self.console.system(&said);
        self.error = line;
        let well = asked || code == 0;
        let act = self.queue.happened(if well { Happened::EndedWell } else { Happened::Crashed });
        if self.queue.phase() == Phase::Crashed {
            self.crashed(ran, exit.removed);
        } else if act != Act::Launch {
            self.want(Wanted::Stopped);
        }
        self.remember(if well { Status::Stopped } else { Status::Crashed });
        self.act(act);
    }

    fn crashed(&mut self, ran: std::time::Duration, removed: bool) {
        let patience = self.context.tunables.patience.clone();
        if removed {
            return self.want(Wanted::Stopped);
        }
        match self.crashes.crashed(Instant::now(), ran, &patience) {
            Next::After(delay, nth) => {
                self.restart_in(delay);
                let most = patience.restarts;
                self.console.system(&format!("Restart {nth} of {most} in {} s.", delay.as_secs_f32()));
            }
            Next::GiveUp => {
                let minutes = patience.window.as_secs().div_ceil(60);
                let line = format!(
                    "Given up after {} restarts within {minutes} minutes: it crashes again and again.",
                    patience.restarts
                );
                self.console.system(&line);
                self.error = Some(match self.error.take() {
                    Some(error) => format!("{error} {line}"),
                    None => line,
                });
                self.want(Wanted::Stopped);
            }
        }
    }

    /// The link to the engine broke under a run.
    pub(super) fn lost(&mut self, error: &EngineError) {
        tracing::info!(server = self.id, %error, "lost sight of its container");
        self.context.watch.suspect(error);
        if let Some(run) = self.run.take() {
            run.cancel.cancel();
        }
        self.launching = None;
        if let Some(stopping) = self.stopping.take() {
            self.intent = Some(if stopping.killed_after().is_some() { Intent::Kill } else { Intent::Stop });
        }
        self.queue.happened(Happened::Lost);
        self.look();
    }

    pub(super) fn look(&mut self) {
        if !self.looking {
            self.looking = true;
            let look = jobs::look(Arc::clone(&self.context), self.id.clone());
            self.job(async move { Event::Looked(look.await) });
        }
    }

    fn looked(&mut self, seen: Option<Seen>) {
        self.looking = false;
        if !matches!(self.queue.phase(), Phase::Looking | Phase::Stopping) {
            return;
        }
        self.last_container = seen.as_ref().map(|seen| seen.id.clone());
        self.elder = seen.as_ref().is_some_and(|seen| seen.maker == Maker::Elder);
        if let Some(seen) = seen.filter(|seen| seen.running) {
            self.made_with.clone_from(&seen.settings);
            if self.elder {
                self.made_with = Some(if self.file.as_found { self.settings.clone() } else { String::new() });
            }
            let (lines, receiver) = mpsc::channel(terminal::LINES);
            let (number, run) = self.new_run(lines);
            let (context, console) = (Arc::clone(&self.context), self.console.clone());
            self.job(async move {
                let adopted = launch::adopt(&context, seen, &console, receiver, &run).await;
                Event::Adopted(number, Box::new(adopted))
            });
            return;
        }
        let act = if self.queue.phase() == Phase::Stopping {
            self.intent = None;
            self.want(Wanted::Stopped);
            self.queue.happened(Happened::EndedWell)
        } else if self.file.wanted == Wanted::Running {
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
            // It was broken off, not asked for anew.
            self.fetch(false);
        } else {
            self.act(act);
        }
        self.ask_held();
    }

    fn idle(&mut self) -> Idle {
        let Some(last) = self.file.last.clone() else { return Idle::NotInstalled };
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
                self.goes_on(run, launched);
                self.file.wanted = Wanted::Running;
                let act = match self.queue.happened(Happened::FoundRunning) {
                    Act::Nothing if self.queue.phase() == Phase::Stopping => match self.intent.take() {
                        Some(Intent::Kill) => Act::Kill,
                        _ => Act::Stop,
                    },
                    act => act,
                };
                self.act(act);
            }
        }
        self.ask_held();
    }

    fn signalled(&mut self, signal: &str, result: Result<(), EngineError>) {
        let Err(error) = result else { return };
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
                self.error = Some("The installation was cancelled.".into());
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
                        Waiter::Act(reply, status) => reply.ack(Some(status)),
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
                        Waiter::Act(reply, status) => reply.ack(Some(status)),
                    }
                }
                self.gone |= fresh;
            }
        }
        if std::mem::take(&mut self.save_again) && !self.gone {
            let mut next = std::mem::take(&mut self.save_waiters_next).into_iter();
            self.save_for(next.next());
            self.save_waiters.extend(next);
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
        if let Some(blow) = self.stopping.as_mut().and_then(|stopping| stopping.due(now)) {
            if let super::stop::Blow::Signal(signal) = &blow {
                self.console.system(&format!("It has not stopped yet: sending {signal}."));
            }
            self.strike(blow);
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
