//! A run of the game, from the request to its end, and the container that it has.

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::stop_steps::Stopping;
use super::typing::Keyboard;

/// How to stop what does not run yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    Stop,
    Kill,
}

/// A run of the game.
pub(super) struct Run {
    pub(super) number: u64,
    /// Types lines for the game. They may be typed before it runs.
    pub(super) keyboard: Keyboard,
    /// Ends what belongs to the run.
    pub(super) cancel: CancellationToken,
    pub(super) stage: Stage,
}

/// How far a run is.
pub(super) enum Stage {
    /// Its container is being made and started. `stop`: it is stopped as soon as it runs, where breaking off comes too
    /// late.
    Launching { cancel: CancellationToken, stop: Option<Intent> },
    /// It was found running: its terminal is being connected.
    Adopting,
    /// The game runs.
    Live(Live),
}

/// A game that runs.
pub(super) struct Live {
    pub(super) container_id: String,
    pub(super) pid: Option<u32>,
    /// Since when this process knows of it.
    pub(super) since: Instant,
    /// When the engine started it.
    pub(super) started_at: Timestamp,
    /// It was found paused, without its terminal.
    pub(super) found_paused: bool,
    /// The stop that is under way.
    pub(super) stopping: Option<Stopping>,
}

/// The run of a server, if one is under way; each has a number of its own.
#[derive(Default)]
pub(super) struct Runs {
    pub(super) current: Option<Run>,
    last: u64,
}

impl Runs {
    /// Begins a run in place of the one before.
    pub(super) fn begin(&mut self, keyboard: Keyboard, cancel: CancellationToken, stage: Stage) -> u64 {
        self.end();
        self.last += 1;
        self.current = Some(Run { number: self.last, keyboard, cancel, stage });
        self.last
    }

    /// Ends the run and what belongs to it.
    pub(super) fn end(&mut self) -> Option<Run> {
        let run = self.current.take()?;
        run.cancel.cancel();
        Some(run)
    }

    /// Whether the run of this number is under way.
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

    /// The number of the run and its game, once that runs.
    pub(super) fn numbered_live(&self) -> Option<(u64, &Live)> {
        Some((self.current.as_ref()?.number, self.live()?))
    }

    pub(super) fn stopping(&self) -> Option<&Stopping> {
        self.live()?.stopping.as_ref()
    }

    pub(super) fn stopping_mut(&mut self) -> Option<&mut Stopping> {
        self.live_mut()?.stopping.as_mut()
    }

    /// Breaks off a launch that is under way.
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
    /// The engine's id; none where there is no container.
    pub(super) id: Option<String>,
    /// The fingerprint of the settings that it was made with; none where it does not run.
    pub(super) made_with: Option<String>,
    /// A legacy agent made it, and its files are still inside: it is never made anew.
    pub(super) legacy: bool,
}
