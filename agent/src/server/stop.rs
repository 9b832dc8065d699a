//! Stops a server: takes requests, performs the steps, and continues after a restart of the agent. The steps and their
//! times are in [`super::stop_steps`].

use std::sync::Arc;
use std::time::Duration;

use protocol::{Status, Stop};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::jobs::{self, Event};
use super::life_cycle::{Happened, Phase};
use super::record::Waiter;
use super::run::{Intent, Stage};
use super::state::Server;
use super::stop_steps::{self, Due, StopStep, Stopping};
use super::typing::NotTyped;
use crate::persist::{Moment, Pending, PendingStop, Wanted};
use crate::runtime::{EngineError, Fault};

impl Server {
    /// Stops or kills a game that is running, being launched, or found running.
    pub(super) fn stop(&mut self, intent: Intent) {
        self.schedule.cancel_restart();
        let pending = self.new_pending_stop(intent);
        self.record.file.pending = Some(Pending::Stop(pending.clone()));
        if self.runs.live().is_none() {
            return self.stop_before_it_runs(intent);
        }
        if self.resume_to_stop() {
            return self.record.save();
        }
        self.stop_live(&pending);
        if let Some(stopping) = self.runs.stopping_mut() {
            // The request must be on the disk before the game is told to stop.
            stopping.hold(Instant::now());
            self.record.save_for(Waiter::Stop);
        }
    }

    fn new_pending_stop(&self, intent: Intent) -> PendingStop {
        let timeout = self.record.file.spec.behaviour.clone().unwrap_or_default().stop_timeout;
        let running = self.runs.live().map(|live| live.container_id.clone());
        let before = self.record.pending_stop();
        PendingStop {
            asked: Moment::now(),
            timeout: u64::from(timeout) * 1_000,
            kill: intent == Intent::Kill,
            again: self.life_cycle.again(),
            taken: 0,
            container_id: running.or_else(|| before.and_then(|before| before.container_id.clone())),
        }
    }

    fn stop_before_it_runs(&mut self, intent: Intent) {
        self.record.save();
        match self.runs.current.as_mut().map(|run| &mut run.stage) {
            Some(Stage::Launching { cancel, stop }) => {
                *stop = Some(intent);
                cancel.cancel();
            }
            _ => {
                // Its start was still scheduled.
                if self.schedule.cancel_start() {
                    let act = self.life_cycle.happened(Happened::EndedWell);
                    self.remember(Status::Stopped);
                    self.act(act);
                }
            }
        }
    }

    /// Stops a running game, from the first step or from where it was interrupted.
    pub(super) fn stop_live(&mut self, pending: &PendingStop) {
        if let Some(live) = self.runs.live().filter(|_| self.container.legacy) {
            // The creator's restart policy would have the engine start it again if it ends by itself, as after a stop
            // command.
            let (context, id) = (Arc::clone(&self.context), live.container_id.clone());
            self.jobs.push(async move {
                if let Err(error) = context.engine.disable_restart(&id).await {
                    tracing::debug!(%error, "its restart policy");
                }
                Event::Nothing
            });
        }
        let stopping = self.stopping_of(pending, pending.asked.elapsed());
        if let Some(live) = self.runs.live_mut() {
            live.stopping = Some(stopping);
        }
    }

    /// The state of a stop this long after it was requested.
    pub(super) fn stopping_of(&self, pending: &PendingStop, elapsed: Duration) -> Stopping {
        let (timeout, grace) = (Duration::from_millis(pending.timeout), self.context.tunables.grace);
        let stop = self.way_to_stop(pending);
        Stopping::resume(stop.as_ref(), timeout, grace, Instant::now(), elapsed, pending.taken)
    }

    /// How the game is stopped; `None` for a kill.
    fn way_to_stop(&self, pending: &PendingStop) -> Option<Stop> {
        let behaviour = self.record.file.spec.behaviour.clone().unwrap_or_default();
        (!pending.kill).then_some(behaviour.stop)
    }

    /// Performs the next step if it is due.
    pub(super) fn stop_step_due(&mut self, now: Instant) {
        let Some(due) = self.runs.stopping_mut().and_then(|stopping| stopping.due(now)) else { return };
        if let (StopStep::Signal(signal), true) = (&due.action, due.insists) {
            self.output.console.system(&format!("It has not stopped yet: sending {signal}."));
        }
        self.apply_stop_step(due);
    }

