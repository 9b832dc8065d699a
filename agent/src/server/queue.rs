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
//! Two things lie over the states: `suspended` (refuses starts) and `away` (the engine does not answer: everything is
//! `unknown` and refused at once).

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
pub(super) enum Ask {
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
    away: bool,
}

impl Queue {
    pub(super) fn new(phase: Phase, suspended: bool) -> Self {
        Self { phase, again: false, suspended, away: false }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn suspended(&self) -> bool {
        self.suspended
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
    pub(super) fn ask(&mut self, ask: Ask) -> Result<Act, Refusal> {
        match (ask, self.phase) {
            (Ask::Delete, Phase::Deleting) => return Ok(Act::Nothing),
            (_, Phase::Deleting) => return Err(Refusal::NotFound),
            (Ask::Suspend, _) => return Ok(self.suspend()),
            (Ask::Unsuspend, _) => {
                self.suspended = false;
                return Ok(Act::Nothing);
            }
            _ if self.away => return Err(Refusal::EngineUnavailable),
            (_, Phase::Looking) => return Err(Refusal::Busy),
            (Ask::Delete, _) => {
                self.go(Phase::Deleting);
                return Ok(Act::Remove);
            }
            _ => {}
        }
        match ask {
            Ask::Power(action) => self.power(action),
            Ask::Command => match self.phase {
                Phase::Starting | Phase::Running | Phase::Stopping => Ok(Act::Command),
                Phase::Installing => Err(Refusal::Installing),
                _ => Err(Refusal::NotRunning),
            },
            Ask::Reinstall => match self.phase {
                Phase::Installing => Err(Refusal::Installing),
                Phase::Starting => Err(Refusal::AlreadyStarting),
                Phase::Running => Err(Refusal::AlreadyRunning),
                Phase::Stopping => Err(Refusal::AlreadyStopping),
                _ => {
                    self.go(Phase::Installing);
                    Ok(Act::Fetch)
                }
            },
            Ask::CancelInstall => match self.phase {
                Phase::Installing => Ok(Act::CancelFetch),
                _ => Err(Refusal::NotInstalling),
            },
            Ask::Delete | Ask::Suspend | Ask::Unsuspend => Ok(Act::Nothing),
        }
    }

    fn power(&mut self, action: PowerAction) -> Result<Act, Refusal> {
        use PowerAction::{Kill, Restart, Start, Stop};
        match (action, self.phase) {
            (_, Phase::Installing) => Err(Refusal::Installing),
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
                self.go(Phase::Crashed)
            }
            (Happened::Due, Phase::Crashed) if !self.suspended && !self.away => {
                self.go(Phase::Starting);
                return Act::Launch;
            }
            (Happened::Lost, Phase::Starting | Phase::Running) => self.go(Phase::Looking),
            (Happened::FoundRunning, Phase::Looking) => {
                self.go(Phase::Running);
                if self.suspended {
                    self.go(Phase::Stopping);
                    return Act::Stop;
                }
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
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::RngExt;

    use super::*;

    const ASKS: [Ask; 10] = [
        Ask::Power(PowerAction::Start),
        Ask::Power(PowerAction::Stop),
        Ask::Power(PowerAction::Restart),
        Ask::Power(PowerAction::Kill),
        Ask::Command,
        Ask::Delete,
        Ask::Suspend,
        Ask::Unsuspend,
        Ask::Reinstall,
        Ask::CancelInstall,
    ];

    fn asked(phase: Phase, action: PowerAction) -> Result<(Act, Status), &'static str> {
        let mut queue = Queue::new(phase, false);
        queue.ask(Ask::Power(action)).map(|act| (act, queue.status())).map_err(|refusal| refusal.words().0)
    }

    #[test]
    fn the_power_table() {
        use Phase::{Crashed, InstallFailed, Installing, Running, Starting, Stopped, Stopping};
        use PowerAction::{Kill, Restart, Start, Stop};
        let launch = || Ok((Act::Launch, Status::Starting));
        let stop = || Ok((Act::Stop, Status::Stopping));
        let kill = || Ok((Act::Kill, Status::Stopping));
        let table = [
            (Stopped, [launch(), Err("not_running"), launch(), Err("not_running")]),
            (Crashed, [launch(), Err("not_running"), launch(), Err("not_running")]),
            (InstallFailed, [launch(), Err("not_running"), Err("not_running"), Err("not_running")]),
            (Starting, [Err("already_starting"), stop(), stop(), kill()]),
            (Running, [Err("already_running"), stop(), stop(), kill()]),
            (Stopping, [Err("already_stopping"), Err("already_stopping"), Err("already_stopping"), kill()]),
            (Installing, [const { Err("installing") }; 4]),
        ];
        for (phase, expected) in table {
            for (action, expected) in [Start, Stop, Restart, Kill].into_iter().zip(expected) {
                assert_eq!(asked(phase, action), expected, "{action:?} in {phase:?}");
            }
        }
    }

    #[test]
    fn a_restart_starts_once_it_has_stopped_and_a_kill_calls_it_off() {
        let mut queue = Queue::new(Phase::Running, false);
        queue.ask(Ask::Power(PowerAction::Restart)).unwrap();
        assert_eq!(queue.happened(Happened::Crashed), Act::Launch);
        assert_eq!(queue.phase(), Phase::Starting);
        queue.ask(Ask::Power(PowerAction::Restart)).unwrap();
        queue.ask(Ask::Power(PowerAction::Kill)).unwrap();
        assert_eq!(queue.happened(Happened::Crashed), Act::Nothing);
        assert_eq!(queue.phase(), Phase::Stopped);
    }

    #[test]
    fn suspended_means_that_nothing_starts_it() {
        let mut queue = Queue::new(Phase::Running, false);
        assert_eq!(queue.ask(Ask::Suspend), Ok(Act::Stop));
        queue.happened(Happened::EndedWell);
        assert_eq!(queue.status(), Status::Suspended);
        assert_eq!(queue.ask(Ask::Power(PowerAction::Start)), Err(Refusal::Suspended));
        let mut crashed = Queue::new(Phase::Crashed, false);
        crashed.ask(Ask::Suspend).unwrap();
        assert_eq!(crashed.happened(Happened::Due), Act::Nothing);
        queue.ask(Ask::Unsuspend).unwrap();
        assert_eq!(queue.ask(Ask::Power(PowerAction::Start)), Ok(Act::Launch));
    }

    #[test]
    fn while_the_engine_is_away_everything_is_unknown_and_refused() {
        for phase in [Phase::Stopped, Phase::Running, Phase::Installing, Phase::Looking, Phase::Crashed] {
            let mut queue = Queue::new(phase, false);
            queue.set_away(true);
            assert_eq!(queue.status(), Status::Unknown);
            for ask in ASKS.into_iter().filter(|ask| !matches!(ask, Ask::Suspend | Ask::Unsuspend)) {
                assert_eq!(queue.ask(ask), Err(Refusal::EngineUnavailable), "{ask:?} in {phase:?}");
            }
            queue.set_away(false);
            assert_eq!(queue.phase(), phase);
        }
    }

    /// Plays the one who acts: does what is asked, never twice at once, and tells how it went at random.
    #[test]
    fn random_sequences_never_act_twice_and_never_get_stuck() {
        use Happened as H;
        let mut rng = rand::rng();
        let mut seen = HashSet::new();
        for _ in 0..2_000 {
            let mut queue = Queue::new(Phase::Looking, false);
            // What goes on at the engine: a game (launched or running), a fetch, a removal.
            let (mut game, mut fetch, mut removal) = (false, false, false);
            for _ in 0..60 {
                let act = if rng.random_bool(0.6) {
                    let before = queue.clone();
                    let ask = ASKS[rng.random_range(0..ASKS.len())];
                    match queue.ask(ask) {
                        Ok(act) => act,
                        Err(_) => {
                            assert_eq!(
                                format!("{before:?}"),
                                format!("{queue:?}"),
                                "a refusal changed something"
                            );
                            continue;
                        }
                    }
                } else {
                    let happened: Vec<H> = match queue.phase() {
                        Phase::Looking => vec![
                            H::FoundIdle(Idle::Stopped),
                            H::FoundIdle(Idle::NotInstalled),
                            H::FoundRunning,
                        ],
                        Phase::Deleting => vec![H::DeleteFailed],
                        _ if fetch => vec![H::Fetched, H::FetchFailed],
                        _ if game => vec![H::Ready, H::EndedWell, H::Crashed, H::LaunchFailed, H::Lost],
                        _ => vec![H::Due],
                    };
                    let happened = happened[rng.random_range(0..happened.len())];
                    match happened {
                        H::EndedWell | H::Crashed | H::LaunchFailed => game = false,
                        H::Lost if queue.phase() != Phase::Stopping => game = false,
                        H::Fetched | H::FetchFailed => fetch = false,
                        H::FoundRunning => game = true,
                        H::DeleteFailed => (game, fetch, removal) = (false, false, false),
                        _ => {}
                    }
                    queue.happened(happened)
                };
                match act {
                    Act::Launch => {
                        assert!(!game && !fetch && !removal, "launched twice");
                        game = true;
                    }
                    Act::Fetch => {
                        assert!(!game && !fetch && !removal, "fetched beside something");
                        fetch = true;
                    }
                    Act::Stop | Act::Kill => assert!(game, "{act:?} of nothing"),
                    Act::CancelFetch => assert!(fetch),
                    Act::Remove => {
                        assert!(!removal);
                        removal = true;
                    }
                    Act::Command => assert!(game),
                    Act::Nothing | Act::CallOff => {}
                }
                seen.insert(queue.phase());
                let going = matches!(queue.phase(), Phase::Starting | Phase::Running | Phase::Stopping);
                assert_eq!(going, game && queue.phase() != Phase::Deleting, "{queue:?}");
                assert_eq!(queue.phase() == Phase::Installing, fetch && queue.phase() != Phase::Deleting);
            }
        }
        assert_eq!(seen.len(), 9, "{seen:?}");
    }
}
