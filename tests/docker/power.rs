//! Which power actions are allowed in which state, and the errors of the others.

use serde_json::json;

use super::game::{Game, body};
use super::registry::Registry;
use crate::harness::{Panel, docker, seconds};

#[tokio::test]
async fn what_may_be_asked_depends_on_the_state() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "stubborn").await;
    game.power("stop").await.refused(409, "not_running");
    game.power("kill").await.refused(409, "not_running");
    let command = json!({ "command": "help" });
    game.admin.post(&game.path("/command"), command.clone()).await.refused(409, "not_running");
    game.power("explode").await.refused(422, "invalid");
    game.admin
        .post("/api/servers/nosuchserver/power", json!({ "action": "start" }))
        .await
        .refused(404, "not_found");

    // A restart of a stopped server is a start.
    assert_eq!(game.power("restart").await.expect(202).json["status"], "starting");
    game.becomes("running", seconds(20)).await;
    game.says("Ready", seconds(10)).await;
    game.power("start").await.refused(409, "already_running");
    game.command("help").await;
    game.says("Ignored: help", seconds(5)).await;

    game.power("stop").await.expect(202);
    game.becomes("stopping", seconds(5)).await;
    game.power("start").await.refused(409, "already_stopping");
    game.power("stop").await.refused(409, "already_stopping");
    game.power("restart").await.refused(409, "already_stopping");
    // Commands are allowed while a game stops.
    game.command("are you there").await;
    game.says("Ignored: are you there", seconds(5)).await;
    game.power("kill").await.expect(202);
    game.becomes("stopped", seconds(10)).await;
    game.admin.post(&game.path("/command"), command).await.refused(409, "not_running");
}

#[tokio::test]
async fn nothing_is_started_while_it_is_installed() {
    let panel = Panel::start().await;
    let registry = Registry::stalling().await;
    let game = Game::ask(&panel, body("game", &json!({ "image": registry.image("slow") }))).await;
    game.becomes("installing", seconds(10)).await;
    for action in ["start", "stop", "restart", "kill"] {
        game.power(action).await.refused(409, "installing");
    }
    game.admin.delete(&game.path("")).await.expect(204);
    game.admin.get(&game.path("")).await.refused(404, "not_found");
}

#[tokio::test]
async fn of_twenty_starts_at_once_one_is_taken() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "game").await;
    let mut all = Vec::new();
    for _ in 0..20 {
        let (admin, path) = (game.admin.clone(), game.path("/power"));
        all.push(super::beside(async move { admin.post(&path, json!({ "action": "start" })).await }));
    }
    let mut taken = 0;
    for one in all {
        let answer = one.await.unwrap();
        if answer.status == 202 {
            taken += 1;
        } else {
            assert_eq!(answer.status, 409, "{answer:?}");
            assert!(matches!(answer.code(), "already_starting" | "already_running"), "{answer:?}");
        }
    }
    assert_eq!(taken, 1);
    game.becomes("running", seconds(20)).await;
    game.says("Ready", seconds(10)).await;
    assert_eq!(game.said("Ready").await, 1, "it was started once");
    let filter = format!("label=ctrl-alt-play.server-id={}", game.id);
    assert_eq!(docker::docker(&["ps", "-aq", "--filter", &filter]).await.lines().count(), 1);
}

#[tokio::test]
async fn of_any_mix_at_once_none_is_lost_or_breaks_it() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "game").await;
    for _ in 0..3 {
        let mut all = Vec::new();
        for action in ["stop", "kill", "restart", "start", "stop", "restart", "kill", "start"] {
            let (admin, path) = (game.admin.clone(), game.path("/power"));
            all.push(super::beside(async move { admin.post(&path, json!({ "action": action })).await }));
        }
        for one in all {
            let answer = one.await.unwrap();
            assert!(matches!(answer.status, 202 | 409), "{answer:?}");
        }
        game.shows("it comes to rest", seconds(40), |view| {
            matches!(view["status"].as_str(), Some("running" | "stopped" | "crashed"))
        })
        .await;
    }
    let view = game.view().await;
    let running =
        docker::inspect(&game.id).await.is_some_and(|container| container["State"]["Running"] == true);
    assert_eq!(view["status"] == "running", running, "what is shown is what is: {view}");
}

#[tokio::test]
async fn a_command_is_one_line_that_arrives_whole() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "game").await;
    let long = "x".repeat(4_000);
    game.command(&long).await;
    game.says(&format!("You said: {long}"), seconds(5)).await;
    game.command("Grüße ✨ $(id) `id` ; | & \\ \"quoted\"").await;
    for bad in ["", "two\nlines", "two\rlines", "a\u{3}b", "a\u{1b}[31mb", "a\0b", &"x".repeat(4_001)] {
        let answer =
            game.admin.post(&game.path("/command"), json!({ "command": bad })).await.refused(422, "invalid");
        assert!(!answer.field("command").is_empty(), "{answer:?}");
    }
    game.command("the end").await;
    game.says("You said: the end", seconds(5)).await;
    assert!(!game.lines().await.iter().any(|line| line.contains("uid=")), "nothing of it was run");
}