    fn apply_stop_step(&mut self, due: Due) {
        let Some(run) = &self.runs.current else { return };
        let step = due.step;
        match due.action {
            StopStep::Line(line) => {
                let (written, is_written) = oneshot::channel();
                let (number, typed) = (run.number, run.keyboard.type_line(line, Some(written)));
                self.jobs.push(async move {
                    // Recorded once written: if the agent exits before the game answers, the line must not be typed
                    // again.
                    is_written.await.map_or(Event::Nothing, |()| Event::Typed(number, step, Ok(())))
                });
                self.jobs.push(async move {
                    let missed = |error| Event::Typed(number, step, Err(error));
                    typed.await.map_or_else(missed, |()| Event::Nothing)
                });
                if self.life_cycle.paused() {
                    self.unpause();
                }
            }
            StopStep::Signal(signal) => {
                let Some(live) = self.runs.live() else { return };
                let (context, id) = (Arc::clone(&self.context), live.container_id.clone());
                let paused = self.life_cycle.paused();
                self.jobs.push(async move {
                    let sent = jobs::signal(&context, &id, &signal, paused).await;
                    Event::Signalled(signal, step, sent)
                });
            }
        }
    }

    /// Records a step so that it is not repeated. SIGKILL may be repeated, so it is not recorded.
    fn step_taken(&mut self, step: u32) {
        let last = self.runs.stopping().is_none_or(|stopping| stopping.killed_after().is_some());
        if let Some(Pending::Stop(stop)) = &mut self.record.file.pending
            && stop.taken < step
            && !last
        {
            stop.taken = step;
            self.record.save();
        }
    }

    pub(super) fn signalled(&mut self, signal: &str, step: u32, result: Result<(), EngineError>) {
        let Err(error) = result else { return self.step_taken(step) };
        // If it ended before the signal arrived, the goal is reached.
        if !matches!(error.fault, Fault::Missing | Fault::Conflict) {
            tracing::warn!(server = %self.id, signal, %error, "a signal could not be sent");
            let console = &self.output.console;
            console.system(&format!("The signal {signal} could not be sent: {}", error.message));
            self.context.watch.suspect(&error);
        }
    }

    /// The stop command was written, or could not be typed; then a signal is sent instead.
    pub(super) fn typed(&mut self, step: u32, result: Result<(), NotTyped>) {
        let Err(error) = result else { return self.step_taken(step) };
        if self.runs.stopping_mut().is_some_and(|stopping| stopping.without_line(Instant::now())) {
            let why = error.sentence();
            let console = &self.output.console;
            console.system(&format!("The stop command could not be typed: {why} A signal is sent instead."));
        }
    }

    /// It was found running: continues the stop in progress, if there was one.
    pub(super) fn go_on_stopping(&mut self, container_id: &str, ready: bool) {
        let inspecting = self.life_cycle.phase() == Phase::Inspecting;
        let pending = self.record.pending_stop().cloned().filter(|pending| {
            // A different container means that the restart was already carried out.
            !inspecting || pending.container_id.as_ref().is_none_or(|id| id == container_id)
        });
        let Some(mut pending) = pending else {
            self.record.file.pending = None;
            self.record.file.wanted = Wanted::Running;
            let found = if ready { Happened::FoundRunning } else { Happened::FoundStarting };
            let act = self.life_cycle.happened(found);
            return self.act(act);
        };
        self.life_cycle.happened(Happened::FoundStopping { again: pending.again });
        if inspecting {
            self.output.console.system("The stop that was under way goes on.");
        }
        pending.container_id = Some(container_id.to_owned());
        self.record.file.pending = Some(Pending::Stop(pending));
        if self.resume_to_stop() {
            return;
        }
        let Some(number) = self.runs.current.as_ref().map(|run| run.number) else { return };
        let (context, id) = (Arc::clone(&self.context), container_id.to_owned());
        self.jobs.push(async move {
            let signals = context.engine.signals(&id).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "which signals a container was sent is not known");
                Vec::new()
            });
            Event::SignalsFound(number, signals)
        });
    }

    /// Continues a stop, skipping the steps already taken.
    pub(super) fn signals_found(&mut self, signals: &[String]) {
        let Some(mut pending) = self.record.pending_stop().cloned() else { return };
        pending.taken = stop_steps::taken(self.way_to_stop(&pending).as_ref(), pending.taken, signals);
        self.record.file.pending = Some(Pending::Stop(pending.clone()));
        if self.runs.stopping().is_none() {
            self.stop_live(&pending);
        }
    }
}
