//! The engine stops, hangs, and comes back.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::game::Game;
use super::proxy::{Proxy, ProxyState};
use super::viewer::Viewer;
use crate::harness::{Panel, docker, seconds, until};

async fn node(panel: &Panel) -> Value {
    panel.admin().get("/api/nodes/local").await.expect(200).json
}

/// The panel itself stays responsive.
async fn others_are_fine(panel: &Panel) {
    for path in ["/health", "/api/me", "/api/servers", "/api/nodes", "/api/users", "/api/templates"] {
        let asked = Instant::now();
        panel.admin().get(path).await.expect(200);
        assert!(asked.elapsed() < seconds(2), "{path} took {:?}", asked.elapsed());
    }
    panel.sign_in("admin").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_socket_is_said_and_heals() {
    let proxy = Proxy::new(ProxyState::Open).await;
    let panel = Panel::builder().env("DOCKER_HOST", proxy.address()).start().await;
    let running = Game::running(&panel, "game").await;
    let stopped = Game::new(&panel, "game").await;
    let started_at = running.started_at().await;
    assert_eq!(node(&panel).await["engine"]["available"], true);

    proxy.set(ProxyState::Closed).await;
    running.becomes("unknown", seconds(10)).await;
    stopped.becomes("unknown", seconds(10)).await;
    for (game, action) in [(&stopped, "start"), (&running, "stop"), (&running, "kill"), (&running, "restart")]
    {
        let asked = Instant::now();
        game.power(action).await.refused(503, "engine_unavailable");
        assert!(asked.elapsed() < seconds(5), "{action} took {:?}", asked.elapsed());
    }
    let view = until("the node says so", seconds(10), async || {
        let view = node(&panel).await;
        (view["engine"]["available"] == false).then_some(view)
    })
    .await;
    let problem = view["problems"]
        .as_array()
        .and_then(|all| all.iter().find(|problem| problem["code"] == "engine_unavailable"));
    assert!(
        problem.is_some_and(|problem| problem["hint"].as_str().is_some_and(|hint| hint.len() > 10)),
        "{view}"
    );
    others_are_fine(&panel).await;

    let began = Instant::now();
    proxy.set(ProxyState::Open).await;
    running.becomes("running", seconds(10)).await;
    stopped.becomes("stopped", seconds(10)).await;
    assert!(began.elapsed() < seconds(10), "back after {:?}", began.elapsed());
    assert_eq!(running.started_at().await, started_at, "the game noticed nothing");
    running.command("are you there").await;
    running.says("You said: are you there", seconds(10)).await;
    stopped.start().await;
    assert_eq!(node(&panel).await["engine"]["available"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_hangs_holds_nobody_up() {
    let proxy = Proxy::new(ProxyState::Open).await;
    let panel = Panel::builder().env("DOCKER_HOST", proxy.address()).start().await;
    let game = Game::running(&panel, "count 0.1").await;
    let other = Game::new(&panel, "game").await;
    let started_at = game.started_at().await;

    proxy.set(ProxyState::Hung).await;
    others_are_fine(&panel).await;
    let asked = Instant::now();
    let answer = other.power("start").await;
    assert!(asked.elapsed() < seconds(30), "it took {:?}", asked.elapsed());
    // Accepted before the hang was detected, or refused with the right error code.
    assert!(
        answer.status == 202 || (answer.status == 503 && answer.code() == "engine_unavailable"),
        "{answer:?}"
    );
    game.becomes("unknown", seconds(45)).await;
    other.power("start").await.refused(503, "engine_unavailable");
    others_are_fine(&panel).await;

    proxy.set(ProxyState::Open).await;
    game.becomes("running", seconds(15)).await;
    assert_eq!(game.started_at().await, started_at);
    let mut viewer = Viewer::open(&game.admin, &game.id).await;
    let now = viewer.batch(seconds(5)).await.unwrap().len();
    until("its console goes on", seconds(10), async || {
        let more = viewer.batch(seconds(5)).await.unwrap();
        (!more.is_empty() || now == 0).then_some(())
    })
    .await;
    let settled = |view: &Value| matches!(view["status"].as_str(), Some("stopped" | "running" | "crashed"));
    let view = other.shows("it is settled", seconds(20), settled).await;
    if view["status"] != "running" {
        other.start().await;
    }
    other.command("hello").await;
    other.says("You said: hello", seconds(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panel_starts_without_one() {
    let proxy = Proxy::new(ProxyState::Open).await;
    let mut panel = Panel::builder().env("DOCKER_HOST", proxy.address()).start().await;
    let mut game = Game::running(&panel, "game").await;
    let started_at = game.started_at().await;
    panel.stop().await;
    proxy.set(ProxyState::Closed).await;
    let began = Instant::now();
    panel.again().await;
    assert!(began.elapsed() < seconds(5), "started after {:?}", began.elapsed());
    game.again(&panel);
    game.becomes("unknown", seconds(5)).await;
    others_are_fine(&panel).await;
    // A server created meanwhile is installed when the engine is back.
    let late = Game::ask(&panel, super::game::body("game", &serde_json::json!({}))).await;
    proxy.set(ProxyState::Open).await;
    game.becomes("running", seconds(10)).await;
    assert_eq!(game.started_at().await, started_at);
    let settled = |view: &Value| matches!(view["status"].as_str(), Some("stopped" | "install_failed"));
    late.shows("it is settled", seconds(20), settled).await;
    late.start().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_asked_to_run_runs_again_after_an_engine_stop() {
    let proxy = Proxy::new(ProxyState::Open).await;
    let panel = Panel::builder().env("DOCKER_HOST", proxy.address()).start().await;
    let game = Game::running(&panel, "game").await;
    let idle = Game::running(&panel, "game").await;
    idle.power("stop").await.expect(202);
    idle.becomes("stopped", seconds(15)).await;
    let started_at = game.started_at().await;
    // The engine stops its containers when it stops.
    proxy.set(ProxyState::Closed).await;
    docker::docker(&["kill", &format!("ctrl-alt-play-{}", game.id)]).await;
    game.becomes("unknown", seconds(10)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    proxy.set(ProxyState::Open).await;
    until("it runs again", seconds(40), async || {
        let container = docker::inspect(&game.id).await?;
        (container["State"]["Running"] == true && container["State"]["StartedAt"] != started_at.as_str())
            .then_some(())
    })
    .await;
    game.becomes("running", seconds(10)).await;
    idle.becomes("stopped", seconds(5)).await;
}
