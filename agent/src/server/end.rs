//! Handles the end of a run and reports its cause.

use std::sync::Arc;
use std::time::Duration;

use protocol::Status;
use tokio::time::Instant;

use super::jobs::{self, Event, Exit, KILLED};
use super::life_cycle::{Act, Happened, Phase};
use super::run::Stage;
use super::schedule::Next;
use super::state::Server;
use crate::persist::Wanted;
use crate::runtime::{ContainerState, Told};

/// Reported when the kernel killed a helper process, but not the game.
const INSIDE: &str = "A process inside was killed for want of memory.";

impl Server {
    /// Handles the end of a run. If nobody requested it, the cause is determined before it is reported.
    pub(super) fn exited(&mut self, run: u64, exit: Exit) {
        let asked = self.life_cycle.is_stopping() || self.life_cycle.is_deleting();
        match self.runs.live() {
            Some(live) if exit.told.is_none() && !asked => {
                let why = jobs::why(Arc::clone(&self.context), live.container_id.clone(), exit);
                self.jobs.push(async move { Event::Exited(run, why.await) });
            }
            _ => self.ended(exit),
        }
    }

    fn ended(&mut self, exit: Exit) {
        let Some(run) = self.runs.end() else { return };
        self.output.console.finish();
        self.schedule.ended = Some(Instant::now());
        let (ran, killed) = match run.stage {
            Stage::Live(live) => {
                (live.since.elapsed(), live.stopping.and_then(|stopping| stopping.killed_after()))
            }
            Stage::Launching { .. } | Stage::Adopting => (Duration::ZERO, None),
        };
        self.over(exit, ran, killed);
    }

    /// A stop was in progress, and the game has ended unobserved.
    pub(super) fn ended_unseen(&mut self, seen: Option<ContainerState>) {
        let Some(pending) = self.record.pending_stop().cloned() else { return };
        self.life_cycle.happened(Happened::FoundStopping { again: pending.again });
        if let Some(seen) = seen.filter(|seen| pending.container_id.as_ref() == Some(&seen.id)) {
            let after = self.stopping_of(&pending, Duration::ZERO).kill_after();
            let ours = pending.asked.elapsed() >= after;
            return self.over(Exit::seen(&seen), Duration::ZERO, Some(after).filter(|_| ours));
        }
        // It never ran, or its container is gone: how it ended is unknown.
        let act = self.life_cycle.happened(Happened::EndedWell);
        self.shown.outcome.exit_code = None;
        self.shown.outcome.error = None;
        if act != Act::Launch {
            self.record.want(Wanted::Stopped);
        }
        self.remember(Status::Stopped);
        self.act(act);
    }

    /// The game should run, but was stopped by hand while this agent was not running.
    pub(super) fn stopped_unseen(&mut self, seen: &ContainerState) {
        self.life_cycle.happened(Happened::FoundRunning);
        let told = Some(Told { stopped: true, killed: false });
        self.over(Exit { told, ..Exit::seen(seen) }, Duration::ZERO, None);
    }

    /// Reports the end of a run that lasted `ran`. `killed` is the time between the stop request and SIGKILL, if it was
    /// sent.
    fn over(&mut self, exit: Exit, ran: Duration, killed: Option<Duration>) {
        if exit.removed {
            self.container.id = None;
        }
        if self.life_cycle.is_deleting() {
            // The deletion ended it.
            return;
        }
        let asked = self.life_cycle.is_stopping();
        self.container.made_with = None;
        self.life_cycle.set_paused(false);
        self.shown.outcome.exit_code = Some(exit.code);
        let code = exit.code;
        let told = exit.told.unwrap_or_default();
        let by_hand = !asked && told.stopped;
        // An OOM-killed helper process marks the container too, until it ends. The mark therefore only explains this
        // exit code, and only if we sent no SIGKILL.
        let by_us = told.killed || (asked && killed.is_some());
        self.shown.outcome.oom_killed = exit.oom && code == KILLED && !by_us;
        let line = match (asked, killed) {
            _ if self.shown.outcome.oom_killed => {
                Some(format!("It needed more memory than it may use, and was ended for that (code {code})."))
            }
            (true, Some(after)) if code == KILLED && after.is_zero() => Some("It was killed.".to_owned()),
            (true, Some(after)) if code == KILLED => {
                Some(format!("It was killed after {} s: it did not stop by itself.", after.as_secs()))
            }
            (true, _) if matches!(code, 0 | 130 | 143) => None,
            (true, _) => Some(format!("It ended with code {code} when it was stopped.")),
            (false, _) if exit.removed => {
                Some("Its container was removed by somebody else while it ran.".to_owned())
            }
            (false, _) if by_hand => {
                Some(format!("Somebody had the container engine stop it (code {code})."))
            }
            (false, _) if code == 0 => None,
            (false, _) => Some(format!("It ended with code {code}.")),
        };
        let mut said = match &line {
            Some(line) => format!("The server has stopped. {line}"),
            None if asked => "The server has stopped.".to_owned(),
            None => format!("The game ended by itself with code {code}."),
        };
        self.shown.outcome.error = line;
        if exit.oom && !self.shown.outcome.oom_killed {
            said = format!("{said} {INSIDE}");
            self.shown.outcome.error = Some(
                self.shown
                    .outcome
                    .error
                    .take()
                    .map_or_else(|| INSIDE.to_owned(), |line| format!("{line} {INSIDE}")),
            );
        }
        self.output.console.system(&said);
        if let Some(why) = self.shown.disk_limit.reason().filter(|_| asked) {
            self.shown.outcome.error = Some(why);
        }
        let well = asked || by_hand || code == 0;
        let act = self.life_cycle.happened(if well { Happened::EndedWell } else { Happened::Crashed });
        if self.life_cycle.phase() == Phase::Crashed {
            self.crashed(ran, exit.removed);
        } else if act != Act::Launch {
            self.record.want(Wanted::Stopped);
        }
        self.remember(if well { Status::Stopped } else { Status::Crashed });
        self.act(act);
    }

    fn crashed(&mut self, ran: Duration, removed: bool) {
        let policy = self.context.tunables.patience.clone();
        if removed {
            return self.record.want(Wanted::Stopped);
        }
        if !self.record.file.spec.behaviour.as_ref().is_none_or(|behaviour| behaviour.restart_after_crash) {
            self.output.console.system("It is not started again: that is switched off in its settings.");
            return self.record.want(Wanted::Stopped);
        }
        match self.schedule.crashes.crashed(Instant::now(), ran, &policy) {
            Next::After(delay, nth) => {
                self.schedule.restart_in(delay);
                let most = policy.restarts;
                self.output.console.system(&format!("Restart {nth} of {most} in {} s.", delay.as_secs_f32()));
            }
            Next::GiveUp => {
                let minutes = policy.window.as_secs().div_ceil(60);
                let line = format!(
                    "Given up after {} restarts within {minutes} minutes: it crashes again and again.",
                    policy.restarts
                );
                self.output.console.system(&line);
                self.shown.outcome.error = Some(match self.shown.outcome.error.take() {
                    Some(error) => format!("{error} {line}"),
                    None => line,
                });
                self.record.want(Wanted::Stopped);
            }
        }
    }
}
