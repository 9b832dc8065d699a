//! The panel is killed while a request is in progress: it continues after the restart.

use std::time::Duration;

use serde_json::{Value, json};

use super::clock::Clock;
use super::game::{Game, body};
use super::registry::Registry;
use crate::harness::{Panel, docker, long, seconds};

/// Takes four seconds to save when stopped, and exits with 143. Each signal adds a line to `signals`.
const SLOW: &str = "trap 'echo x >> signals; sleep 4; echo saved >> world; exit 143' TERM; echo Ready; \
                    while :; do sleep 0.1; done";

fn text(game: &Game, panel: &Panel, name: &str) -> String {
    std::fs::read_to_string(game.file(panel, name)).unwrap_or_default()
}

async fn killed(panel: &mut Panel, game: &mut Game) {
    panel.kill().await;
    panel.again().await;
    game.again(panel);
}

/// The stop deadline, in milliseconds since 1970.
fn deadline(view: &Value) -> i64 {
    view["stopDeadline"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

#[tokio::test]
async fn a_stop_is_a_stop_at_whatever_moment_the_panel_is_killed() {
    let mut panel = Panel::start().await;
    let mut game = Game::running(&panel, SLOW).await;
    // Before, during and after saving; three times between the answer and the signal.
    let moments = [0, 0, 5, 40, 300, 1_500, 3_500, 4_500];
    for (round, moment) in moments.into_iter().cycle().take(if long() { 80 } else { 8 }).enumerate() {
        if game.status().await != "running" {
            game.start().await;
            game.says("Ready", seconds(20)).await;
        }
        for name in ["signals", "world"] {
            let _ = std::fs::remove_file(game.file(&panel, name));
        }
        let started = game.started_at().await;
        game.power("stop").await.expect(202);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        killed(&mut panel, &mut game).await;
        let what = format!("round {round}, killed after {moment} ms: it has stopped");
        let view = game
            .shows(&what, seconds(20), |view| {
                assert!(view["status"] != "crashed" && view["status"] != "running", "{what}: {view}");
                view["status"] == "stopped"
            })
            .await;
        assert_eq!(view["exitCode"], 143, "{what}: {view}");
        assert_eq!(text(&game, &panel, "world"), "saved\n", "{what}");
        assert_eq!(text(&game, &panel, "signals"), "x\n", "{what}: it was told once");
        let container = game.container().await;
        assert_eq!(container["State"]["StartedAt"], started.as_str(), "{what}: it was started again");
    }
}

#[tokio::test]
async fn the_deadline_stands_also_when_the_clock_jumps() {
    let clock = Clock::new();
    let mut panel = clock.panel().await;
    let mut game = Game::running(&panel, "stubborn").await;
    let began = std::time::Instant::now();
    game.power("stop").await.expect(202);
    game.shows("the deadline", seconds(5), |view| view["stopDeadline"].is_string()).await;
    for offset in ["+1d", "-1d", "+0"] {
        panel.kill().await;
        clock.set(offset);
        panel.again().await;
        game.again(&panel);
        game.shows("it is stopping", seconds(10), |view| view["stopDeadline"].is_string()).await;
    }
    let view = game.becomes("stopped", seconds(60)).await;
    let took = began.elapsed().as_secs();
    assert!((28..42).contains(&took), "killed after {took} s, not after 30");
    assert_eq!(view["exitCode"], 137, "{view}");
}

#[tokio::test]
async fn a_game_that_ignores_it_is_killed_when_that_was_said() {
    let mut panel = Panel::start().await;
    let mut game = Game::running(&panel, "stubborn").await;
    game.power("stop").await.expect(202);
    let view = game.shows("the deadline", seconds(5), |view| view["stopDeadline"].is_string()).await;
    killed(&mut panel, &mut game).await;
    let again = game.shows("the deadline", seconds(10), |view| view["stopDeadline"].is_string()).await;
    assert!((deadline(&again) - deadline(&view)).abs() < 1_000, "{view}\n{again}");
    let view = game.becomes("stopped", seconds(60)).await;
    let late = jiff::Timestamp::now().as_millisecond() - deadline(&again);
    assert!((-2_000..8_000).contains(&late), "ended {late} ms after the deadline");
    assert_eq!(view["exitCode"], 137, "{view}");
}

#[tokio::test]
async fn a_restart_is_a_restart() {
    let mut panel = Panel::start().await;
    let mut game = Game::running(&panel, SLOW).await;
    for (moment, ends_unseen) in [(0, false), (1_500, false), (500, true)] {
        let _ = std::fs::remove_file(game.file(&panel, "world"));
        let started = game.started_at().await;
        game.power("restart").await.expect(202);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        panel.kill().await;
        if ends_unseen {
            docker::docker(&["wait", &format!("ctrl-alt-play-{}", game.id)]).await;
        }
        panel.again().await;
        game.again(&panel);
        game.shows("it runs anew", seconds(20), |view| {
            assert_ne!(view["status"], "crashed", "{view}");
            view["status"] == "running"
        })
        .await;
        assert_ne!(game.started_at().await, started);
        assert_eq!(text(&game, &panel, "world"), "saved\n");
    }
}

#[tokio::test]
async fn an_install_that_was_asked_for_again_goes_on_and_a_cancelled_one_does_not() {
    let mut panel = Panel::start().await;
    let mut game = Game::new(&panel, "game").await;
    let registry = Registry::stalling().await;
    game.admin.patch(&game.path(""), json!({ "image": registry.image("slow") })).await.expect(200);
    game.admin.post(&game.path("/install"), json!({})).await.expect(202);
    killed(&mut panel, &mut game).await;
    game.becomes("installing", seconds(10)).await;
    game.admin.delete(&game.path("/install")).await.expect(204);
    killed(&mut panel, &mut game).await;
    let view = game.becomes("install_failed", seconds(10)).await;
    assert!(view["statusReason"].as_str().is_some_and(|reason| reason.contains("cancelled")), "{view}");
    // The same for the first installation of a new server.
    let mut new = Game::ask(&panel, body("game", &json!({ "image": registry.image("other") }))).await;
    new.becomes("installing", seconds(10)).await;
    new.admin.delete(&new.path("/install")).await.expect(204);
    killed(&mut panel, &mut new).await;
    new.becomes("install_failed", seconds(10)).await;
}

#[tokio::test]
async fn one_that_is_paused_by_hand_is_resumed_by_a_button() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "game").await;
    game.power("resume").await.refused(409, "not_paused");
    let name = format!("ctrl-alt-play-{}", game.id);
    docker::docker(&["pause", &name]).await;
    let view = game.becomes("paused", seconds(10)).await;
    assert!(view["startedAt"].is_string(), "{view}");
    game.power("start").await.refused(409, "paused");
    game.admin.post(&game.path("/command"), json!({ "command": "x" })).await.refused(409, "paused");
    assert_eq!(game.power("resume").await.expect(202).json["status"], "running");
    game.becomes("running", seconds(5)).await;
    game.command("hello").await;
    game.says("You said: hello", seconds(5)).await;
    docker::docker(&["pause", &name]).await;
    game.becomes("paused", seconds(10)).await;
    assert_eq!(game.power("stop").await.expect(202).json["status"], "stopping");
    let view = game.becomes("stopped", seconds(15)).await;
    assert_eq!(view["exitCode"], 0, "{view}");
    assert_eq!(game.said("World saved (SIGTERM)").await, 1, "{:#?}", game.lines().await);
}
