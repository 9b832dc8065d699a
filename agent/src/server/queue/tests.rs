//! What may be asked when, by table and at random.

use std::collections::HashSet;

use rand::RngExt;

use super::*;

const ASKS: [RequestKind; 11] = [
    RequestKind::Power(PowerAction::Start),
    RequestKind::Power(PowerAction::Stop),
    RequestKind::Power(PowerAction::Restart),
    RequestKind::Power(PowerAction::Kill),
    RequestKind::Power(PowerAction::Resume),
    RequestKind::Command,
    RequestKind::Delete,
    RequestKind::Suspend,
    RequestKind::Unsuspend,
    RequestKind::Reinstall,
    RequestKind::CancelInstall,
];

fn asked(phase: Phase, action: PowerAction) -> Result<(Act, Status), &'static str> {
    let mut queue = Queue::new(phase, false);
    queue
        .ask(RequestKind::Power(action))
        .map(|act| (act, queue.status()))
        .map_err(|refusal| refusal.words().0)
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
fn one_that_stands_still_can_be_resumed_stopped_and_killed_and_hears_nothing() {
    use PowerAction::{Kill, Restart, Resume, Start, Stop};
    for phase in [Phase::Starting, Phase::Running] {
        let mut paused = Queue::new(phase, false);
        paused.set_paused(true);
        assert_eq!(paused.status(), Status::Paused);
        let ask = |what| paused.clone().ask(what);
        assert_eq!(ask(RequestKind::Power(Resume)), Ok(Act::Resume));
        assert_eq!(ask(RequestKind::Power(Stop)), Ok(Act::Stop));
        assert_eq!(ask(RequestKind::Power(Restart)), Ok(Act::Stop));
        assert_eq!(ask(RequestKind::Power(Kill)), Ok(Act::Kill));
        assert_eq!(ask(RequestKind::Power(Start)), Err(Refusal::Paused));
        assert_eq!(ask(RequestKind::Command), Err(Refusal::Paused));
        let mut stopping = paused.clone();
        stopping.ask(RequestKind::Power(Stop)).unwrap();
        assert_eq!(stopping.status(), Status::Stopping);
        stopping.happened(Happened::EndedWell);
        assert!(!stopping.paused(), "{stopping:?}");
    }
    let refused = |phase, refusal| {
        assert_eq!(Queue::new(phase, false).ask(RequestKind::Power(Resume)), Err(refusal), "{phase:?}");
    };
    refused(Phase::Running, Refusal::NotPaused);
    refused(Phase::Stopping, Refusal::AlreadyStopping);
    refused(Phase::Stopped, Refusal::NotRunning);
    refused(Phase::Installing, Refusal::Installing);
}

#[test]
fn a_stop_that_was_broken_off_goes_on_as_what_it_was() {
    for (again, suspended, then) in
        [(true, false, Act::Launch), (false, false, Act::Nothing), (true, true, Act::Nothing)]
    {
        let mut queue = Queue::new(Phase::Looking, suspended);
        assert_eq!(queue.happened(Happened::FoundStopping { again }), Act::Nothing);
        assert_eq!((queue.status(), queue.again()), (Status::Stopping, again && !suspended));
        assert_eq!(queue.happened(Happened::Crashed), then);
    }
}

#[test]
fn a_restart_starts_once_it_has_stopped_and_a_kill_calls_it_off() {
    let mut queue = Queue::new(Phase::Running, false);
    queue.ask(RequestKind::Power(PowerAction::Restart)).unwrap();
    assert_eq!(queue.happened(Happened::Crashed), Act::Launch);
    assert_eq!(queue.phase(), Phase::Starting);
    queue.ask(RequestKind::Power(PowerAction::Restart)).unwrap();
    queue.ask(RequestKind::Power(PowerAction::Kill)).unwrap();
    assert_eq!(queue.happened(Happened::Crashed), Act::Nothing);
    assert_eq!(queue.phase(), Phase::Stopped);
}

#[test]
fn suspended_means_that_nothing_starts_it() {
    let mut queue = Queue::new(Phase::Running, false);
    assert_eq!(queue.ask(RequestKind::Suspend), Ok(Act::Stop));
    queue.happened(Happened::EndedWell);
    assert_eq!(queue.status(), Status::Suspended);
    assert_eq!(queue.ask(RequestKind::Power(PowerAction::Start)), Err(Refusal::Suspended));
    let mut crashed = Queue::new(Phase::Crashed, false);
    crashed.ask(RequestKind::Suspend).unwrap();
    assert_eq!(crashed.happened(Happened::Due), Act::Nothing);
    queue.ask(RequestKind::Unsuspend).unwrap();
    assert_eq!(queue.ask(RequestKind::Power(PowerAction::Start)), Ok(Act::Launch));
}

#[test]
fn while_the_engine_is_away_everything_is_unknown_and_refused() {
    for phase in [Phase::Stopped, Phase::Running, Phase::Installing, Phase::Looking, Phase::Crashed] {
        let mut queue = Queue::new(phase, false);
        queue.set_away(true);
        assert_eq!(queue.status(), Status::Unknown);
        for ask in
            ASKS.into_iter().filter(|ask| !matches!(ask, RequestKind::Suspend | RequestKind::Unsuspend))
        {
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
                    Phase::Looking => {
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
                Act::Resume => assert!(queue.paused()),
            }
            seen.insert(queue.phase());
            let going = matches!(queue.phase(), Phase::Starting | Phase::Running | Phase::Stopping);
            assert_eq!(going, game && queue.phase() != Phase::Deleting, "{queue:?}");
            assert_eq!(queue.phase() == Phase::Installing, fetch && queue.phase() != Phase::Deleting);
        }
    }
    assert_eq!(seen.len(), 9, "{seen:?}");
}
