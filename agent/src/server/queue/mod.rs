//! The life cycle of a server, drawn, and what may be asked of it in each state. Pure: no clock, no engine.
//!
//! ```text
//!                      fetched                    start, restart
//!     ┌─ Installing ───────────────▶ Stopped ───────────────────────┐
//!     │      ▲  ▲                     ▲  ▲  ▲                       ▼
//!     │ failed, │reinstall            │  │  └──exit 0, unasked── Starting ──ready──▶ Running
//!     │ cancel  └─────────────────────┘  │                       │  ▲  │              │   │
//!     ▼      │                           │                       │  │  │ stop, kill,  │   │
//!   InstallFailed ──start──▶ Starting    └───exit─── Stopping ◀──┼──┼──┴──restart─────┘   │
//!                                                       │        │  │                     │
//!                                                       └─again──┼──┘ due                 │
//!                                                                ▼  │                     │
//!                                                              Crashed ◀──exit, unasked───┘
//!
//!     Looking   before the engine said what is there, and after the link to it broke
//!     Deleting  from any state; there is no way back but a failure
//! ```
//!
//! Three things lie over the states: `suspended` (refuses starts), `paused` (somebody has the container stand still:
//! only the ways out of it are open) and `away` (the engine does not answer: everything is `unknown` and refused at once).

use crate::protocol::{PowerAction, Status};

/// Where a server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Looking,
    Installing,
    InstallFailed,
    Stopped,
    Starting,
    Running,
    Stopping,
    Crashed,
    Deleting,
}

/// What may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum RequestKind {
    Power(PowerAction),
    Command,
    Delete,
    Suspend,
    Unsuspend,
    Reinstall,
    CancelInstall,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Act {
    /// Nothing (more): it is so already.
    Nothing,
    /// Make a container and start it.
    Launch,
    /// Ask the game to stop.
    Stop,
    /// Kill it.
    Kill,
    /// Fetch the image.
    Fetch,
    /// Stop fetching.
    CancelFetch,
    /// Remove everything.
    Remove,
    /// Do not start again by itself.
    CallOff,
    /// Give the line to the game.
    Command,
    /// Let it go on.
    Resume,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Refusal {
    AlreadyStarting,
    AlreadyRunning,
    AlreadyStopping,
    NotRunning,
    Installing,
    NotInstalling,
    Suspended,
    EngineUnavailable,
    NotFound,
    Busy,
    Paused,
    NotPaused,
}

impl Refusal {
    /// The API's word and a sentence for a person.
    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::AlreadyStarting => ("already_starting", "The server is already starting."),
            Self::AlreadyRunning => ("already_running", "The server is already running."),
            Self::AlreadyStopping => ("already_stopping", "The server is already stopping."),
            Self::NotRunning => ("not_running", "The server is not running."),
            Self::Installing => ("installing", "The server is still being installed."),
            Self::NotInstalling => ("not_installing", "The server is not being installed."),
            Self::Suspended => ("suspended", "The server is suspended."),
            Self::EngineUnavailable => {
                ("engine_unavailable", "The container engine of this node does not answer.")
            }
            Self::NotFound => ("not_found", "There is no such server."),
            Self::Busy => ("busy", "The server is busy. Try again."),
            Self::Paused => ("paused", "The server is paused. Resume it first."),
            Self::NotPaused => ("not_paused", "The server is not paused."),
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Happened {
    /// The image is there.
    Fetched,
    /// It is not.
    FetchFailed,
    /// The game can be played.
    Ready,
    /// There will be no game: it never started.
    LaunchFailed,
    /// The game ended with code 0.
    EndedWell,
    /// The game ended with another code.
    Crashed,
    /// A restart after a crash is due.
    Due,
    /// The engine has it running.
    FoundRunning,
    /// A stop of it was under way, whether the engine still has it running or not; a restart where it is to be started
    /// again.
    FoundStopping { again: bool },
    /// The engine has it running, and it has not said yet that it can be played.
    FoundStarting,
    /// The engine does not, and it should: start it when its turn comes.
    FoundWanted,
    /// The engine does not; this is what it was.
    FoundIdle(Idle),
    /// The link to the engine broke: look again.
    Lost,
    /// It could not be removed.
    DeleteFailed,
}

/// The states in which nothing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Idle {
    NotInstalled,
    InstallFailed,
    Stopped,
    Crashed,
}

/// What is asked, in which state.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    phase: Phase,
    /// A restart: start when it has stopped.
    again: bool,
    suspended: bool,
    paused: bool,
    away: bool,
}

