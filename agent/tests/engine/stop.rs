//! Games that save, games that do not stop, and people who do not wait.

use std::time::{Duration, Instant};

use protocol::*;

use crate::harness::*;

/// Saves when it is told to end, and takes a second over it.
const SAVES: &str =
    r#"trap 'sleep 1; echo saved > world; exit 0' TERM; echo up; while :; do sleep 0.1; done"#;

/// Puts a program into the server's folder.
fn program(node: &Node, id: &str, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = node.file(id, name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

async fn stops_and_saves(startup: &str) -> ServerStatus {
    let node = Node::new().await;
    let id = node
        .create(ServerCreate {
            behaviour: Some(Behaviour { stop_timeout: 20, ..Behaviour::default() }),
            ..spec(startup)
        })
        .await;
    let _container = Container(id.clone());
    program(&node, &id, "game", &format!("#!/bin/sh\n{SAVES}\n"));
    program(&node, &id, "start.sh", "#!/bin/sh\necho before\n./game\necho after\n");
    node.start(&id).await;
    node.line(&id, "up").await;
    assert_eq!(node.power(&id, PowerAction::Stop).await, Ok(Status::Stopping));
    let stopped = node.is(&id, Status::Stopped).await;
    assert_eq!(node.written(&id, "world").await, "saved\n", "the world was not saved by {startup:?}");
    assert_eq!(stopped.error, None, "{stopped:?}");
    node.delete(&id).await;
    stopped
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_game_saves_its_world() {
    assert_eq!(stops_and_saves("./game").await.exit_code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_behind_several_commands_saves_its_world() {
    assert_eq!(stops_and_saves("cd . && ./game; echo never").await.exit_code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_behind_a_script_saves_its_world() {
    stops_and_saves("./start.sh").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_behind_a_shell_in_a_shell_saves_its_world() {
    stops_and_saves("sh -c 'echo x; ./game; echo y'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_command_is_typed_and_the_exit_code_is_the_games() {
    let node = Node::new().await;
    let stop = Stop::Command("quit".into());
    let mut spec = spec("while read l; do case $l in quit) echo bye; exit 0;; esac; done");
    spec.behaviour = Some(Behaviour { stop, ..Behaviour::default() });
    let id = node.create(spec).await;
    let _container = Container(id.clone());
    node.start(&id).await;
    node.power(&id, PowerAction::Stop).await.unwrap();
    let stopped = node.is(&id, Status::Stopped).await;
    assert_eq!((stopped.exit_code, stopped.error), (Some(0), None));
    node.line(&id, "bye").await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_that_ignores_everything_is_killed_in_time() {
    let node = Node::new().await;
    let mut spec = spec("trap '' TERM INT; echo up; while :; do sleep 1; done");
    spec.behaviour =
        Some(Behaviour { stop: Stop::Command("quit".into()), stop_timeout: 1, ..Behaviour::default() });
    let id = node.create(spec).await;
    let _container = Container(id.clone());
    node.start(&id).await;
    node.line(&id, "up").await;
    let asked = Instant::now();
    node.power(&id, PowerAction::Stop).await.unwrap();
    let stopping = node.is(&id, Status::Stopping).await;
    let left = stopping.stop_deadline.expect("a countdown").duration_since(jiff::Timestamp::now());
    assert!((1_000..=2_000).contains(&left.as_millis()), "{left:?}");
    let stopped = node.is(&id, Status::Stopped).await;
    assert!(asked.elapsed() >= Duration::from_secs(2), "command, 1 s, SIGTERM, 1 s, SIGKILL");
    assert_eq!(stopped.exit_code, Some(137));
    assert_eq!(stopped.error.as_deref(), Some("It was killed after 2 s: it did not stop by itself."));
    assert_eq!(stopped.stop_deadline, None);
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_is_never_queued_behind_a_stop_that_hangs() {
    let node = Node::new().await;
    let mut spec = spec("trap '' TERM; echo up; while :; do sleep 1; done");
    spec.behaviour = Some(Behaviour { stop_timeout: 600, ..Behaviour::default() });
    let id = node.create(spec).await;
    let _container = Container(id.clone());
    node.start(&id).await;
    node.line(&id, "up").await;
    node.power(&id, PowerAction::Restart).await.unwrap();
    node.is(&id, Status::Stopping).await;
    assert_eq!(node.power(&id, PowerAction::Restart).await, Err(ErrorCode::AlreadyStopping));
    assert_eq!(node.power(&id, PowerAction::Start).await, Err(ErrorCode::AlreadyStopping));
    let asked = Instant::now();
    assert_eq!(node.power(&id, PowerAction::Kill).await, Ok(Status::Stopping));
    assert!(asked.elapsed() < Duration::from_secs(1));
    let stopped = node.is(&id, Status::Stopped).await;
    assert_eq!(stopped.exit_code, Some(137));
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_can_be_stopped_and_killed_before_the_game_is_ready() {
    let node = Node::new().await;
    let mut spec = spec("while :; do sleep 0.1; done");
    spec.behaviour = Some(Behaviour { ready: Some("never".into()), stop_timeout: 3, ..Behaviour::default() });
    let id = node.create(spec).await;
    let _container = Container(id.clone());
    for action in [PowerAction::Stop, PowerAction::Kill, PowerAction::Stop] {
        assert_eq!(node.power(&id, PowerAction::Start).await, Ok(Status::Starting));
        assert_eq!(node.power(&id, action).await, Ok(Status::Stopping));
        node.is(&id, Status::Stopped).await;
    }
    assert_eq!(docker(&["ps", "-q", "--filter", &format!("name=ctrl-alt-play-{id}")]), "");
    assert_eq!(node.power(&id, PowerAction::Start).await, Ok(Status::Starting));
    node.status(&id, |s| s.started_at.is_some()).await;
    assert_eq!(node.command(&id, "may be typed now").await, Ok(()));
    assert_eq!(node.power(&id, PowerAction::Start).await, Err(ErrorCode::AlreadyStarting));
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_starts_one_counts() {
    let node = Node::new().await;
    let id = node.create(spec("sleep 1000")).await;
    let _container = Container(id.clone());
    for n in 0..20 {
        let start = ServerPower { server_id: id.clone().into(), action: PowerAction::Start };
        node.send(ToAgent::ServerPower(start), &format!("start-{n}"));
    }
    let mut taken = 0;
    for n in 0..20 {
        match node.answer(&format!("start-{n}")).await {
            Ok(_) => taken += 1,
            Err(error) => assert!(error.code.as_str().starts_with("already_"), "{error:?}"),
        }
    }
    assert_eq!(taken, 1);
    node.is(&id, Status::Running).await;
    assert_eq!(node.path(&id).iter().filter(|s| **s == Status::Starting).count(), 1);
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_servers_stop_and_stay_down() {
    let node = Node::new().await;
    let id = node.run("sleep 1000").await;
    let _container = Container(id.clone());
    let of = || ServerRef { server_id: id.clone().into() };
    node.ask(ToAgent::ServerSuspend(of())).await.unwrap();
    node.is(&id, Status::Suspended).await;
    assert_eq!(node.power(&id, PowerAction::Start).await, Err(ErrorCode::Suspended));
    node.ask(ToAgent::ServerUnsuspend(of())).await.unwrap();
    node.is(&id, Status::Stopped).await;
    node.start(&id).await;
    node.delete(&id).await;
}
