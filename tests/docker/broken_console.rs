//! A console whose connection to the engine is lost while the game runs, and console data that survives a restart.

use std::time::Instant;

use serde_json::{Value, json};

use super::game::Game;
use super::proxy::{Proxy, ProxyState};
use super::viewer::{Viewer, texts};
use crate::harness::{Panel, seconds, until};

async fn with_a_proxy() -> (Proxy, Panel) {
    let proxy = Proxy::new(ProxyState::Open).await;
    let panel = Panel::builder().env("DOCKER_HOST", proxy.address()).start().await;
    (proxy, panel)
}

/// A game that is stopped by a command.
async fn minecraft(panel: &Panel, startup: &str) -> Game {
    let ports = json!([{ "internal": 25565, "external": crate::harness::free_port(), "protocol": "tcp" }]);
    let template = json!({ "templateId": "minecraft-vanilla", "acceptEula": true, "ports": ports });
    Game::with(panel, startup, template).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_that_broke_takes_commands_and_the_stop_saves_the_world() {
    let (proxy, panel) = with_a_proxy().await;
    let game = minecraft(&panel, "echo 'Done (1.2s)! For help, type \"help\"'; exec game").await;
    game.start().await;
    game.says("Ready", seconds(20)).await;
    for n in 0..3 {
        proxy.cut("/attach").await;
        let line = format!("hello {n}");
        // Either refused with an error, or delivered.
        until("a command is taken", seconds(10), async || {
            let answer = game.admin.post(&game.path("/command"), json!({ "command": line })).await;
            if answer.status != 204 {
                answer.refused(503, "busy");
                return None;
            }
            Some(())
        })
        .await;
        game.says(&format!("You said: hello {n}"), seconds(10)).await;
        assert_eq!(game.status().await, "running");
    }
    proxy.cut("/attach").await;
    let asked = Instant::now();
    game.power("stop").await.expect(202);
    let view = game.becomes("stopped", seconds(30)).await;
    assert!(asked.elapsed() < seconds(20), "{:?}", asked.elapsed());
    assert_eq!(view["exitCode"], 0, "{view}");
    assert_eq!(game.said("World saved (command)").await, 1, "{:#?}", game.lines().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_misses_nothing_of_what_was_printed_while_the_engine_was_away() {
    let (proxy, panel) = with_a_proxy().await;
    let game = Game::running(&panel, "count 0.1").await;
    let mut viewer = Viewer::open(&game.admin, &game.id).await;
    let mut all = viewer.wait("it counts", seconds(10), |text| text == "10").await;
    proxy.set(ProxyState::Closed).await;
    game.becomes("unknown", seconds(10)).await;
    tokio::time::sleep(seconds(5)).await;
    proxy.set(ProxyState::Open).await;
    all.extend(viewer.wait("it goes on", seconds(30), |text| text == "90").await);
    let numbers: Vec<u64> = texts(&all).iter().filter_map(|text| text.parse().ok()).collect();
    assert_eq!(numbers, (numbers[0]..=90).collect::<Vec<_>>());
    assert_eq!((viewer.skipped, viewer.resets), (0, 0));
}

fn time_of(lines: &[Value], text: &str) -> jiff::Timestamp {
    let line =
        lines.iter().find(|line| line["text"] == text).unwrap_or_else(|| panic!("{text} in {lines:#?}"));
    line["time"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_and_charts_keep_their_times_over_a_kill_of_the_panel() {
    let mut panel = Panel::start().await;
    let mut game = Game::running(&panel, "count 0.2").await;
    game.says("10", seconds(20)).await;
    let before = game.console(1_000).await;
    let history = async |game: &Game| {
        let view = game.admin.get(&game.path("/stats")).await.expect(200).json;
        view["samples"].as_array().cloned().unwrap_or_default()
    };
    until("there are samples", seconds(20), async || (!history(&game).await.is_empty()).then_some(())).await;
    let chart = history(&game).await;
    // The charts survive a clean stop of the panel; the console lines also survive a kill.
    assert!(panel.stop().await.success());
    panel.again().await;
    panel.kill().await;
    tokio::time::sleep(seconds(2)).await;
    panel.again().await;
    game.again(&panel);
    game.becomes("running", seconds(10)).await;
    game.says("10", seconds(10)).await;
    let after = game.console(1_000).await;
    for text in ["1", "5", "10"] {
        let apart = time_of(&after, text).duration_since(time_of(&before, text)).abs();
        assert!(apart.as_millis() < 500, "{text}: {:?}", apart);
    }
    let now = history(&game).await;
    let shown =
        |samples: &[Value]| samples.first().map(|first| (first["cpu"].clone(), first["memory"].clone()));
    assert_eq!(shown(&now), shown(&chart), "{now:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_under_way_is_a_start_after_a_kill_of_the_panel() {
    let mut panel = Panel::start().await;
    let startup = "echo Loading; sleep 8; echo 'Done (1.2s)! For help, type \"help\"'; exec game";
    let mut game = minecraft(&panel, startup).await;
    game.power("start").await.expect(202);
    game.says("Loading", seconds(20)).await;
    panel.kill().await;
    panel.again().await;
    game.again(&panel);
    let done = async || game.lines().await.iter().any(|line| line.starts_with("Done ("));
    let view = game.shows("it starts", seconds(10), |view| view["status"] != "unknown").await;
    if !done().await {
        assert_eq!(view["status"], "starting", "{view}");
    }
    game.becomes("running", seconds(20)).await;
    assert!(done().await, "it is said to run before it said so");
}
