//! Which request is allowed when, by table and at random.

use std::collections::HashSet;

use protocol::ErrorCode;
use rand::RngExt;

use super::*;

const STOPPING: Phase = Phase::Stopping { again: false };

fn requests() -> [Request; 11] {
    [
        Request::Power(PowerAction::Start),
        Request::Power(PowerAction::Stop),
        Request::Power(PowerAction::Restart),
        Request::Power(PowerAction::Kill),
        Request::Power(PowerAction::Resume),
        Request::Command(String::new()),
        Request::Delete,
        Request::Suspend,
        Request::Unsuspend,
        Request::Reinstall { wipe: false },
        Request::CancelInstall,
    ]
}

fn asked(phase: Phase, action: PowerAction) -> Result<(Act, Status), ErrorCode> {
    let mut life_cycle = LifeCycle::new(phase, false);
    life_cycle
        .ask(&Request::Power(action))
        .map(|act| (act, life_cycle.status()))
        .map_err(|refusal| refusal.words().0)
}

#[test]
fn the_power_table() {
    use Phase::{Crashed, InstallFailed, Installing, Running, Starting, Stopped};
    use PowerAction::{Kill, Restart, Start, Stop};
    let launch = || Ok((Act::Launch, Status::Starting));
    let stop = || Ok((Act::Stop, Status::Stopping));
    let kill = || Ok((Act::Kill, Status::Stopping));
    let table = [
        (Stopped, [launch(), Err(ErrorCode::NotRunning), launch(), Err(ErrorCode::NotRunning)]),
        (Crashed, [launch(), Err(ErrorCode::NotRunning), launch(), Err(ErrorCode::NotRunning)]),
        (
            InstallFailed,
            [launch(), Err(ErrorCode::NotRunning), Err(ErrorCode::NotRunning), Err(ErrorCode::NotRunning)],
        ),
        (Starting, [Err(ErrorCode::AlreadyStarting), stop(), stop(), kill()]),
        (Running, [Err(ErrorCode::AlreadyRunning), stop(), stop(), kill()]),
        (
            STOPPING,
            [
                Err(ErrorCode::AlreadyStopping),
                Err(ErrorCode::AlreadyStopping),
                Err(ErrorCode::AlreadyStopping),
                kill(),
            ],
        ),
        (Installing, [const { Err(ErrorCode::Installing) }; 4]),
    ];
    for (phase, expected) in table {
        for (action, expected) in [Start, Stop, Restart, Kill].into_iter().zip(expected) {
            assert_eq!(asked(phase, action), expected, "{action:?} in {phase:?}");
        }
    }
}

#[test]
fn one_that_stands_still_can_be_resumed_stopped_and_killed_and_hears_nothing() {
    use PowerAction::{Kill, Restart, Resume, Start, Stop};
    for phase in [Phase::Starting, Phase::Running] {
        let mut paused = LifeCycle::new(phase, false);
        paused.set_paused(true);
        assert_eq!(paused.status(), Status::Paused);
        let ask = |request: Request| paused.clone().ask(&request);
        assert_eq!(ask(Request::Power(Resume)), Ok(Act::Resume));
        assert_eq!(ask(Request::Power(Stop)), Ok(Act::Stop));
        assert_eq!(ask(Request::Power(Restart)), Ok(Act::Stop));
        assert_eq!(ask(Request::Power(Kill)), Ok(Act::Kill));
        assert_eq!(ask(Request::Power(Start)), Err(Refusal::Paused));
        assert_eq!(ask(Request::Command(String::new())), Err(Refusal::Paused));
        let mut stopping = paused.clone();
        stopping.ask(&Request::Power(Stop)).unwrap();
        assert_eq!(stopping.status(), Status::Stopping);
        stopping.happened(Happened::EndedWell);
        assert!(!stopping.paused(), "{stopping:?}");
    }
    let refused = |phase, refusal| {
        assert_eq!(LifeCycle::new(phase, false).ask(&Request::Power(Resume)), Err(refusal), "{phase:?}");
    };
    refused(Phase::Running, Refusal::NotPaused);
    refused(STOPPING, Refusal::AlreadyStopping);
    refused(Phase::Stopped, Refusal::NotRunning);
    refused(Phase::Installing, Refusal::Installing);
}

