//! What people do to containers by hand, and what the kernel does.

use std::time::{Duration, Instant};

use protocol::*;

use crate::harness::*;

fn name(id: &str) -> String {
    format!("ctrl-alt-play-{id}")
}

/// Ends with this code when it is told to.
fn ends_with(code: i64) -> String {
    format!("trap 'exit {code}' TERM; echo up; while :; do sleep 0.1; done")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_by_hand_is_a_stop_whatever_its_code() {
    let node = Node::new().await;
    let ignores = "trap '' TERM; echo up; while :; do sleep 0.1; done".to_owned();
    for (line, code) in
        [(ends_with(143), 143), (ends_with(130), 130), (ends_with(0), 0), (ends_with(9), 9), (ignores, 137)]
    {
        let id = node.run(&line).await;
        let _container = Container(id.clone());
        node.line(&id, "up").await;
        docker(&["stop", "-t", "1", &name(&id)]);
        let stopped = node.status(&id, |s| matches!(s.status, Status::Stopped | Status::Crashed)).await;
        assert_eq!((&stopped.status, stopped.exit_code), (&Status::Stopped, Some(code)), "{stopped:?}");
        assert_eq!((stopped.restart_at, stopped.oom_killed), (None, false), "{stopped:?}");
        node.delete(&id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_code_without_anybody_is_a_crash_and_so_is_a_kill_by_hand() {
    let node = Node::new().await;
    let id = node.create(spec("echo up; sleep 1; exit 143")).await;
    let _container = Container(id.clone());
    node.power(&id, PowerAction::Start).await.unwrap();
    let crashed = node.status(&id, |s| matches!(s.status, Status::Stopped | Status::Crashed)).await;
    assert_eq!((crashed.status, crashed.exit_code), (Status::Crashed, Some(143)));
    let other = node.run(&ends_with(0)).await;
    let _other = Container(other.clone());
    node.line(&other, "up").await;
    docker(&["kill", &name(&other)]);
    let crashed = node.status(&other, |s| matches!(s.status, Status::Stopped | Status::Crashed)).await;
    assert_eq!((crashed.status, crashed.exit_code), (Status::Crashed, Some(137)));
    assert!(!crashed.oom_killed);
    // It is started again.
    node.is(&other, Status::Running).await;
    for id in [id, other] {
        node.delete(&id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_by_hand_while_the_agent_is_away_is_one_too() {
    let node = Node::new().await;
    let (stopped, killed) = (node.run(&ends_with(143)).await, node.run(&ends_with(143)).await);
    let _containers = [&stopped, &killed].map(|id| Container(id.clone()));
    node.line(&stopped, "up").await;
    let dir = node.stop().await;
    docker(&["stop", &name(&stopped)]);
    docker(&["kill", &name(&killed)]);
    let node = Node::with(dir, None, quick()).await;
    assert_eq!(node.is(&stopped, Status::Stopped).await.exit_code, Some(143));
    node.is(&killed, Status::Running).await;
    for id in [stopped, killed] {
        node.delete(&id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helper_that_was_killed_for_memory_explains_nothing_but_itself() {
    let node = Node::new().await;
    let inside = "A process inside was killed for want of memory.";
    let hog = "(tail /dev/zero); echo helper gone; sleep 1";
    for (line, code, status) in
        [(format!("{hog}; exit 0"), 0, Status::Stopped), (format!("{hog}; exit 5"), 5, Status::Crashed)]
    {
        let mut spec = spec(&line);
        spec.limits.memory = 24 << 20;
        let id = node.create(spec).await;
        let _container = Container(id.clone());
        node.power(&id, PowerAction::Start).await.unwrap();
        let ended = node.status(&id, |s| s.exit_code.is_some()).await;
        assert_eq!(
            (&ended.status, ended.exit_code, ended.oom_killed),
            (&status, Some(code), false),
            "{ended:?}"
        );
        let error = ended.error.unwrap_or_default();
        assert!(error.contains(inside) && !error.contains("more memory than"), "{error}");
        node.delete(&id).await;
    }
    // Killed by us, or by hand, long after the helper.
    for by_hand in [false, true] {
        let mut spec = spec(&format!("{hog}; echo up; while :; do sleep 0.1; done"));
        spec.limits.memory = 24 << 20;
        let id = node.create(spec).await;
        let _container = Container(id.clone());
        node.start(&id).await;
        node.line(&id, "up").await;
        if by_hand {
            docker(&["kill", &name(&id)]);
        } else {
            node.power(&id, PowerAction::Kill).await.unwrap();
        }
        let ended = node.status(&id, |s| s.exit_code.is_some()).await;
        assert_eq!((ended.exit_code, ended.oom_killed), (Some(137), false), "{ended:?}");
        assert!(ended.error.unwrap_or_default().contains(inside));
        node.delete(&id).await;
    }
}

async fn paused(node: &Node, id: &str) {
    docker(&["pause", &name(id)]);
    let asked = Instant::now();
    node.is(id, Status::Paused).await;
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_paused_says_so_and_is_resumed() {
    let node = Node::new().await;
    let id = node.run("echo up; while read l; do echo \"echo $l\"; done").await;
    let _container = Container(id.clone());
    node.line(&id, "up").await;
    assert_eq!(node.power(&id, PowerAction::Resume).await, Err(ErrorCode::NotPaused));
    paused(&node, &id).await;
    assert_eq!(node.power(&id, PowerAction::Start).await, Err(ErrorCode::Paused));
    assert_eq!(node.command(&id, "x").await, Err(ErrorCode::Paused));
    assert_eq!(node.power(&id, PowerAction::Resume).await, Ok(Status::Running));
    node.command(&id, "hello").await.unwrap();
    node.line(&id, "echo hello").await;
    // By hand too, and an agent that comes later sees it.
    paused(&node, &id).await;
    docker(&["unpause", &name(&id)]);
    node.is(&id, Status::Running).await;
    paused(&node, &id).await;
    let node = Node::with(node.stop().await, None, quick()).await;
    node.is(&id, Status::Paused).await;
    assert_eq!(node.power(&id, PowerAction::Resume).await, Ok(Status::Running));
    // Deleted as it stands.
    paused(&node, &id).await;
    node.delete(&id).await;
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={}", name(&id))]), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_paused_stops_restarts_and_is_killed() {
    let node = Node::new().await;
    let line = "trap 'echo saved >> world; exit 0' TERM; echo up; while :; do sleep 0.1; done";
    let id = node.run(line).await;
    let _container = Container(id.clone());
    for (action, ends, code) in [
        (PowerAction::Stop, Status::Stopped, 0),
        (PowerAction::Kill, Status::Stopped, 137),
        (PowerAction::Restart, Status::Running, 0),
    ] {
        if node.status(&id, |_| true).await.status != Status::Running {
            node.start(&id).await;
        }
        paused(&node, &id).await;
        assert_eq!(node.power(&id, action).await, Ok(Status::Stopping));
        let ended = node.is(&id, ends.clone()).await;
        assert!(ends == Status::Running || ended.exit_code == Some(code), "{action:?}: {ended:?}");
    }
    assert_eq!(std::fs::read_to_string(node.file(&id, "world")).unwrap(), "saved\nsaved\n");
    // By a command, too, which is read when it goes on.
    let mut by_command = spec("echo up; while read l; do [ \"$l\" = quit ] && exit 0; done");
    by_command.behaviour =
        Some(Behaviour { stop: Stop::Command("quit".into()), stop_timeout: 20, ..Behaviour::default() });
    let other = node.create(by_command).await;
    let _other = Container(other.clone());
    node.start(&other).await;
    node.line(&other, "up").await;
    paused(&node, &other).await;
    node.power(&other, PowerAction::Stop).await.unwrap();
    assert_eq!(node.is(&other, Status::Stopped).await.exit_code, Some(0));
    for id in [id, other] {
        node.delete(&id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_that_we_asked_for_is_no_accident() {
    let node = Node::new().await;
    for line in ["echo up; sleep 1000", "trap '' TERM; echo up; while :; do sleep 0.1; done"] {
        let id = node.run(line).await;
        let _container = Container(id.clone());
        node.line(&id, "up").await;
        node.delete(&id).await;
        node.is(&id, Status::Deleted).await;
        for status in node.statuses(&id) {
            let accident = status.error.as_deref().is_some_and(|error| !error.contains("being deleted"));
            assert!(status.exit_code.is_none() && !accident, "{status:?}");
        }
        let texts = node.texts(&id);
        assert!(!texts.iter().any(|text| text.contains("somebody else")), "{texts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_create_is_a_conflict_and_changes_nothing() {
    let node = Node::new().await;
    let first = spec("echo first > out; sleep 1000");
    let id = node.create(first.clone()).await;
    let _container = Container(id.clone());
    let second = ServerCreate { startup: "echo second > out; sleep 1000".into(), ..first.clone() };
    for again in [first, second] {
        let refused = node.ask(ToAgent::ServerCreate(Box::new(again))).await.unwrap_err();
        assert_eq!((refused.code, refused.server_id.as_deref()), (ErrorCode::Conflict, Some(id.as_str())));
    }
    node.start(&id).await;
    assert_eq!(node.written(&id, "out").await, "first\n");
    assert!(!node.is(&id, Status::Running).await.needs_restart);
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_keeps_the_time_of_its_zone_in_an_image_without_any() {
    let node = Node::new().await;
    let mut spec = spec(
        "date +%z; date -d @0 +%H:%M; ls /usr/share/zoneinfo/Asia; echo x > $ZONE || echo safe; sleep 1000",
    );
    // Always the same: it has known no summer time since 1945.
    spec.environment = [("TZ", "Asia/Kolkata"), ("ZONE", "/usr/share/zoneinfo/Asia/Kolkata")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let id = node.create(spec.clone()).await;
    let _container = Container(id.clone());
    node.start(&id).await;
    node.line(&id, "+0530").await;
    node.line(&id, "05:30").await;
    node.line(&id, "safe").await;
    node.delete(&id).await;
    // What leads elsewhere is a name of nothing.
    spec.environment.insert("TZ".into(), "../../../etc/shadow".into());
    let id = node.create(ServerCreate { server_id: new_id().into(), ..spec }).await;
    let _container = Container(id.clone());
    node.start(&id).await;
    node.line(&id, "+0000").await;
    let mounts = docker(&["inspect", "-f", "{{len .Mounts}}", &name(&id)]);
    assert_eq!(mounts, "1");
    node.delete(&id).await;
}