impl Queue {
    pub(super) fn new(phase: Phase, suspended: bool) -> Self {
        Self { phase, again: false, suspended, paused: false, away: false }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// It is to be started when it has stopped.
    pub(super) fn again(&self) -> bool {
        self.again
    }

    pub(super) fn suspended(&self) -> bool {
        self.suspended
    }

    /// Somebody has it stand still.
    pub(super) fn paused(&self) -> bool {
        self.paused
    }

    pub(super) fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    pub(super) fn away(&self) -> bool {
        self.away
    }

    pub(super) fn set_away(&mut self, away: bool) {
        self.away = away;
    }

    /// The state in the API's words.
    pub(super) fn status(&self) -> Status {
        if self.away {
            return Status::Unknown;
        }
        match self.phase {
            Phase::Looking => Status::Unknown,
            Phase::Installing => Status::Installing,
            Phase::Starting | Phase::Running if self.paused => Status::Paused,
            Phase::Starting => Status::Starting,
            Phase::Running => Status::Running,
            Phase::Stopping | Phase::Deleting => Status::Stopping,
            _ if self.suspended => Status::Suspended,
            Phase::InstallFailed => Status::InstallFailed,
            Phase::Stopped => Status::Stopped,
            Phase::Crashed => Status::Crashed,
        }
    }

    /// Takes a request, or says why not. Taking it changes the state at once.
    pub(super) fn ask(&mut self, ask: RequestKind) -> Result<Act, Refusal> {
        match (ask, self.phase) {
            (RequestKind::Delete, Phase::Deleting) => return Ok(Act::Nothing),
            (_, Phase::Deleting) => return Err(Refusal::NotFound),
            (RequestKind::Suspend, _) => return Ok(self.suspend()),
            (RequestKind::Unsuspend, _) => {
                self.suspended = false;
                return Ok(Act::Nothing);
            }
            _ if self.away => return Err(Refusal::EngineUnavailable),
            (_, Phase::Looking) => return Err(Refusal::Busy),
            (RequestKind::Delete, _) => {
                self.go(Phase::Deleting);
                return Ok(Act::Remove);
            }
            _ => {}
        }
        match ask {
            RequestKind::Power(action) => self.power(action),
            RequestKind::Command => match self.phase {
                Phase::Starting | Phase::Running | Phase::Stopping if self.paused => Err(Refusal::Paused),
                Phase::Starting | Phase::Running | Phase::Stopping => Ok(Act::Command),
                Phase::Installing => Err(Refusal::Installing),
                _ => Err(Refusal::NotRunning),
            },
            RequestKind::Reinstall => match self.phase {
                Phase::Installing => Err(Refusal::Installing),
                Phase::Starting => Err(Refusal::AlreadyStarting),
                Phase::Running => Err(Refusal::AlreadyRunning),
                Phase::Stopping => Err(Refusal::AlreadyStopping),
                _ => {
                    self.go(Phase::Installing);
                    Ok(Act::Fetch)
                }
            },
            RequestKind::CancelInstall => match self.phase {
                Phase::Installing => Ok(Act::CancelFetch),
                _ => Err(Refusal::NotInstalling),
            },
            RequestKind::Delete | RequestKind::Suspend | RequestKind::Unsuspend => Ok(Act::Nothing),
        }
    }

    fn power(&mut self, action: PowerAction) -> Result<Act, Refusal> {
        use PowerAction::{Kill, Restart, Resume, Start, Stop};
        match (action, self.phase) {
            (_, Phase::Installing) => Err(Refusal::Installing),
            (Resume, Phase::Starting | Phase::Running) if self.paused => Ok(Act::Resume),
            (Resume, Phase::Starting | Phase::Running) => Err(Refusal::NotPaused),
            (Resume, Phase::Stopping) => Err(Refusal::AlreadyStopping),
            (Start, Phase::Starting | Phase::Running) if self.paused => Err(Refusal::Paused),
            (Start | Restart, Phase::Stopped | Phase::Crashed | Phase::InstallFailed) if self.suspended => {
                Err(Refusal::Suspended)
            }
            (Start, Phase::Stopped | Phase::Crashed | Phase::InstallFailed)
            | (Restart, Phase::Stopped | Phase::Crashed) => {
                self.go(Phase::Starting);
                Ok(Act::Launch)
            }
            (Start, Phase::Starting) => Err(Refusal::AlreadyStarting),
            (Start, Phase::Running) => Err(Refusal::AlreadyRunning),
            (Start | Stop | Restart, Phase::Stopping) => Err(Refusal::AlreadyStopping),
            (Stop | Restart, Phase::Starting | Phase::Running) => {
                self.go(Phase::Stopping);
                self.again = action == Restart;
                Ok(Act::Stop)
            }
            (Kill, Phase::Starting | Phase::Running | Phase::Stopping) => {
                self.go(Phase::Stopping);
                Ok(Act::Kill)
            }
            _ => Err(Refusal::NotRunning),
        }
    }

    fn suspend(&mut self) -> Act {
        self.suspended = true;
        self.again = false;
        match self.phase {
            Phase::Starting | Phase::Running => {
                self.go(Phase::Stopping);
                Act::Stop
            }
            _ => Act::CallOff,
        }
    }

    /// Takes what happened; an [`Act::Launch`] or [`Act::Fetch`] may follow from it.
    pub(super) fn happened(&mut self, what: Happened) -> Act {
        let phase = self.phase;
        match (what, phase) {
            (Happened::DeleteFailed, Phase::Deleting) => self.go(Phase::Looking),
            // Nothing that a game does changes this.
            (_, Phase::Deleting) => {}
            (Happened::Fetched, Phase::Installing) => self.go(Phase::Stopped),
            (Happened::FetchFailed, Phase::Installing | Phase::Starting) => self.go(Phase::InstallFailed),
            (Happened::Ready, Phase::Starting) => self.go(Phase::Running),
            (
                Happened::EndedWell | Happened::Crashed | Happened::LaunchFailed | Happened::FetchFailed,
                Phase::Stopping,
            ) => {
                if self.again && !self.suspended {
                    self.go(Phase::Starting);
                    return Act::Launch;
                }
                self.go(Phase::Stopped);
            }
            (Happened::EndedWell, Phase::Starting | Phase::Running) => self.go(Phase::Stopped),
            (Happened::Crashed | Happened::LaunchFailed, Phase::Starting | Phase::Running) => {
                self.go(Phase::Crashed);
            }
            (Happened::Due, Phase::Crashed) if !self.suspended && !self.away => {
                self.go(Phase::Starting);
                return Act::Launch;
            }
            (Happened::Lost, Phase::Starting | Phase::Running) => self.go(Phase::Looking),
            (Happened::FoundRunning | Happened::FoundStarting, Phase::Looking) => {
                let ready = what == Happened::FoundRunning;
                self.go(if ready { Phase::Running } else { Phase::Starting });
                if self.suspended {
                    self.go(Phase::Stopping);
                    return Act::Stop;
                }
            }
            (Happened::FoundStopping { again }, Phase::Looking) => {
                self.go(Phase::Stopping);
                self.again = again && !self.suspended;
            }
            (Happened::FoundWanted, Phase::Looking) => {
                self.go(if self.suspended { Phase::Stopped } else { Phase::Starting });
            }
            (Happened::FoundIdle(idle), Phase::Looking) => match idle {
                Idle::NotInstalled => {
                    self.go(Phase::Installing);
                    return Act::Fetch;
                }
                Idle::InstallFailed => self.go(Phase::InstallFailed),
                Idle::Stopped => self.go(Phase::Stopped),
                Idle::Crashed => self.go(Phase::Crashed),
            },
            _ => {}
        }
        Act::Nothing
    }

    fn go(&mut self, phase: Phase) {
        self.phase = phase;
        self.again = false;
        if !matches!(phase, Phase::Starting | Phase::Running | Phase::Stopping) {
            self.paused = false;
        }
    }
}

#[cfg(test)]
mod tests;
