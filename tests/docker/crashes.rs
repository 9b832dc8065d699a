//! Games that exit by themselves.

use serde_json::{Value, json};

use super::game::Game;
use crate::harness::{Panel, docker, seconds, until};

#[tokio::test]
async fn an_end_with_code_0_is_a_stop() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "exit-with 0 1").await;
    game.power("start").await.expect(202);
    game.says("Ending with 0", seconds(20)).await;
    let view = game.becomes("stopped", seconds(10)).await;
    assert_eq!(view["exitCode"], 0, "{view}");
    assert!(view.get("restartAt").is_none_or(Value::is_null), "{view}");
}

#[tokio::test]
async fn another_code_is_a_crash_and_restarted_until_it_is_given_up() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "exit-with 7").await;
    game.power("start").await.expect(202);
    let view = game.becomes("crashed", seconds(20)).await;
    assert_eq!(view["exitCode"], 7, "{view}");
    assert!(view["restartAt"].is_string(), "a restart is due: {view}");
    let view = game
        .shows("it is given up", seconds(150), |view| {
            view["status"] == "crashed" && view.get("restartAt").is_none_or(Value::is_null)
        })
        .await;
    assert_eq!(view["exitCode"], 7);
    assert_eq!(
        game.said("Ending with 7").await,
        4,
        "the start and three restarts: {:#?}",
        game.lines().await
    );
    let reason = view["statusReason"].as_str().unwrap_or_default();
    assert!(reason.contains('3') || reason.contains("three"), "it says why it stays down: {view}");
    // A manual start resets the count of restarts.
    game.power("start").await.expect(202);
    until("it was started again", seconds(20), async || {
        (game.said("Ending with 7").await >= 5).then_some(())
    })
    .await;
    // A manual stop ends the restarts.
    game.becomes("crashed", seconds(20)).await;
}

#[tokio::test]
async fn want_of_memory_is_told_apart() {
    let panel = Panel::start().await;
    let limits = json!({ "limits": { "memory": 32 << 20 } });
    let game = Game::with(&panel, "hog 1", limits).await;
    game.start().await;
    let view = game.becomes("crashed", seconds(30)).await;
    assert_eq!(view["oomKilled"], true, "{view}");
    assert_eq!(view["exitCode"], 137, "{view}");
    let reason = view["statusReason"].as_str().unwrap_or_default().to_lowercase();
    assert!(reason.contains("memory"), "in words, too: {view}");
}

#[tokio::test]
async fn a_container_removed_behind_our_back_is_noticed() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "game").await;
    let first = game.started_at().await;
    docker::docker(&["rm", "-f", &format!("ctrl-alt-play-{}", game.id)]).await;
    // The server should run, so it either waits for its restart or already runs in a new container.
    until("the loss is noticed", seconds(15), async || {
        let view = game.view().await;
        let anew = match docker::inspect(&game.id).await {
            Some(container) => container["State"]["StartedAt"] != first.as_str(),
            None => false,
        };
        (view["status"] != "running" || anew).then_some(())
    })
    .await;
    until("it can be started", seconds(40), async || {
        let status = game.status().await;
        if matches!(status.as_str(), "crashed" | "stopped") {
            game.power("start").await;
        }
        (status == "running" && docker::inspect(&game.id).await.is_some()).then_some(())
    })
    .await;
    game.command("back").await;
    game.says("You said: back", seconds(10)).await;
}

#[tokio::test]
async fn a_stopped_container_removed_behind_our_back_matters_to_nobody() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "game").await;
    game.power("stop").await.expect(202);
    game.becomes("stopped", seconds(15)).await;
    let name = format!("ctrl-alt-play-{}", game.id);
    // The container may be kept or removed after a stop.
    let _ = tokio::process::Command::new("docker").args(["rm", "-f", &name]).output().await;
    game.start().await;
    game.says("Ready", seconds(10)).await;
    docker::docker(&["kill", &name]).await;
    let view = game.becomes("crashed", seconds(15)).await;
    assert_eq!(view["exitCode"], 137, "{view}");
    game.admin.delete(&game.path("")).await.expect(204);
    game.gone(seconds(10)).await;
}

#[tokio::test]
async fn a_line_that_the_shell_does_not_know_says_so() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "nosuchgame --port 1").await;
    game.power("start").await.expect(202);
    let view = game.becomes("crashed", seconds(20)).await;
    assert_eq!(view["exitCode"], 127, "{view}");
    game.says("nosuchgame", seconds(2)).await;
}
