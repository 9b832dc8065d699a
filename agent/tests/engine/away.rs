//! The engine goes, hangs, and comes back.

use std::time::{Duration, Instant};

use protocol::*;

use crate::harness::*;
use crate::proxy::Proxy;

async fn node(proxy: &Proxy) -> Node {
    Node::with(std::sync::Arc::new(tempfile::tempdir().unwrap()), Some(proxy.host()), quick()).await
}

async fn available(node: &Node, available: bool) -> SystemInfo {
    node.message("the engine's state", |message| match message {
        ToPanel::SystemInfo(info) if info.engine.as_ref()?.available == available => Some((**info).clone()),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_engine_everything_is_unknown_and_refused_at_once_until_it_comes() {
    let mut proxy = Proxy::closed();
    let node = node(&proxy).await;
    let info = available(&node, false).await;
    assert!(info.engine.unwrap().error.unwrap().contains("engine.sock"));
    assert!(info.problems.iter().any(|problem| problem.code == ProblemCode::EngineUnavailable));
    let spec = spec("while read l; do echo \"echo $l\"; done");
    let id = spec.server_id.clone();
    let _container = Container(id.to_string());
    node.ask(ToAgent::ServerCreate(Box::new(spec))).await.unwrap();
    node.is(&id, Status::Unknown).await;
    for action in [PowerAction::Start, PowerAction::Stop, PowerAction::Restart, PowerAction::Kill] {
        let asked = Instant::now();
        assert_eq!(node.power(&id, action).await, Err(ErrorCode::EngineUnavailable));
        assert!(asked.elapsed() < Duration::from_millis(500));
    }
    assert_eq!(node.command(&id, "x").await, Err(ErrorCode::EngineUnavailable));
    proxy.open();
    // It installs what it was given meanwhile.
    node.is(&id, Status::Stopped).await;
    let info = available(&node, true).await;
    assert!(info.docker_version.is_some() && info.engine.unwrap().api_version.is_some());
    node.start(&id).await;

    // The engine goes while the game runs, and comes back with it still running.
    node.subscribe(&id).await;
    let started_at = node.is(&id, Status::Running).await.started_at;
    node.forget_messages();
    proxy.close();
    let unknown = node.is(&id, Status::Unknown).await;
    assert_eq!(unknown.exit_code, None);
    available(&node, false).await;
    proxy.open();
    let back = node.is(&id, Status::Running).await;
    assert_eq!(back.started_at, started_at, "it was started anew");
    node.message("a sync", |message| match message {
        ToPanel::Sync(sync) => {
            sync.servers.iter().any(|s| s.server_id == id && s.status == Status::Running).then_some(())
        }
        _ => None,
    })
    .await;
    node.command(&id, "again").await.unwrap();
    node.line(&id, "echo again").await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engines_end_took_along_runs_again_and_is_no_crash() {
    let mut proxy = Proxy::opened();
    let node = node(&proxy).await;
    let ids = [node.run("echo up; sleep 1000").await, node.run("echo up; sleep 1000").await];
    let stopped = node.run("sleep 1000").await;
    let _containers = [&ids[0], &ids[1], &stopped].map(|id| Container(id.clone()));
    node.power(&stopped, PowerAction::Kill).await.unwrap();
    node.is(&stopped, Status::Stopped).await;
    proxy.close();
    for id in &ids {
        node.is(id, Status::Unknown).await;
        docker(&["kill", &format!("ctrl-alt-play-{id}")]);
    }
    proxy.open();
    for id in &ids {
        node.is(id, Status::Running).await;
        assert!(!node.path(id).contains(&Status::Crashed), "{:?}", node.path(id));
    }
    node.is(&stopped, Status::Stopped).await;
    for id in ids.iter().chain([&stopped]) {
        node.delete(id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_hangs_is_noticed_and_forgiven() {
    let proxy = Proxy::opened();
    let node = node(&proxy).await;
    let id = node.run("while read l; do echo \"echo $l\"; done").await;
    let idle = node.create(spec("sleep 1000")).await;
    let _containers = [Container(id.clone()), Container(idle.clone())];
    proxy.freeze(true);
    // A stop that is under way when it hangs: the request itself was answered at once.
    assert_eq!(node.power(&id, PowerAction::Stop).await, Ok(Status::Stopping));
    node.is(&id, Status::Unknown).await;
    node.is(&idle, Status::Unknown).await;
    let asked = Instant::now();
    assert_eq!(node.power(&idle, PowerAction::Start).await, Err(ErrorCode::EngineUnavailable));
    assert!(asked.elapsed() < Duration::from_millis(500));
    proxy.freeze(false);
    node.is(&idle, Status::Stopped).await;
    node.is(&id, Status::Stopped).await;
    node.start(&idle).await;
    node.delete(&idle).await;
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_the_engine_lets_hang_ends_well() {
    let proxy = Proxy::opened();
    let node = node(&proxy).await;
    let id = node.create(spec("sleep 1000")).await;
    let _container = Container(id.clone());
    proxy.freeze(true);
    assert_eq!(node.power(&id, PowerAction::Start).await, Ok(Status::Starting));
    node.is(&id, Status::Unknown).await;
    proxy.freeze(false);
    node.is(&id, Status::Running).await;
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name=ctrl-alt-play-{id}")]).lines().count(), 1);
    node.delete(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn something_else_on_the_socket_is_no_engine() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("engine.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let host = format!("unix://{}", path.display());
    // It takes connections and never answers.
    let node = Node::with(std::sync::Arc::new(tempfile::tempdir().unwrap()), Some(host), quick()).await;
    let info = available(&node, false).await;
    assert!(info.engine.unwrap().error.unwrap().contains("no answer within"));
    drop(listener);
}
