//! Games that end by themselves.

use std::time::{Duration, Instant};

use protocol::*;

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_game_that_exits_at_once_is_given_up_on_after_three_restarts() {
    let node = Node::new().await;
    let id = node.create(spec("echo no luck; exit 3")).await;
    let _container = Container(id.clone());
    assert_eq!(node.power(&id, PowerAction::Start).await, Ok(Status::Starting));
    let given_up = node.status(&id, |s| s.error.as_deref().is_some_and(|e| e.contains("Given up"))).await;
    assert_eq!((given_up.status, given_up.exit_code, given_up.restart_at), (Status::Crashed, Some(3), None));
    let error = given_up.error.unwrap();
    assert!(error.contains("code 3") && error.contains("3 restarts within 10 minutes"), "{error}");
    let starts = node.path(&id).iter().filter(|s| **s == Status::Starting).count();
    assert_eq!(starts, 4, "one asked for, three restarts: {:?}", node.path(&id));
    assert!(node.statuses(&id).iter().any(|s| s.status == Status::Crashed && s.restart_at.is_some()));
    node.line(&id, "no luck").await;
    node.line(&id, "Given up").await;
    // A person has new patience.
    assert_eq!(node.power(&id, PowerAction::Start).await, Ok(Status::Starting));
    node.status(&id, |s| s.status == Status::Crashed && s.restart_at.is_some()).await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_a_crashed_server_calls_its_restart_off() {
    let mut slow = quick();
    slow.patience.delays = vec![Duration::from_secs(600)];
    let node = Node::with(std::sync::Arc::new(tempfile::tempdir().unwrap()), None, slow).await;
    let id = node.create(spec("exit 1")).await;
    let _container = Container(id.clone());
    node.power(&id, PowerAction::Start).await.unwrap();
    node.status(&id, |s| s.restart_at.is_some()).await;
    assert_eq!(node.power(&id, PowerAction::Stop).await, Err(ErrorCode::NotRunning));
    node.status(&id, |s| s.status == Status::Crashed && s.restart_at.is_none()).await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_with_code_zero_is_a_stop() {
    let node = Node::new().await;
    let id = node.create(spec("echo over; exit 0")).await;
    let _container = Container(id.clone());
    node.power(&id, PowerAction::Start).await.unwrap();
    let stopped = node.status(&id, |s| s.status == Status::Stopped && s.exit_code.is_some()).await;
    assert_eq!((stopped.exit_code, stopped.error, stopped.restart_at), (Some(0), None, None));
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_memory_is_told_as_such() {
    let node = Node::new().await;
    let mut spec = spec("tail /dev/zero");
    spec.limits.memory = 16 << 20;
    let id = node.create(spec).await;
    let _container = Container(id.clone());
    node.power(&id, PowerAction::Start).await.unwrap();
    let crashed = node.is(&id, Status::Crashed).await;
    assert!(crashed.oom_killed, "{crashed:?}");
    assert!(crashed.error.unwrap().contains("more memory than it may use"));
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_says_so() {
    let node = Node::new().await;
    let mut spec = spec("");
    spec.behaviour = Some(Behaviour { startup_mode: StartupMode::Variable, ..Behaviour::default() });
    let id = node.create(spec).await;
    let _container = Container(id.clone());
    node.power(&id, PowerAction::Start).await.unwrap();
    let crashed = node.is(&id, Status::Crashed).await;
    assert!(crashed.error.is_some() && crashed.restart_at.is_none(), "{crashed:?}");
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_removed_by_hand_is_noticed_and_made_again() {
    let node = Node::new().await;
    let id = node.run("sleep 1000").await;
    let _container = Container(id.clone());
    let name = format!("ctrl-alt-play-{id}");
    let removed = Instant::now();
    docker(&["rm", "-f", &name]);
    let crashed = node.is(&id, Status::Crashed).await;
    assert!(removed.elapsed() < Duration::from_secs(10));
    assert!(crashed.error.unwrap().contains("removed by somebody else"));
    node.start(&id).await;
    node.power(&id, PowerAction::Kill).await.unwrap();
    node.is(&id, Status::Stopped).await;
    docker(&["rm", "-f", &name]);
    node.start(&id).await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_game_killed_by_hand_is_started_again() {
    let node = Node::new().await;
    let id = node.run("sleep 1000").await;
    let _container = Container(id.clone());
    docker(&["kill", &format!("ctrl-alt-play-{id}")]);
    node.is(&id, Status::Crashed).await;
    node.is(&id, Status::Running).await;
    assert_eq!(node.statuses(&id).iter().find(|s| s.status == Status::Crashed).unwrap().exit_code, Some(137));
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_while_it_runs_starts_stops_and_crashes() {
    let node = Node::new().await;
    for n in 0..4 {
        let id = node
            .create(spec(if n == 3 { "exit 1" } else { "trap '' TERM; echo up; while :; do sleep 1; done" }))
            .await;
        let _container = Container(id.clone());
        node.power(&id, PowerAction::Start).await.unwrap();
        match n {
            0 => {}
            1 => drop(node.is(&id, Status::Running).await),
            2 => {
                node.is(&id, Status::Running).await;
                node.power(&id, PowerAction::Stop).await.unwrap();
            }
            _ => drop(node.is(&id, Status::Crashed).await),
        }
        node.delete(&id).await;
        node.is(&id, Status::Deleted).await;
        assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name=ctrl-alt-play-{id}")]), "");
        assert!(!node.file(&id, "").exists());
        assert!(!node.dir.path().join(format!("agent/{id}.json")).exists());
    }
    let dir = node.stop().await;
    let left: Vec<_> = std::fs::read_dir(dir.path().join("servers")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