#[test]
fn a_stop_that_was_broken_off_goes_on_as_what_it_was() {
    for (again, suspended, then) in
        [(true, false, Act::Launch), (false, false, Act::Nothing), (true, true, Act::Nothing)]
    {
        let mut life_cycle = LifeCycle::new(Phase::Inspecting, suspended);
        assert_eq!(life_cycle.happened(Happened::FoundStopping { again }), Act::Nothing);
        assert_eq!((life_cycle.status(), life_cycle.again()), (Status::Stopping, again && !suspended));
        assert_eq!(life_cycle.happened(Happened::Crashed), then);
    }
}

#[test]
fn a_restart_starts_once_it_has_stopped_and_a_kill_calls_it_off() {
    let mut life_cycle = LifeCycle::new(Phase::Running, false);
    life_cycle.ask(&Request::Power(PowerAction::Restart)).unwrap();
    assert_eq!(life_cycle.happened(Happened::Crashed), Act::Launch);
    assert_eq!(life_cycle.phase(), Phase::Starting);
    life_cycle.ask(&Request::Power(PowerAction::Restart)).unwrap();
    life_cycle.ask(&Request::Power(PowerAction::Kill)).unwrap();
    assert_eq!(life_cycle.happened(Happened::Crashed), Act::Nothing);
    assert_eq!(life_cycle.phase(), Phase::Stopped);
}

#[test]
fn suspended_means_that_nothing_starts_it() {
    let mut life_cycle = LifeCycle::new(Phase::Running, false);
    assert_eq!(life_cycle.ask(&Request::Suspend), Ok(Act::Stop));
    life_cycle.happened(Happened::EndedWell);
    assert_eq!(life_cycle.status(), Status::Suspended);
    assert_eq!(life_cycle.ask(&Request::Power(PowerAction::Start)), Err(Refusal::Suspended));
    let mut crashed = LifeCycle::new(Phase::Crashed, false);
    crashed.ask(&Request::Suspend).unwrap();
    assert_eq!(crashed.happened(Happened::Due), Act::Nothing);
    life_cycle.ask(&Request::Unsuspend).unwrap();
    assert_eq!(life_cycle.ask(&Request::Power(PowerAction::Start)), Ok(Act::Launch));
}

#[test]
fn while_the_engine_is_away_everything_is_unknown_and_refused() {
    for phase in [Phase::Stopped, Phase::Running, Phase::Installing, Phase::Inspecting, Phase::Crashed] {
        let mut life_cycle = LifeCycle::new(phase, false);
        life_cycle.set_away(true);
        assert_eq!(life_cycle.status(), Status::Unknown);
        for ask in requests().into_iter().filter(|ask| !matches!(ask, Request::Suspend | Request::Unsuspend))
        {
            assert_eq!(life_cycle.ask(&ask), Err(Refusal::EngineUnavailable), "{ask:?} in {phase:?}");
        }
        life_cycle.set_away(false);
        assert_eq!(life_cycle.phase(), phase);
    }
}

/// Simulates the engine: performs each action, checks that none runs twice at once, and reports random outcomes.
#[test]
fn random_sequences_never_act_twice_and_never_get_stuck() {
    use Happened as H;
    let mut rng = rand::rng();
    let mut seen = HashSet::new();
    for _ in 0..2_000 {
        let mut life_cycle = LifeCycle::new(Phase::Inspecting, false);
        // What is in progress at the engine: a game (launching or running), a fetch, a removal.
        let (mut game, mut fetch, mut removal) = (false, false, false);
        for _ in 0..60 {
            let act = if rng.random_bool(0.6) {
                let before = life_cycle.clone();
                let all = requests();
                match life_cycle.ask(&all[rng.random_range(0..all.len())]) {
                    Ok(act) => act,
                    Err(_) => {
                        assert_eq!(
                            format!("{before:?}"),
                            format!("{life_cycle:?}"),
                            "a refusal changed something"
                        );
                        continue;
                    }
                }
            } else {
                let happened: Vec<H> = match life_cycle.phase() {
                    Phase::Inspecting => {
                        vec![H::FoundIdle(Idle::Stopped), H::FoundIdle(Idle::NotInstalled), H::FoundRunning]
                    }
                    Phase::Deleting => vec![H::DeleteFailed],
                    _ if fetch => vec![H::Fetched, H::FetchFailed],
                    _ if game => vec![H::Ready, H::EndedWell, H::Crashed, H::LaunchFailed, H::Lost],
                    _ => vec![H::Due],
                };
                let happened = happened[rng.random_range(0..happened.len())];
                match happened {
                    H::EndedWell | H::Crashed | H::LaunchFailed => game = false,
                    H::Lost if !life_cycle.is_stopping() => game = false,
                    H::Fetched | H::FetchFailed => fetch = false,
                    H::FoundRunning => game = true,
                    H::DeleteFailed => (game, fetch, removal) = (false, false, false),
                    _ => {}
                }
                life_cycle.happened(happened)
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
                Act::Resume => assert!(life_cycle.paused()),
            }
            seen.insert(name(life_cycle.phase()));
            let going =
                matches!(life_cycle.phase(), Phase::Starting | Phase::Running | Phase::Stopping { .. });
            assert_eq!(going, game && life_cycle.phase() != Phase::Deleting, "{life_cycle:?}");
            assert_eq!(
                life_cycle.phase() == Phase::Installing,
                fetch && life_cycle.phase() != Phase::Deleting
            );
        }
    }
    assert_eq!(seen.len(), 9, "{seen:?}");
}

