//! The life cycle of a server, and the requests allowed in each state. Pure: no clock, no engine.
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
//! ```
//!
//! All of it, as a test compares it with the code:
//!
//! ```text
//! Inspecting:
//!     Running (found running)
//!     Stopping (found stopping, found running while suspended, found starting while suspended)
//!     Starting (found starting, found wanted)
//!     Installing (found not installed)
//!     InstallFailed (found install failed)
//!     Stopped (found stopped, found wanted while suspended)
//!     Crashed (found crashed)
//! Installing:
//!     Deleting (delete)
//!     Stopped (fetched)
//!     InstallFailed (fetch failed)
//! InstallFailed:
//!     Starting (start)
//!     Deleting (delete)
//!     Installing (reinstall)
//! Stopped:
//!     Starting (start, restart)
//!     Deleting (delete)
//!     Installing (reinstall)
//! Starting:
//!     Stopping (stop, restart, kill, suspend)
//!     Deleting (delete)
//!     InstallFailed (fetch failed)
//!     Running (ready)
//!     Crashed (launch failed, crashed)
//!     Stopped (ended well)
//!     Inspecting (lost)
//! Running:
//!     Stopping (stop, restart, kill, suspend)
//!     Deleting (delete)
//!     Crashed (launch failed, crashed)
//!     Stopped (ended well)
//!     Inspecting (lost)
//! Stopping:
//!     Deleting (delete)
//!     Stopped (fetch failed, launch failed, ended well, crashed)
//!     Starting (fetch failed in a restart, launch failed in a restart, ended well in a restart,
//!         crashed in a restart)
//! Crashed:
//!     Starting (start, restart, due)
//!     Deleting (delete)
//!     Installing (reinstall)
//! Deleting:
//!     Inspecting (delete failed)
//! ```
//!
//! A template's install script is part of `Installing`. If it failed, a start is treated as a reinstall, and the game is
//! started once that has succeeded.
//!
//! The phase is `Inspecting` until the engine has reported what exists, and after the connection to it was lost. Three
//! flags apply in addition to the phase: `suspended` (starts are refused), `paused` (the container was paused by hand:
//! only requests that end this are accepted) and `away` (the engine does not answer: the status is `unknown`, and
//! requests are refused at once).

mod refusal;
mod request;

use protocol::{PowerAction, Status};

pub(super) use self::refusal::Refusal;
pub(crate) use self::request::Request;

/// The phase of a server's life cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Inspecting,
    Installing,
    InstallFailed,
    Stopped,
    Starting,
    Running,
    /// `again`: a restart; the server is started again once it has stopped.
    Stopping {
        again: bool,
    },
    Crashed,
    Deleting,
}

/// The action that follows from a request or an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Act {
    /// No action.
    Nothing,
    /// Create a container and start it.
    Launch,
    /// Begin to stop the game.
    Stop,
    /// Kill the game.
    Kill,
    /// Pull the image.
    Fetch,
    /// Cancel the pull.
    CancelFetch,
    /// Remove the server.
    Remove,
    /// Cancel the scheduled restart.
    CallOff,
    /// Type the line.
    Command,
    /// Resume it after a pause.
    Resume,
}

/// An event at the engine, or what an inspection found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Happened {
    /// The image is present.
    Fetched,
    /// The image could not be pulled.
    FetchFailed,
    /// The game is ready for players.
    Ready,
    /// The game was not started.
    LaunchFailed,
    /// The game ended with code 0.
    EndedWell,
    /// The game ended with another code.
    Crashed,
    /// The restart after a crash is due.
    Due,
    /// It was found running.
    FoundRunning,
    /// A stop was in progress, whether or not the game still runs; `again`: it was a restart.
    FoundStopping { again: bool },
    /// It was found running, and its ready line has not appeared yet.
    FoundStarting,
    /// It was found not running although it should be; it is started when its turn comes.
    FoundWanted,
    /// It was found not running; its last state.
    FoundIdle(Idle),
    /// The connection to the engine was lost; inspect again.
    Lost,
    /// The removal failed.
    DeleteFailed,
}

/// Phases in which nothing is in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Idle {
    NotInstalled,
    InstallFailed,
    Stopped,
    Crashed,
}

/// The life cycle of one server.
#[derive(Clone, Debug)]
pub(super) struct LifeCycle {
    phase: Phase,
    suspended: bool,
    paused: bool,
    away: bool,
}

