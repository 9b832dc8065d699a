//! Handles events from the engine and from jobs.

use std::sync::Arc;

use protocol::{ErrorCode, ServerStatus, Status};
use tokio::time::Instant;

use super::actions::CANCELLED;
use super::install::InstallError;
use super::jobs::{self, Event, FetchError};
use super::launch::{LaunchError, Launched};
use super::life_cycle::{Act, Happened, Phase};
use super::record::Waiter;
use super::removal::RemoveError;
use super::run::{Intent, Live, Stage};
use super::state::Server;
use crate::persist::{PersistError, ServerFile, Wanted};
use crate::runtime::Fault;
use crate::runtime::engine_watch::EngineState;

/// Console text. More people can read the console than may see engine errors, which contain addresses; the full reason
/// goes into the status.
const NOT_FETCHED: &str = "The image could not be fetched. The server's state says why.";

impl Server {
    pub(super) fn event(&mut self, event: Event) {
        // The event belongs to a run that is over.
        if event.run().is_none_or(|run| self.runs.is_current(run)) {
            self.handle(event);
        }
        self.try_remove();
        self.publish();
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Launched(run, result) => self.launched(run, *result),
            Event::Ready(_) => self.ready(),
            Event::Exited(run, Ok(exit)) => self.exited(run, exit),
            Event::Exited(_, Err(error)) => self.lost(&error),
            Event::Signalled(signal, step, result) => self.signalled(&signal, step, result),
            Event::Typed(_, step, result) => self.typed(step, result),
            Event::Fetched(result) => self.fetched(result),
            Event::InstallMade(made) => self.install_made(made),
            Event::Installed(result) => self.installed(result),
            Event::Inspected(found) => self.inspected(found),
            Event::Adopted(run, result) => self.adopted(run, *result),
            Event::Saved(file, result) => self.saved(*file, result),
            Event::Removed(result) => self.removed(result),
            Event::PauseChecked(_, seen) => {
                if let Some(seen) = seen {
                    self.pause_seen(seen.paused);
                }
            }
            Event::SignalsFound(_, signals) => self.signals_found(&signals),
            Event::Resumed(run, reply, result) => self.resumed(run, reply, result),
            Event::Nothing => {}
        }
    }

    fn launched(&mut self, run: u64, result: Result<Launched, LaunchError>) {
        let launched = match result {
            Ok(launched) => launched,
            Err(error) => return self.not_launched(error),
        };
        let user = &mut self.record.file.user;
        if launched.user.is_some() && *user != launched.user {
            user.clone_from(&launched.user);
            self.record.save();
        }
        let ready = launched.ready;
        match self.goes_live(run, launched) {
            Some(intent) => self.act(if intent == Intent::Kill { Act::Kill } else { Act::Stop }),
            None if ready => self.ready(),
            None => {}
        }
    }

    /// The game runs: starts waiting for its end and its ready line. Returns how to stop it at once if a stop was
    /// requested during the launch.
    pub(super) fn goes_live(&mut self, number: u64, launched: Launched) -> Option<Intent> {
        let Launched { container_id, started_at, pid, connected, legacy, found_paused, .. } = launched;
        self.container.legacy = legacy;
        let run = self.runs.current.as_mut()?;
        self.container.id = Some(container_id.clone());
        let since = Instant::now();
        let live =
            Live { container_id: container_id.clone(), pid, since, started_at, found_paused, stopping: None };
        let before = std::mem::replace(&mut run.stage, Stage::Live(live));
        let exit = jobs::exit(Arc::clone(&self.context), container_id, connected.over, connected.ended);
        self.jobs.push(async move { Event::Exited(number, exit.await) });
        let ready = connected.ready;
        self.jobs.push(async move {
            match ready.await {
                Ok(()) => Event::Ready(number),
                // The output ended without the ready line. The end of the run is a separate event.
                Err(_) => Event::Nothing,
            }
        });
        match before {
            Stage::Launching { stop, .. } => stop,
            Stage::Adopting | Stage::Live(_) => None,
        }
    }

    fn not_launched(&mut self, error: LaunchError) {
        let (happened, status) = match error {
            LaunchError::Away(error) => return self.lost(&error),
            LaunchError::Cancelled => (Happened::EndedWell, Status::Stopped),
            LaunchError::Fetch(message) => {
                self.output.console.system(NOT_FETCHED);
                self.shown.outcome.error = Some(message);
                (Happened::FetchFailed, Status::InstallFailed)
            }
            LaunchError::Failed { message, exit_code } => {
                self.output.console.system(&format!("The server could not be started: {message}"));
                self.shown.outcome.error = Some(message);
                self.shown.outcome.exit_code = exit_code;
                (Happened::LaunchFailed, Status::Crashed)
            }
        };
        self.runs.end();
        self.container.made_with = None;
        self.shown.progress.send_replace(None);
        let asked = self.life_cycle.is_stopping();
        let act = self.life_cycle.happened(happened);
        if act != Act::Launch {
            // It would fail again, so only a user can start it.
            self.record.want(Wanted::Stopped);
        }
        self.remember(if asked { Status::Stopped } else { status });
        self.act(act);
    }

    /// Marks the game as ready for players. Recorded in the file, since the ready line may be gone from the engine's
    /// log when the agent restarts.
    pub(super) fn ready(&mut self) {
        self.life_cycle.happened(Happened::Ready);
        let started_at = self.runs.live().map(|live| live.started_at);
        if self.record.file.ready != started_at {
            self.record.file.ready = started_at;
            self.record.save();
        }
    }

    fn fetched(&mut self, result: Result<Option<String>, FetchError>) {
        self.shown.progress.send_replace(None);
        if result.is_ok() && !self.life_cycle.is_deleting() && self.make_install() {
            self.note_old_image(result.ok().flatten());
            return;
        }
        self.image.fetching = None;
        let (happened, status) = match result {
            Ok(note) => {
                self.note_old_image(note);
                (Happened::Fetched, Status::Stopped)
            }
            Err(error) => {
                let message = match error {
                    FetchError::Cancelled => CANCELLED.into(),
                    FetchError::Failed(message) => {
                        self.output.console.system(NOT_FETCHED);
                        message
                    }
                };
                self.shown.outcome.error = Some(message);
                (Happened::FetchFailed, Status::InstallFailed)
            }
        };
        self.life_cycle.happened(happened);
        if !self.life_cycle.is_deleting() && !self.context.cancel.is_cancelled() {
            self.remember(status);
        }
    }

    /// Reports that an outdated image is used.
    fn note_old_image(&self, note: Option<String>) {
        if let Some(note) = note {
            tracing::info!(server = %self.id, note, "an image was not fetched anew");
            let console = &self.output.console;
            console.system("The image could not be fetched anew. The one that is here is kept.");
        }
    }

    fn saved(&mut self, file: ServerFile, result: Result<(), PersistError>) {
        let new = self.record.is_new();
        let failed = match result {
            Ok(()) => None,
            Err(error) => {
                tracing::error!(server = %self.id, %error, "a server's file could not be written");
                Some(error)
            }
        };
        let waiters = self.record.end_write(failed.is_none().then_some(file));
        match &failed {
            None if new && self.life_cycle.phase() == Phase::Installing => self.fetch(false),
            None if new => self.image.fetching = None,
            None => {}
            Some(_) if waiters.iter().any(|waiter| matches!(waiter, Waiter::Keep(_))) => {
                self.record.undo_settings();
            }
            Some(_) => {}
        }
        for waiter in waiters {
            self.answer(waiter, failed.as_ref());
        }
        self.requests.gone |= new && failed.is_some();
    }

    /// Answers a request that waited for the write.
    fn answer(&mut self, waiter: Waiter, failed: Option<&PersistError>) {
        match (waiter, failed) {
            (Waiter::Keep(reply), None) => reply.ack(Some(self.life_cycle.status())),
            (Waiter::Keep(reply), Some(error)) => {
                let code = if error.is_disk_full() { ErrorCode::DiskFull } else { ErrorCode::Busy };
                reply.refuse(code, format!("The node could not write it down: {error}"));
            }
            // The action itself succeeded; a failed write does not undo it.
            (Waiter::Act(reply, status), _) => reply.ack(Some(status)),
            (Waiter::Refuse(reply, code, message), _) => reply.refuse(code, message),
            (Waiter::Install, None) => self.run_install(),
            (Waiter::Install, Some(error)) => {
                let sentence = format!("The node could not write it down: {error}.");
                self.installed(Err(InstallError::Failed(sentence, None)));
            }
            (Waiter::Stop, _) => {
                if let Some(stopping) = self.runs.stopping_mut() {
                    stopping.release();
                }
            }
        }
    }

    fn removed(&mut self, result: Result<(), RemoveError>) {
        self.jobs.removing = false;
        self.runs.end();
        let Err(error) = result else {
            self.requests.gone = true;
            return;
        };
        self.life_cycle.happened(Happened::DeleteFailed);
        let code = match &error {
            RemoveError::Engine(error) => {
                self.context.watch.suspect(error);
                if error.fault == Fault::Away { ErrorCode::EngineUnavailable } else { ErrorCode::Busy }
            }
            RemoveError::File(error) if error.is_disk_full() => ErrorCode::DiskFull,
            RemoveError::File(_) | RemoveError::Folder(_) => ErrorCode::Busy,
        };
        for reply in std::mem::take(&mut self.requests.deletes) {
            reply.refuse(code.clone(), format!("The server could not be removed: {error}"));
        }
        self.inspect();
    }

    /// The engine went away or came back.
    pub(super) fn engine_changed(&mut self, state: &EngineState) {
        self.life_cycle.set_away(matches!(state, EngineState::Away(_)));
        if self.life_cycle.away() {
            self.ask_deferred();
        }
        self.publish();
    }

    /// Runs scheduled actions that are due.
    pub(super) fn due(&mut self) {
        let now = Instant::now();
        self.stop_step_due(now);
        if self.schedule.start_is_due(now) {
            self.launch();
        }
        if self.schedule.restart_is_due(now) {
            let act = self.life_cycle.happened(Happened::Due);
            if act == Act::Launch {
                self.act(act);
            } else {
                self.schedule.cancel_restart();
            }
        }
        self.publish();
    }

    /// Announces that the server is deleted.
    pub(super) fn farewell(&mut self) {
        // Closed first, so that no request can arrive between the two steps.
        self.requests.queue.close();
        self.tell(ServerStatus::new(&self.id, Status::Deleted));
        for reply in std::mem::take(&mut self.requests.deletes) {
            reply.ack(None);
        }
    }
}
