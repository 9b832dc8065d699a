//! What was asked and not done when the agent ended goes on when it comes back.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use protocol::*;

use crate::harness::*;

/// Saves for three seconds when it is told to end, and ends with 143. Each signal is a line in `signals`.
const SLOW: &str = "trap 'echo x >> signals; sleep 3; echo saved >> world; exit 143' TERM; echo up; \
                    while :; do sleep 0.1; done";

fn with(startup: &str, stop: Stop, stop_timeout: u32) -> ServerCreate {
    ServerCreate {
        behaviour: Some(Behaviour { stop, stop_timeout, ..Behaviour::default() }),
        ..spec(startup)
    }
}

async fn running(startup: &str, stop: Stop, timeout: u32) -> (Node, String, Container) {
    let node = Node::new().await;
    let id = node.create(with(startup, stop, timeout)).await;
    let container = Container(id.clone());
    node.start(&id).await;
    node.line(&id, "up").await;
    (node, id, container)
}

fn text(node: &Node, id: &str, name: &str) -> String {
    std::fs::read_to_string(node.file(id, name)).unwrap_or_default()
}

fn started_at(id: &str) -> String {
    docker(&["inspect", "-f", "{{.State.StartedAt}}", &format!("ctrl-alt-play-{id}")])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_that_still_saves_is_waited_for_and_told_once() {
    let (node, id, _container) = running(SLOW, Stop::default(), 20).await;
    let before = started_at(&id);
    node.power(&id, PowerAction::Stop).await.unwrap();
    let deadline = node.status(&id, |s| s.stop_deadline.is_some()).await.stop_deadline.unwrap();
    node.written(&id, "signals").await;
    let node = Node::with(node.stop().await, None, quick()).await;
    let again = node.status(&id, |s| s.stop_deadline.is_some()).await;
    assert_eq!(again.status, Status::Stopping);
    let moved = again.stop_deadline.unwrap().duration_since(deadline).abs();
    assert!(moved < jiff::SignedDuration::from_millis(500), "{moved:?}");
    assert_eq!(node.power(&id, PowerAction::Start).await, Err(ErrorCode::AlreadyStopping));
    let stopped = node.is(&id, Status::Stopped).await;
    assert_eq!((stopped.exit_code, stopped.error, stopped.restart_at), (Some(143), None, None));
    assert_eq!(
        (text(&node, &id, "signals").as_str(), text(&node, &id, "world").as_str()),
        ("x\n", "saved\n")
    );
    assert_eq!(started_at(&id), before, "it was started again");
    // Nothing of it is left: it stays so.
    let node = Node::with(node.stop().await, None, quick()).await;
    assert_eq!(node.is(&id, Status::Stopped).await.exit_code, Some(143));
    assert!(!node.path(&id).contains(&Status::Stopping));
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ignores_it_is_killed_at_the_time_that_was_said() {
    let line = "trap '' TERM; echo up; while :; do sleep 0.5; done";
    for (stop, timeout, expected) in
        [(Stop::default(), 6, 6_000..8_500), (Stop::Command("quit".into()), 5, 6_000..8_500)]
    {
        let (node, id, _container) = running(line, stop, timeout).await;
        let asked = Instant::now();
        node.power(&id, PowerAction::Stop).await.unwrap();
        let dir = node.stop().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let node = Node::with(dir, None, quick()).await;
        let stopped = node.is(&id, Status::Stopped).await;
        let took = asked.elapsed().as_millis();
        assert!(expected.contains(&took), "{took} ms");
        assert_eq!(stopped.exit_code, Some(137));
        assert_eq!(stopped.error.as_deref(), Some("It was killed after 6 s: it did not stop by itself."));
        node.delete(&id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_command_is_typed_once_and_what_follows_it_comes_in_time() {
    let line = "trap 'echo TERM >> heard; exit 143' TERM; echo up; \
                while :; do if read -t 1 l; then echo \"$l\" >> heard; fi; done";
    let (node, id, _container) = running(line, Stop::Command("quit".into()), 4).await;
    node.power(&id, PowerAction::Stop).await.unwrap();
    node.written(&id, "heard").await;
    // One that ends between typing and noting it types again: rather twice than never.
    eventually("that it was typed is kept", || {
        (kept(&node, &id)["pending"]["stop"]["taken"] == 1).then_some(())
    })
    .await;
    let node = Node::with(node.stop().await, None, quick()).await;
    node.is(&id, Status::Stopping).await;
    node.is(&id, Status::Stopped).await;
    assert_eq!(text(&node, &id, "heard"), "quit\nTERM\n");
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_one_also_when_it_stopped_while_nobody_looked() {
    for while_nobody_looks in [false, true] {
        let (node, id, _container) = running(SLOW, Stop::default(), 20).await;
        let before = started_at(&id);
        node.power(&id, PowerAction::Restart).await.unwrap();
        node.written(&id, "signals").await;
        let dir = node.stop().await;
        if while_nobody_looks {
            docker(&["wait", &format!("ctrl-alt-play-{id}")]);
        }
        let node = Node::with(dir, None, quick()).await;
        node.status(&id, |s| s.status == Status::Running && s.started_at.is_some()).await;
        assert!(!node.path(&id).contains(&Status::Crashed), "{:?}", node.path(&id));
        assert_ne!(started_at(&id), before);
        assert_eq!(text(&node, &id, "world"), "saved\n");
        // It is over: nothing is stopped the next time.
        let node = Node::with(node.stop().await, None, quick()).await;
        node.is(&id, Status::Running).await;
        assert!(!node.path(&id).contains(&Status::Stopping), "{:?}", node.path(&id));
        node.delete(&id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_ended_while_nobody_looked_is_a_stop() {
    for (line, stop, code) in [
        (SLOW, PowerAction::Stop, 143),
        ("trap 'echo x >> signals; exit 7' TERM; echo up; while :; do sleep 0.1; done", PowerAction::Stop, 7),
        ("trap '' TERM; echo up; while :; do sleep 0.1; done", PowerAction::Kill, 137),
    ] {
        let (node, id, _container) = running(line, Stop::default(), 20).await;
        let before = started_at(&id);
        node.power(&id, stop).await.unwrap();
        if stop == PowerAction::Stop {
            node.written(&id, "signals").await;
        }
        let dir = node.stop().await;
        // It may have ended before it came to that.
        let name = format!("ctrl-alt-play-{id}");
        docker(&[if stop == PowerAction::Kill { "kill" } else { "wait" }, &name]);
        let node = Node::with(dir, None, quick()).await;
        let stopped = node.is(&id, Status::Stopped).await;
        assert_eq!((stopped.exit_code, stopped.oom_killed), (Some(code), false), "{stopped:?}");
        assert_eq!(started_at(&id), before);
        node.delete(&id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_suspended_while_it_restarts_stays_down() {
    let (node, id, _container) = running(SLOW, Stop::default(), 20).await;
    node.power(&id, PowerAction::Restart).await.unwrap();
    node.ask(ToAgent::ServerSuspend(ServerRef { server_id: id.clone().into() })).await.unwrap();
    let node = Node::with(node.stop().await, None, quick()).await;
    node.is(&id, Status::Suspended).await;
    assert!(!node.path(&id).contains(&Status::Starting), "{:?}", node.path(&id));
    node.delete(&id).await;
}

/// The file of what is kept of a server.
fn record(node: &Node, id: &str) -> PathBuf {
    node.dir.path().join("agent").join(format!("{id}.json"))
}

fn kept(node: &Node, id: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(record(node, id)).unwrap()).unwrap()
}

/// How often its file was written: it is another one each time.
fn inode(node: &Node, id: &str) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(record(node, id)).unwrap().ino()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_on_the_disk_before_the_answer_and_gone_when_it_is_over() {
    let (node, id, _container) = running(SLOW, Stop::default(), 20).await;
    assert_eq!(kept(&node, &id)["pending"], serde_json::Value::Null);
    // That it was ready is written, too: two writes may well end in the same inode.
    eventually("that it is ready is kept", || (!kept(&node, &id)["ready"].is_null()).then_some(())).await;
    let before = inode(&node, &id);
    node.power(&id, PowerAction::Restart).await.unwrap();
    let file = kept(&node, &id);
    assert_eq!((&file["pending"]["stop"]["again"], &file["wanted"]), (&true.into(), &"running".into()));
    assert_ne!(inode(&node, &id), before);
    node.power(&id, PowerAction::Kill).await.unwrap();
    let file = kept(&node, &id);
    assert_eq!(file["pending"]["stop"]["again"], serde_json::Value::Null, "{file}");
    assert_eq!((&file["pending"]["stop"]["kill"], &file["wanted"]), (&true.into(), &"stopped".into()));
    node.is(&id, Status::Stopped).await;
    eventually("nothing is under way", || kept(&node, &id)["pending"].is_null().then_some(())).await;
    node.delete(&id).await;
}
