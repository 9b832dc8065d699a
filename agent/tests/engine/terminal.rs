//! Connections to a game's console that end, hang or lie while the game goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::*;

use crate::harness::*;
use crate::proxy::Proxy;

const COUNTER: &str = "n=0; while :; do n=$((n+1)); echo \"number $n\"; sleep 0.05; done";
const ECHO: &str = "while read l; do echo \"echo $l\"; done";
/// Saves by command or by signal, and says which.
const SAVES: &str = "trap 'echo saved by signal; exit 0' TERM; echo up; while :; do read l && [ \"$l\" = save ] && { echo saved by command; exit 0; }; done";

async fn node(proxy: &Proxy) -> Node {
    Node::with(Arc::new(tempfile::tempdir().unwrap()), Some(proxy.host()), quick()).await
}

fn numbers(node: &Node, id: &str) -> Vec<u64> {
    node.texts(id).iter().filter_map(|text| text.strip_prefix("number ")?.parse().ok()).collect()
}

fn without_gaps(node: &Node, id: &str) {
    let all = numbers(node, id);
    assert_eq!(all.first(), Some(&1));
    let odd: Vec<_> = all.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
    assert!(odd.is_empty(), "{odd:?} of {}: {:#?}", all.len(), node.texts(id));
    assert!(!node.items(id).iter().any(|item| matches!(item, ConsoleItem::Skipped { .. })));
}

async fn lasts(node: &Node, id: &str) {
    let last = numbers(node, id).last().copied().unwrap_or(0);
    node.line(id, &format!("number {}", last + 10)).await;
}

