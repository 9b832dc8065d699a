//! How a game stops: gracefully, with its world saved, or killed in the end.

use std::time::Instant;

use serde_json::{Value, json};

use super::game::Game;
use crate::harness::{Panel, seconds};

/// What the game wrote when it stopped.
fn world(game: &Game, panel: &Panel) -> String {
    std::fs::read_to_string(game.file(panel, "world.txt")).unwrap_or_default()
}

#[tokio::test]
async fn a_world_is_saved_on_sigterm_however_the_line_is_written() {
    let panel = Panel::start().await;
    let lines = [
        "game",
        "exec game",
        "sh -c game",
        "echo first && game",
        "echo first; game; echo after",
        "sh -c 'echo first; game'",
        "NAME=x game",
        "for i in 1; do game; done",
    ];
    let mut games = Vec::new();
    for line in lines {
        let game = Game::with(&panel, line, json!({ "environment": { "SAVE_TAKES": "1" } })).await;
        game.start().await;
        games.push(game);
    }
    for (game, line) in games.iter().zip(lines) {
        game.says("Ready", seconds(20)).await;
        assert_eq!(world(game, &panel), "", "{line}");
        game.power("stop").await.expect(202);
    }
    for (game, line) in games.iter().zip(lines) {
        let view = game.becomes("stopped", seconds(15)).await;
        assert_eq!(world(game, &panel), "saved 1 times, last because of SIGTERM\n", "{line}: {view}");
        assert!(matches!(view["exitCode"].as_i64(), Some(0 | 130 | 143)), "{line}: {view}");
    }
}

#[tokio::test]
async fn a_stuck_stop_shows_its_deadline_and_can_be_cut_short() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "stubborn").await;
    game.power("stop").await.expect(202);
    let view = game.shows("the deadline", seconds(5), |view| view["stopDeadline"].is_string()).await;
    assert_eq!(view["status"], "stopping");
    let deadline: jiff::Timestamp = view["stopDeadline"].as_str().unwrap().parse().unwrap();
    let left = deadline.as_second() - jiff::Timestamp::now().as_second();
    assert!((1..=90).contains(&left), "{left} s: {view}");
    game.says("Not now", seconds(5)).await;
    let began = Instant::now();
    assert_eq!(game.power("kill").await.expect(202).json["status"], "stopping");
    let view = game.becomes("stopped", seconds(5)).await;
    assert!(began.elapsed() < seconds(5));
    assert_eq!(view["exitCode"], 137, "{view}");
    assert!(view.get("stopDeadline").is_none_or(Value::is_null), "{view}");
}

#[tokio::test]
async fn who_ignores_every_signal_is_killed_after_its_time() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "stubborn").await;
    game.power("stop").await.expect(202);
    let view = game.shows("the deadline", seconds(5), |view| view["stopDeadline"].is_string()).await;
    let deadline: jiff::Timestamp = view["stopDeadline"].as_str().unwrap().parse().unwrap();
    let view = game.becomes("stopped", seconds(100)).await;
    let late = jiff::Timestamp::now().as_millisecond() - deadline.as_millisecond();
    assert!((-2_000..8_000).contains(&late), "ended {late} ms after the deadline");
    assert_eq!(view["exitCode"], 137, "{view}");
    let told = |line: &Value| {
        line["stream"] == "system"
            && line["text"].as_str().is_some_and(|text| text.to_lowercase().contains("kill"))
    };
    assert!(game.console(50).await.iter().any(told), "its console says so: {:#?}", game.lines().await);
}

#[tokio::test]
async fn a_restart_asked_of_a_stuck_one_still_starts_it_again() {
    let panel = Panel::start().await;
    let game = Game::with(&panel, "game", json!({ "environment": { "SAVE_TAKES": "3" } })).await;
    game.start().await;
    game.says("Ready", seconds(20)).await;
    let first = game.started_at().await;
    game.power("restart").await.expect(202);
    game.becomes("stopping", seconds(5)).await;
    game.becomes("running", seconds(30)).await;
    assert_ne!(game.started_at().await, first);
    assert!(world(&game, &panel).contains("saved 1 times"));
}