impl LifeCycle {
    pub(super) fn new(phase: Phase, suspended: bool) -> Self {
        Self { phase, suspended, paused: false, away: false }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether it is started again once it has stopped.
    pub(super) fn again(&self) -> bool {
        matches!(self.phase, Phase::Stopping { again: true })
    }

    /// Whether it is being stopped.
    pub(super) fn is_stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping { .. })
    }

    /// Whether it is being deleted.
    pub(super) fn is_deleting(&self) -> bool {
        self.phase == Phase::Deleting
    }

    pub(super) fn suspended(&self) -> bool {
        self.suspended
    }

    /// Whether its container is paused.
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

    /// The status as shown by the API.
    pub(super) fn status(&self) -> Status {
        if self.away {
            return Status::Unknown;
        }
        match self.phase {
            Phase::Inspecting => Status::Unknown,
            Phase::Installing => Status::Installing,
            Phase::Starting | Phase::Running if self.paused => Status::Paused,
            Phase::Starting => Status::Starting,
            Phase::Running => Status::Running,
            Phase::Stopping { .. } | Phase::Deleting => Status::Stopping,
            _ if self.suspended => Status::Suspended,
            Phase::InstallFailed => Status::InstallFailed,
            Phase::Stopped => Status::Stopped,
            Phase::Crashed => Status::Crashed,
        }
    }

    /// Decides on a request: returns the action to take, or why it is refused. If accepted, the phase changes at once.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Act, Refusal> {
        match (request, self.phase) {
            (Request::Delete, Phase::Deleting) => return Ok(Act::Nothing),
            (_, Phase::Deleting) => return Err(Refusal::NotFound),
            (Request::Suspend, _) => return Ok(self.suspend()),
            (Request::Unsuspend, _) => {
                self.suspended = false;
                return Ok(Act::Nothing);
            }
            _ if self.away => return Err(Refusal::EngineUnavailable),
            (_, Phase::Inspecting) => return Err(Refusal::Busy),
            (Request::Delete, _) => {
                self.go(Phase::Deleting);
                return Ok(Act::Remove);
            }
            _ => {}
        }
        match request {
            Request::Power(action) => self.power(*action),
            Request::Command(_) => match self.phase {
                Phase::Starting | Phase::Running | Phase::Stopping { .. } if self.paused => {
                    Err(Refusal::Paused)
                }
                Phase::Starting | Phase::Running | Phase::Stopping { .. } => Ok(Act::Command),
                Phase::Installing => Err(Refusal::Installing),
                _ => Err(Refusal::NotRunning),
            },
            Request::Reinstall { .. } => match self.phase {
                Phase::Installing => Err(Refusal::Installing),
                Phase::Starting => Err(Refusal::AlreadyStarting),
                Phase::Running => Err(Refusal::AlreadyRunning),
                Phase::Stopping { .. } => Err(Refusal::AlreadyStopping),
                _ => {
                    self.go(Phase::Installing);
                    Ok(Act::Fetch)
                }
            },
            Request::CancelInstall => match self.phase {
                Phase::Installing => Ok(Act::CancelFetch),
                _ => Err(Refusal::NotInstalling),
            },
            Request::Delete | Request::Suspend | Request::Unsuspend => Ok(Act::Nothing),
        }
    }

    fn power(&mut self, action: PowerAction) -> Result<Act, Refusal> {
        use PowerAction::{Kill, Restart, Resume, Start, Stop};
        match (action, self.phase) {
            (_, Phase::Installing) => Err(Refusal::Installing),
            (Resume, Phase::Starting | Phase::Running) if self.paused => Ok(Act::Resume),
            (Resume, Phase::Starting | Phase::Running) => Err(Refusal::NotPaused),
            (Resume, Phase::Stopping { .. }) => Err(Refusal::AlreadyStopping),
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
            (Start | Stop | Restart, Phase::Stopping { .. }) => Err(Refusal::AlreadyStopping),
            (Stop | Restart, Phase::Starting | Phase::Running) => {
                self.go(Phase::Stopping { again: action == Restart });
                Ok(Act::Stop)
            }
            (Kill, Phase::Starting | Phase::Running | Phase::Stopping { .. }) => {
                self.go(Phase::Stopping { again: false });
                Ok(Act::Kill)
            }
            _ => Err(Refusal::NotRunning),
        }
    }

    fn suspend(&mut self) -> Act {
        self.suspended = true;
        match self.phase {
            Phase::Starting | Phase::Running => {
                self.go(Phase::Stopping { again: false });
                Act::Stop
            }
            Phase::Stopping { .. } => {
                self.phase = Phase::Stopping { again: false };
                Act::CallOff
            }
            _ => Act::CallOff,
        }
    }

    /// Applies an event; an [`Act::Launch`] or [`Act::Fetch`] may follow.
    pub(super) fn happened(&mut self, what: Happened) -> Act {
        let phase = self.phase;
        match (what, phase) {
            (Happened::DeleteFailed, Phase::Deleting) => self.go(Phase::Inspecting),
            // Events of the game do not end a deletion.
            (_, Phase::Deleting) => {}
            (Happened::Fetched, Phase::Installing) => self.go(Phase::Stopped),
            (Happened::FetchFailed, Phase::Installing | Phase::Starting) => self.go(Phase::InstallFailed),
            (Happened::Ready, Phase::Starting) => self.go(Phase::Running),
            (
                Happened::EndedWell | Happened::Crashed | Happened::LaunchFailed | Happened::FetchFailed,
                Phase::Stopping { again },
            ) => {
                if again && !self.suspended {
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
            (Happened::Lost, Phase::Starting | Phase::Running) => self.go(Phase::Inspecting),
            (Happened::FoundRunning | Happened::FoundStarting, Phase::Inspecting) => {
                let ready = what == Happened::FoundRunning;
                self.go(if ready { Phase::Running } else { Phase::Starting });
                if self.suspended {
                    self.go(Phase::Stopping { again: false });
                    return Act::Stop;
                }
            }
            (Happened::FoundStopping { again }, Phase::Inspecting) => {
                self.go(Phase::Stopping { again: again && !self.suspended });
            }
            (Happened::FoundWanted, Phase::Inspecting) => {
                self.go(if self.suspended { Phase::Stopped } else { Phase::Starting });
            }
            (Happened::FoundIdle(idle), Phase::Inspecting) => match idle {
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
        if !matches!(phase, Phase::Starting | Phase::Running | Phase::Stopping { .. }) {
            self.paused = false;
        }
    }
}

#[cfg(test)]
mod tests;
