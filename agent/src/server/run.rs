//! A run of the game, from the request to its end, and its container.

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::stop_steps::Stopping;
use super::typing::Keyboard;

/// How to stop a game that is not running yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    Stop,
    Kill,
}

/// A run of the game.
pub(super) struct Run {
    pub(super) number: u64,
    /// Types lines for the game; accepts them before it runs.
    pub(super) keyboard: Keyboard,
    /// Cancels everything that belongs to the run.
    pub(super) cancel: CancellationToken,
    pub(super) stage: Stage,
}

/// The stage of a run.
pub(super) enum Stage {
    /// The container is being created and started. `stop`: stop it as soon as it runs, if cancelling comes too late.
    Launching { cancel: CancellationToken, stop: Option<Intent> },
    /// It was found running; its terminal is being connected.
    Adopting,
    /// The game is running.
    Live(Live),
}

/// A running game.
pub(super) struct Live {
    pub(super) container_id: String,
    pub(super) pid: Option<u32>,
    /// When this process learned of it.
    pub(super) since: Instant,
    /// When the engine started it.
    pub(super) started_at: Timestamp,
    /// It was found paused and has no terminal yet.
    pub(super) found_paused: bool,
    /// The stop in progress.
    pub(super) stopping: Option<Stopping>,
}

/// The current run of a server, if any, and the counter for run numbers.
#[derive(Default)]
pub(super) struct Runs {
    pub(super) current: Option<Run>,
    last: u64,
}

impl Runs {
    /// Begins a run, replacing the current one. Returns its number.
    pub(super) fn begin(&mut self, keyboard: Keyboard, cancel: CancellationToken, stage: Stage) -> u64 {
        self.end();
        self.last += 1;
        self.current = Some(Run { number: self.last, keyboard, cancel, stage });
        self.last
    }

    /// Ends the run and cancels what belongs to it.
    pub(super) fn end(&mut self) -> Option<Run> {
        let run = self.current.take()?;
        run.cancel.cancel();
        Some(run)
    }

    /// Whether the current run has this number.
    pub(super) fn is_current(&self, number: u64) -> bool {
        self.current.as_ref().is_some_and(|run| run.number == number)
    }

    pub(super) fn live(&self) -> Option<&Live> {
        match &self.current.as_ref()?.stage {
            Stage::Live(live) => Some(live),
            Stage::Launching { .. } | Stage::Adopting => None,
        }
    }

    pub(super) fn live_mut(&mut self) -> Option<&mut Live> {
        match &mut self.current.as_mut()?.stage {
            Stage::Live(live) => Some(live),
            Stage::Launching { .. } | Stage::Adopting => None,
        }
    }

    /// The run's number and its game, if it is running.
    pub(super) fn numbered_live(&self) -> Option<(u64, &Live)> {
        Some((self.current.as_ref()?.number, self.live()?))
    }

    pub(super) fn stopping(&self) -> Option<&Stopping> {
        self.live()?.stopping.as_ref()
    }

    pub(super) fn stopping_mut(&mut self) -> Option<&mut Stopping> {
        self.live_mut()?.stopping.as_mut()
    }

    /// Cancels a launch in progress.
    pub(super) fn cancel_launch(&self) {
        if let Some(Run { stage: Stage::Launching { cancel, .. }, .. }) = &self.current {
            cancel.cancel();
        }
    }

    pub(super) fn is_launching(&self) -> bool {
        matches!(&self.current, Some(Run { stage: Stage::Launching { .. }, .. }))
    }
}

/// The container that has the server's name, running or not.
#[derive(Debug, Default)]
pub(super) struct ContainerRef {
    /// The engine's id; `None` if there is no container.
    pub(super) id: Option<String>,
    /// The fingerprint of the settings it was created with; `None` if it is not running.
    pub(super) made_with: Option<String>,
    /// A legacy agent created it and its files are still inside, so it is never recreated.
    pub(super) legacy: bool,
}
