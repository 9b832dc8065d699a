//! Finds out what the engine has under the server's name, when the agent starts and after the connection to the engine
//! was lost; adopts a running game.

use std::sync::Arc;

use protocol::Status;

use super::jobs::{self, Event, Found};
use super::launch::{self, Launched};
use super::life_cycle::{Act, Happened, Idle, Phase};
use super::rest::Rest;
use super::run::Stage;
use super::shown::Outcome;
use super::state::Server;
use super::terminal::Terminal;
use crate::persist::Wanted;
use crate::runtime::{ContainerState, EngineError, Owner};

impl Server {
    /// The connection to the engine was lost during a run.
    pub(super) fn lost(&mut self, error: &EngineError) {
        tracing::info!(server = %self.id, %error, "lost sight of its container");
        self.context.watch.suspect(error);
        self.inspect_anew();
    }

    /// Inspects the container from scratch.
    pub(super) fn inspect_anew(&mut self) {
        // A stop in progress is in the file and goes on when the game is found again.
        self.runs.end();
        self.life_cycle.happened(Happened::Lost);
        self.inspect();
    }

    pub(super) fn inspect(&mut self) {
        if self.jobs.inspecting {
            return;
        }
        self.jobs.inspecting = true;
        let inspection = jobs::inspect(Arc::clone(&self.context), self.id.clone());
        let rest = self.rest();
        self.jobs.push(async move {
            let found = inspection.await;
            if let Some(seen) = found.seen.as_ref().filter(|seen| !seen.running) {
                rest.read(seen).await;
            }
            Event::Inspected(found)
        });
    }

    /// Reads the last output of a game that ended unobserved.
    fn rest(&self) -> Rest {
        Rest {
            context: Arc::clone(&self.context),
            server_id: self.id.clone(),
            output: self.output.clone(),
            wanted: self.record.file.wanted == Wanted::Running,
        }
    }

    pub(super) fn inspected(&mut self, found: Found) {
        self.jobs.inspecting = false;
        if !matches!(self.life_cycle.phase(), Phase::Inspecting | Phase::Stopping { .. }) {
            return;
        }
        let Found { seen, stopped } = found;
        self.container.id = seen.as_ref().map(|seen| seen.id.clone());
        self.container.legacy = seen.as_ref().is_some_and(|seen| seen.owner == Owner::Legacy);
        match seen {
            // Deferred requests are handled once it is adopted.
            Some(seen) if seen.running => return self.found_running(seen),
            ended if self.record.pending_stop().is_some() => self.ended_unseen(ended),
            Some(ended) if stopped && self.record.file.wanted == Wanted::Running => {
                self.stopped_unseen(&ended);
            }
            _ if self.record.file.wanted == Wanted::Running && !self.is_installing() => self.found_wanted(),
            _ => self.found_idle(),
        }
        self.ask_deferred();
    }

    fn found_running(&mut self, seen: ContainerState) {
        self.container.made_with.clone_from(&seen.settings);
        if self.container.legacy {
            let as_found = self.record.file.as_found;
            self.container.made_with =
                Some(if as_found { self.record.settings.clone() } else { String::new() });
        }
        self.life_cycle.set_paused(seen.paused);
        self.adopt(seen);
    }

    /// The server should be running, but is not.
    fn found_wanted(&mut self) {
        let act = self.life_cycle.happened(Happened::FoundWanted);
        if self.life_cycle.phase() == Phase::Starting {
            self.output.console.system("The server should run and does not: it is started again.");
            let at = self.context.shared.start_stagger.take(self.context.tunables.stagger);
            self.schedule.start(at);
        }
        self.act(act);
    }

    /// The server is not running and need not be.
    fn found_idle(&mut self) {
        let idle = self.idle();
        let act = self.life_cycle.happened(Happened::FoundIdle(idle));
        if act == Act::Fetch {
            self.resume_install();
        } else {
            self.act(act);
        }
    }

    /// How the last run or installation ended, according to the file.
    fn idle(&mut self) -> Idle {
        let Some(last) = self.record.file.last.clone() else { return Idle::NotInstalled };
        if self.is_installing() {
            return Idle::NotInstalled;
        }
        self.shown.outcome =
            Outcome { error: last.error, exit_code: last.exit_code, oom_killed: last.oom_killed };
        match last.status {
            Status::InstallFailed => Idle::InstallFailed,
            Status::Crashed => Idle::Crashed,
            _ => Idle::Stopped,
        }
    }

    /// Adopts a running game.
    fn adopt(&mut self, seen: ContainerState) {
        let (number, run, port) = self.begin_run(Stage::Adopting);
        let terminal = Terminal {
            context: Arc::clone(&self.context),
            server_id: self.id.clone(),
            container: seen.id.clone(),
            tty: seen.tty,
            output: self.output.clone(),
            ready: None,
            port,
            run,
        };
        let spec = self.record.file.spec.clone();
        let was_ready = self.record.file.ready.is_some() && self.record.file.ready == seen.started_at;
        self.jobs.push(async move {
            let adopted = launch::adopt(terminal, seen, &spec, was_ready).await;
            Event::Adopted(number, Box::new(adopted))
        });
    }

    pub(super) fn adopted(&mut self, run: u64, result: Result<Launched, EngineError>) {
        match result {
            Err(error) => self.lost(&error),
            Ok(launched) => {
                self.shown.outcome = Outcome::default();
                let (id, ready) = (launched.container_id.clone(), launched.ready);
                self.goes_live(run, launched);
                self.go_on_stopping(&id, ready);
                if ready {
                    self.ready();
                }
            }
        }
        self.ask_deferred();
    }
}