/// The variant's name without its fields.
fn name(what: impl std::fmt::Debug) -> String {
    let text = format!("{what:?}");
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

/// `InstallFailed` becomes `install failed`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn happenings() -> Vec<(String, Happened)> {
    use Happened as H;
    let plain = [
        H::Fetched,
        H::FetchFailed,
        H::Ready,
        H::LaunchFailed,
        H::EndedWell,
        H::Crashed,
        H::Due,
        H::FoundRunning,
    ];
    let more = [
        H::FoundStopping { again: false },
        H::FoundStopping { again: true },
        H::FoundStarting,
        H::FoundWanted,
        H::Lost,
        H::DeleteFailed,
    ];
    let named = plain.into_iter().chain(more).map(|what| (words(&name(what)), what));
    let idle = [Idle::NotInstalled, Idle::InstallFailed, Idle::Stopped, Idle::Crashed];
    named.chain(idle.map(|idle| (format!("found {}", words(&name(idle))), H::FoundIdle(idle)))).collect()
}

/// The phase that each request and event leads to from here, by name.
fn ways(from: &LifeCycle) -> Vec<(String, Phase)> {
    let mut ways = Vec::new();
    for request in requests() {
        let mut life = from.clone();
        if life.ask(&request).is_ok() {
            let cause = match &request {
                Request::Power(action) => words(&name(action)),
                other => words(&name(other)),
            };
            ways.push((cause, life.phase()));
        }
    }
    for (cause, happened) in happenings() {
        let mut life = from.clone();
        life.happened(happened);
        ways.push((cause, life.phase()));
    }
    ways
}

/// All transitions, formatted like the list in the module's doc.
fn transitions() -> String {
    use Phase::{Crashed, Deleting, Inspecting, InstallFailed, Installing, Running, Starting, Stopped};
    let phases =
        [Inspecting, Installing, InstallFailed, Stopped, Starting, Running, STOPPING, Crashed, Deleting];
    let mut lines = String::new();
    for from in phases {
        let usual = ways(&LifeCycle::new(from, false));
        let mut all = usual.clone();
        let suspended = ways(&LifeCycle::new(from, true));
        let restart = if from == STOPPING {
            ways(&LifeCycle::new(Phase::Stopping { again: true }, false))
        } else {
            Vec::new()
        };
        for (more, when) in [(suspended, "while suspended"), (restart, "in a restart")] {
            let other = more.into_iter().filter(|way| !usual.contains(way));
            all.extend(other.map(|(cause, to)| (format!("{cause} {when}"), to)));
        }
        let mut by_target: Vec<(String, Vec<String>)> = Vec::new();
        for (cause, to) in all.into_iter().map(|(cause, to)| (cause, name(to))) {
            if to == name(from) {
                continue;
            }
            match by_target.iter_mut().find(|(known, _)| *known == to) {
                Some((_, causes)) if causes.contains(&cause) => {}
                Some((_, causes)) => causes.push(cause),
                None => by_target.push((to, vec![cause])),
            }
        }
        lines.push_str(&format!("{}:\n", name(from)));
        for (to, causes) in by_target {
            lines.push_str(&format!("    {to} ({})\n", causes.join(", ")));
        }
    }
    lines
}

#[test]
fn the_table_in_the_head_is_the_code() {
    let head = include_str!("mod.rs").lines().map_while(|line| line.strip_prefix("//!"));
    let table =
        head.map(|line| line.strip_prefix(' ').unwrap_or(line)).skip_while(|line| *line != "Inspecting:");
    let table: String = table.take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
    // Long lines are wrapped with a deeper indent.
    assert_eq!(table.replace("\n        ", " "), transitions());
}