async fn stopped_by(node: &Node, stop: Stop, startup: &str) -> String {
    let mut spec = spec(startup);
    spec.behaviour = Some(Behaviour { stop, stop_timeout: 60, ..Behaviour::default() });
    let id = node.create(spec).await;
    node.start(&id).await;
    node.line(&id, "up").await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_that_is_cut_goes_on_without_a_gap() {
    let proxy = Proxy::opened();
    let node = node(&proxy).await;
    let id = node.run(COUNTER).await;
    let _container = Container(id.clone());
    for _ in 0..5 {
        lasts(&node, &id).await;
        proxy.cut("/attach").await;
    }
    lasts(&node, &id).await;
    // For a while no new connection comes about.
    proxy.refuse(Some("/attach"));
    proxy.cut("/attach").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    proxy.refuse(None);
    lasts(&node, &id).await;
    without_gaps(&node, &id);
    assert_eq!(node.path(&id).last(), Some(&Status::Running), "{:?}", node.path(&id));
    assert!(!node.path(&id).contains(&Status::Crashed));
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_are_all_the_same_come_as_often_as_they_were_written() {
    let proxy = Proxy::opened();
    let node = node(&proxy).await;
    let id = node.create(spec("read l; n=0; while [ $n -lt 40 ]; do n=$((n+1)); echo tick; sleep 0.2; done; echo over; sleep 1000")).await;
    let _container = Container(id.clone());
    node.start(&id).await;
    node.command(&id, "go").await.unwrap();
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(730)).await;
        proxy.cut("/attach").await;
    }
    node.line(&id, "over").await;
    let ticks = node.texts(&id).iter().filter(|text| *text == "tick").count();
    assert_eq!(ticks, 40, "{:?}", node.texts(&id));
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_typed_over_the_next_connection_or_refused() {
    let proxy = Proxy::opened();
    let node = node(&proxy).await;
    let id = node.run(ECHO).await;
    let _container = Container(id.clone());
    node.command(&id, "first").await.unwrap();
    node.line(&id, "echo first").await;
    for n in 0..10 {
        proxy.cut("/attach").await;
        // One that was on its way into the connection as it ended is refused; one that is taken is there.
        let ends = Instant::now() + SOON;
        while node.command(&id, &format!("number {n}")).await.is_err() {
            assert!(Instant::now() < ends);
        }
        node.line(&id, &format!("echo number {n}")).await;
    }
    proxy.refuse(Some("/attach"));
    proxy.cut("/attach").await;
    let asked = Instant::now();
    assert_eq!(node.command(&id, "lost").await, Err(ErrorCode::Busy));
    assert_eq!(node.command(&id, "lost").await, Err(ErrorCode::Busy));
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    proxy.refuse(None);
    let ends = Instant::now() + SOON;
    while node.command(&id, "last").await.is_err() {
        assert!(Instant::now() < ends);
    }
    node.line(&id, "echo last").await;
    assert!(!node.texts(&id).iter().any(|text| text == "echo lost"), "{:#?}", node.texts(&id));
    node.delete(&id).await;
}

/// Exits at the first line, without an echo: there is no output between the line and the exit.
const SILENT_END: &str = "stty -echo; echo up; read l; exit 0";
/// The same, but the terminal closes before the engine can notice the exit.
const CLOSES_FIRST: &str = "stty -echo; echo up; read l; exec <&- >&- 2>&-; sleep 0.7";

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_ends_the_game_at_once_was_typed() {
    let proxy = Proxy::opened();
    let node = node(&proxy).await;
    for game in [SILENT_END, CLOSES_FIRST] {
        let id = node.create(spec(game)).await;
        let _container = Container(id.clone());
        for round in 0..3 {
            node.start(&id).await;
            node.line(&id, "up").await;
            if round == 2 {
                // The engine's report of the exit does not arrive.
                proxy.silence("/wait").await;
            }
            assert_eq!(node.command(&id, "quit").await, Ok(()), "{game}, {round}");
            node.is(&id, Status::Stopped).await;
            node.forget_messages();
        }
        node.delete(&id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_after_a_cut_saves_the_world() {
    let proxy = Proxy::opened();
    let node = node(&proxy).await;
    let id = stopped_by(&node, Stop::Command("save".into()), SAVES).await;
    let other = stopped_by(&node, Stop::Command("save".into()), SAVES).await;
    let _containers = [Container(id.clone()), Container(other.clone())];
    let asked = Instant::now();
    proxy.cut("/attach").await;
    node.power(&id, PowerAction::Stop).await.unwrap();
    node.line(&id, "saved by command").await;
    node.is(&id, Status::Stopped).await;
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());

    // No connection comes about: the signal comes at once.
    proxy.refuse(Some("/attach"));
    proxy.cut("/attach").await;
    let asked = Instant::now();
    node.power(&other, PowerAction::Stop).await.unwrap();
    let stopped = node.is(&other, Status::Stopped).await;
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    assert_eq!(stopped.exit_code, Some(0));
    node.line(&other, "saved by signal").await;
    proxy.refuse(None);
    node.delete(&id).await;
    node.delete(&other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_dies_without_a_word_is_noticed() {
    let proxy = Proxy::opened();
    let node = node(&proxy).await;
    let id = stopped_by(&node, Stop::Command("save".into()), SAVES).await;
    let _container = Container(id.clone());
    proxy.silence("/attach").await;
    let asked = Instant::now();
    node.power(&id, PowerAction::Stop).await.unwrap();
    node.line(&id, "saved by command").await;
    node.is(&id, Status::Stopped).await;
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    node.delete(&id).await;

    let id = node.run(COUNTER).await;
    let _container = Container(id.clone());
    lasts(&node, &id).await;
    proxy.silence("/attach").await;
    lasts(&node, &id).await;
    without_gaps(&node, &id);
    // Its end is seen, too, and its last lines, whichever connection is dead.
    proxy.silence("/attach").await;
    proxy.silence("/wait").await;
    docker(&["exec", &format!("ctrl-alt-play-{id}"), "/bin/sh", "-c", "echo the end > /proc/1/fd/1"]);
    docker(&["kill", &format!("ctrl-alt-play-{id}")]);
    node.status(&id, |status| status.restart_at.is_some() || status.exit_code.is_some()).await;
    node.line(&id, "the end").await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_cut_is_no_end() {
    let proxy = Proxy::opened();
    let node = node(&proxy).await;
    let id = node.run(COUNTER).await;
    let _container = Container(id.clone());
    for _ in 0..4 {
        lasts(&node, &id).await;
        proxy.cut("/wait").await;
    }
    lasts(&node, &id).await;
    without_gaps(&node, &id);
    assert!(!node.path(&id)[1..].contains(&Status::Unknown), "{:?}", node.path(&id));
    docker(&["kill", "-s", "KILL", &format!("ctrl-alt-play-{id}")]);
    node.status(&id, |status| status.exit_code == Some(137)).await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_while_the_engine_is_away_is_read_with_its_times() {
    let mut proxy = Proxy::opened();
    let node = node(&proxy).await;
    let id = node.run(COUNTER).await;
    let _container = Container(id.clone());
    lasts(&node, &id).await;
    let last = *numbers(&node, &id).last().unwrap();
    proxy.close();
    node.is(&id, Status::Unknown).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    proxy.open();
    node.is(&id, Status::Running).await;
    lasts(&node, &id).await;
    without_gaps(&node, &id);
    let (a, b) = (
        node.line(&id, &format!("number {}", last + 10)).await,
        node.line(&id, &format!("number {}", last + 40)).await,
    );
    let apart = b.time.duration_since(a.time).as_millis();
    assert!((1_000..4_000).contains(&apart), "30 lines in {apart} ms");
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_the_same_after_a_restart_of_the_agent() {
    let node = Node::new().await;
    let id = node.run(COUNTER).await;
    let _container = Container(id.clone());
    let before = node.line(&id, "number 20").await;
    let dir = node.stop().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let node = Node::with(dir, None, quick()).await;
    node.subscribe(&id).await;
    let after = node.line(&id, "number 20").await;
    let apart = after.time.duration_since(before.time).abs();
    assert!(apart.as_millis() < 500, "{} became {}", before.time, after.time);
    lasts(&node, &id).await;
    without_gaps(&node, &id);
    node.delete(&id).await;
}

fn ready_at(startup: &str, ready: &str) -> ServerCreate {
    let mut spec = spec(startup);
    spec.behaviour = Some(Behaviour { ready: Some(ready.into()), stop_timeout: 3, ..Behaviour::default() });
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ready_line_is_seen_however_it_comes() {
    let node = Node::new().await;
    let games = [
        ("printf 'Do'; sleep 1.2; printf 'ne (3s)!\\n'; sleep 1000", "regex:^Done \\(\\d"),
        ("yes | head -n 400000; echo 'Done (3s)!'; yes | head -n 400000; sleep 1000", "Done ("),
        ("head -c 40000 /dev/zero | tr '\\0' x; echo 'Done (3s)!'; sleep 1000", "Done ("),
        ("printf '10 percent\\rDone (3s)!\\r> '; sleep 1000", "Done ("),
        ("printf 'Done (3s)!'; sleep 1000", "Done ("),
    ];
    for (startup, ready) in games {
        let id = node.create(ready_at(startup, ready)).await;
        let _container = Container(id.clone());
        node.power(&id, PowerAction::Start).await.unwrap();
        node.is(&id, Status::Running).await;
        node.delete(&id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_taken_over_is_a_start_until_the_line_comes() {
    let proxy = Proxy::opened();
    let node = node(&proxy).await;
    let id = node.create(ready_at("echo loading; read l; echo 'Done (1s)!'; sleep 1000", "Done (")).await;
    let _container = Container(id.clone());
    node.power(&id, PowerAction::Start).await.unwrap();
    node.line(&id, "loading").await;
    let dir = node.stop().await;
    let node = Node::with(dir, Some(proxy.host()), quick()).await;
    node.is(&id, Status::Starting).await;
    // The link to the engine breaks, too.
    proxy.cut("/wait").await;
    proxy.cut("/attach").await;
    node.subscribe(&id).await;
    node.line(&id, "loading").await;
    node.is(&id, Status::Starting).await;
    let ends = Instant::now() + SOON;
    while node.command(&id, "go").await.is_err() {
        assert!(Instant::now() < ends);
    }
    node.is(&id, Status::Running).await;
    let seen = node.path(&id);
    assert_eq!(seen.iter().filter(|status| **status == Status::Running).count(), 1, "{seen:?}");

    // It comes while nobody is there; and later nobody asks whether it is still in the log.
    let late = node.create(ready_at("sleep 1.5; echo 'Done (1s)!'; sleep 1000", "Done (")).await;
    let _late = Container(late.clone());
    node.power(&late, PowerAction::Start).await.unwrap();
    node.status(&late, |status| status.started_at.is_some()).await;
    let dir = node.stop().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let node = Node::with(dir, Some(proxy.host()), quick()).await;
    node.is(&late, Status::Running).await;
    node.is(&id, Status::Running).await;
    assert!(!node.path(&id).contains(&Status::Starting), "{:?}", node.path(&id));
    node.delete(&id).await;
    node.delete(&late).await;
}
