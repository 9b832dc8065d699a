//! A server and the terminal of its game: taking over one that runs, and what the terminal tells.

use std::sync::Arc;

use tokio::time::Instant;

use super::jobs::Event;
use super::launch;
use super::queue::Happened;
use super::state::Server;
use super::terminal::{Rest, Terminal};
use super::typing::NotTyped;
use crate::persist::Wanted;
use crate::runtime::ContainerState;

impl Server {
    /// Takes over a game that runs.
    pub(super) fn adopt(&mut self, seen: ContainerState) {
        let (number, run, port) = self.new_run();
        let terminal = Terminal {
            context: Arc::clone(&self.context),
            server_id: self.id.clone(),
            container: seen.id.clone(),
            tty: seen.tty,
            console: self.console.clone(),
            trail: Arc::clone(&self.trail),
            ready: None,
            port,
            run,
        };
        let behaviour = self.file.spec.behaviour.clone().unwrap_or_default();
        let was_ready = self.file.ready.is_some() && self.file.ready == seen.started_at;
        self.job(async move {
            let adopted = launch::adopt(terminal, seen, behaviour, was_ready).await;
            Event::Adopted(number, Box::new(adopted))
        });
    }

    /// It can be played. That is kept: its line may not be in the engine's log any more when somebody asks again.
    pub(super) fn ready(&mut self) {
        self.queue.happened(Happened::Ready);
        let started_at = self.live().map(|live| live.started_at);
        if self.file.ready != started_at {
            self.file.ready = started_at;
            self.save(None);
        }
    }

    /// The line that stops the game did not reach it: a signal does.
    pub(super) fn not_typed(&mut self, error: NotTyped) {
        if self.stopping.as_mut().is_some_and(|stopping| stopping.without_line(Instant::now())) {
            let why = error.sentence();
            self.console
                .system(&format!("The stop command could not be typed: {why} A signal is sent instead."));
        }
    }

    /// Reads what a game said last that ended while nobody looked. Of one that was stopped by somebody nobody asks.
    pub(super) fn rest(&self) -> Rest {
        Rest {
            context: Arc::clone(&self.context),
            server_id: self.id.clone(),
            console: self.console.clone(),
            trail: Arc::clone(&self.trail),
            wanted: self.file.wanted == Wanted::Running,
        }
    }
}
