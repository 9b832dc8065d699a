//! SIGTERM at bad moments: the panel exits in time with code 0, and games keep running.

use std::time::Instant;

use serde_json::json;

use super::disk_full::SmallDisk;
use super::flood::flood;
use super::game::{Game, body};
use super::proxy::{Proxy, ProxyState};
use super::registry::Registry;
use super::viewer::Viewer;
use crate::harness::{Live, Panel, docker, seconds};

/// Stops the panel, and checks that the game keeps running.
async fn ends_well(panel: &mut Panel, game: &Game) {
    let started = game.started_at().await;
    let began = Instant::now();
    panel.signal("TERM");
    let status = panel.ended(seconds(15)).await;
    assert!(began.elapsed() < seconds(15));
    assert_eq!(status.code(), Some(0), "{}", panel.log());
    assert!(!panel.log().contains("panicked"), "{}", panel.log());
    assert_eq!(game.started_at().await, started, "the game runs on");
}

#[tokio::test]
async fn during_a_flood() {
    let mut panel = Panel::start().await;
    let game = flood(&panel).await;
    game.start().await;
    let mut viewers = Vec::new();
    for _ in 0..3 {
        let mut viewer = Viewer::open(&game.admin, &game.id).await;
        viewer.batch(seconds(5)).await.unwrap();
        viewers.push(viewer);
    }
    ends_well(&mut panel, &game).await;
    for mut viewer in viewers {
        let code = viewer.live().closed(seconds(5)).await;
        assert!(matches!(code, 1001 | 1006 | 1005 | 1012), "{code}");
    }
}

#[tokio::test]
async fn during_an_install() {
    let mut panel = Panel::start().await;
    let game = Game::running(&panel, "game").await;
    let registry = Registry::stalling().await;
    let mut slow = Game::ask(&panel, body("game", &json!({ "image": registry.image("slow") }))).await;
    slow.becomes("installing", seconds(10)).await;
    ends_well(&mut panel, &game).await;
    // Afterwards it is not stuck: either the pull continues, or its cancellation is reported.
    panel.again().await;
    slow.again(&panel);
    let view = slow
        .shows("it is settled", seconds(10), |view| {
            matches!(view["status"].as_str(), Some("installing" | "install_failed"))
        })
        .await;
    if view["status"] == "installing" {
        slow.admin.delete(&slow.path("/install")).await.expect(204);
    }
    slow.becomes("install_failed", seconds(10)).await;
}

#[tokio::test]
async fn during_a_stuck_stop() {
    let mut panel = Panel::start().await;
    let mut game = Game::running(&panel, "stubborn").await;
    game.power("stop").await.expect(202);
    game.says("Not now", seconds(10)).await;
    ends_well(&mut panel, &game).await;
    panel.again().await;
    game.again(&panel);
    // Either the stop is still in effect, or the server is shown as running. A kill works in both cases.
    game.shows("it is known", seconds(10), |view| {
        matches!(view["status"].as_str(), Some("running" | "stopping" | "stopped"))
    })
    .await;
    let answer = game.power("kill").await;
    assert!(matches!(answer.status, 202 | 409), "{answer:?}");
    game.becomes("stopped", seconds(15)).await;
    assert!(docker::inspect(&game.id).await.is_none_or(|container| container["State"]["Running"] == false));
}

#[tokio::test]
async fn while_the_disk_is_full() {
    let disk = SmallDisk::new(16);
    std::fs::create_dir(disk.data()).unwrap();
    let mut panel = Panel::builder().folder(disk.data()).start().await;
    let mut game = Game::running(&panel, "game").await;
    disk.fill();
    for n in 0..5 {
        panel.admin().patch(&game.path(""), json!({ "name": format!("World {n}") })).await;
    }
    ends_well(&mut panel, &game).await;
    disk.free();
    panel.again().await;
    game.again(&panel);
    game.becomes("running", seconds(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_engine_hangs() {
    let proxy = Proxy::new(ProxyState::Open).await;
    let mut panel = Panel::builder().env("DOCKER_HOST", proxy.address()).start().await;
    let mut game = Game::running(&panel, "game").await;
    let other = Game::new(&panel, "game").await;
    proxy.set(ProxyState::Hung).await;
    // A request to the engine is unanswered.
    other.power("start").await;
    ends_well(&mut panel, &game).await;
    proxy.set(ProxyState::Open).await;
    panel.again().await;
    game.again(&panel);
    game.becomes("running", seconds(10)).await;
}

#[tokio::test]
async fn with_two_hundred_open_sockets() {
    let mut panel = Panel::start().await;
    let game = Game::running(&panel, "count 0.05").await;
    let mut all = Vec::new();
    for n in 0..200 {
        let mut live = Live::open(&game.admin).await;
        if n % 2 == 0 {
            live.subscribe(&[
                "servers",
                "nodes",
                &format!("console:{}", game.id),
                &format!("stats:{}", game.id),
            ])
            .await;
        }
        all.push(live);
    }
    assert_eq!(panel.anonymous().get("/health").await.expect(200).json["status"], "ok");
    let each = panel.resident() / 200;
    println!("{} MiB with 200 sockets, {each} bytes each", panel.resident() >> 20);
    ends_well(&mut panel, &game).await;
    for live in &mut all {
        let code = live.closed(seconds(5)).await;
        assert!(matches!(code, 1001 | 1006 | 1005 | 1012), "{code}");
    }
}
