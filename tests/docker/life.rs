//! The life cycle of a server, from creation to deletion.

use serde_json::json;

use super::game::{Game, body};
use super::viewer::{Viewer, texts};
use crate::harness::{Live, Panel, docker, seconds, until};

#[tokio::test]
async fn from_creation_to_removal() {
    let panel = Panel::start().await;
    let game = Game::ask(&panel, body("game", &json!({ "name": "First world" }))).await;
    let view = game.becomes("stopped", seconds(30)).await;
    assert_eq!(view["name"], "First world");
    assert!(view.get("startedAt").is_none_or(serde_json::Value::is_null), "never started by itself: {view}");

    let mut viewer = Viewer::open(&game.admin, &game.id).await;
    let view = game.start().await;
    assert!(view["startedAt"].is_string(), "{view}");
    viewer.wait("the ready line", seconds(20), |text| text == "Ready").await;
    game.says("Loading the world", seconds(2)).await;

    game.command("hello there").await;
    let seen = viewer.wait("the answer", seconds(5), |text| text == "You said: hello there").await;
    assert!(texts(&seen).contains(&"hello there"), "the terminal echoes the command: {seen:?}");
    let line = game.says("You said: hello there", seconds(5)).await;
    assert_eq!(line["stream"], "stdout");
    assert!(line["seq"].is_u64() && line["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");

    assert_eq!(game.power("stop").await.expect(202).json["status"], "stopping");
    let view = game.becomes("stopped", seconds(20)).await;
    assert_eq!(view["exitCode"], 0, "{view}");
    assert_ne!(view["oomKilled"], true);
    viewer.wait("the world is saved", seconds(5), |text| text.starts_with("World saved")).await;
    assert!(std::fs::read_to_string(game.file(&panel, "world.txt")).unwrap().starts_with("saved 1 times"));

    let folder = game.file(&panel, "");
    assert!(folder.is_dir());
    game.admin.delete(&game.path("")).await.expect(204);
    game.admin.get(&game.path("")).await.refused(404, "not_found");
    game.gone(seconds(10)).await;
    until("the data is removed", seconds(10), async || (!folder.exists()).then_some(())).await;
    assert_eq!(game.admin.get("/api/servers").await.expect(200).json, json!([]));
}

#[tokio::test]
async fn a_restart_is_a_stop_and_a_start() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "game").await;
    let first = game.started_at().await;
    assert_eq!(game.power("restart").await.expect(202).json["status"], "stopping");
    game.shows("it runs again", seconds(30), |view| view["status"] == "running").await;
    until("the container was started again", seconds(20), async || {
        let container = docker::inspect(&game.id).await?;
        (container["State"]["Running"] == true && container["State"]["StartedAt"] != first.as_str())
            .then_some(())
    })
    .await;
    game.becomes("running", seconds(20)).await;
    let world = std::fs::read_to_string(game.file(&panel, "world.txt")).unwrap();
    assert!(world.contains("saved"), "the world was saved on the way: {world}");
}

#[tokio::test]
async fn the_count_of_lines_goes_on_over_a_restart() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "game").await;
    let mut viewer = Viewer::open(&game.admin, &game.id).await;
    viewer.wait("the first start", seconds(10), |text| text == "Ready").await;
    game.power("restart").await.expect(202);
    viewer.wait("the second start", seconds(30), |text| text == "Ready").await;
    assert_eq!(viewer.resets, 0);
    game.command("still here").await;
    viewer.wait("an answer", seconds(10), |text| text == "You said: still here").await;
}

#[tokio::test]
async fn a_kill_is_at_once_and_says_137() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "stubborn").await;
    assert_eq!(game.power("kill").await.expect(202).json["status"], "stopping");
    let view = game.becomes("stopped", seconds(10)).await;
    assert_eq!(view["exitCode"], 137, "{view}");
    assert_ne!(view["oomKilled"], true, "{view}");
    let lines = game.console(50).await;
    let told = |line: &serde_json::Value| {
        line["stream"] == "system"
            && line["text"].as_str().is_some_and(|text| text.to_lowercase().contains("kill"))
    };
    assert!(lines.iter().any(told), "its console says so: {lines:#?}");
}

#[tokio::test]
async fn changes_are_in_force_at_the_next_start() {
    let panel = Panel::start().await;
    let game = Game::with(&panel, "game", json!({ "environment": { "COLOUR": "red" } })).await;
    game.start().await;
    game.says("Ready", seconds(10)).await;
    let change = json!({ "environment": { "COLOUR": "blue" }, "limits": { "memory": 64 << 20 } });
    let view = game.admin.patch(&game.path(""), change).await.expect(200).json;
    assert_eq!(view["needsRestart"], true, "{view}");
    game.command("run echo $COLOUR").await;
    game.says("red", seconds(5)).await;
    game.power("restart").await.expect(202);
    until("the new environment", seconds(30), async || {
        let container = docker::inspect(&game.id).await?;
        let env = container["Config"]["Env"].as_array()?.clone();
        (env.contains(&json!("COLOUR=blue")) && container["State"]["Running"] == true).then_some(())
    })
    .await;
    let view = game.becomes("running", seconds(20)).await;
    assert_eq!(view["needsRestart"], false, "{view}");
    let memory = game.container().await["HostConfig"]["Memory"].as_i64().unwrap();
    assert_eq!(memory, (64 << 20) * 115 / 100);
}

#[tokio::test]
async fn removing_a_running_one_leaves_nothing() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "stubborn").await;
    let folder = game.file(&panel, "");
    game.admin.delete(&game.path("")).await.expect(204);
    game.admin.get(&game.path("")).await.refused(404, "not_found");
    game.gone(seconds(15)).await;
    until("the data is removed", seconds(10), async || (!folder.exists()).then_some(())).await;
}

#[tokio::test]
async fn the_list_is_live() {
    let panel = Panel::start().await;
    let mut live = Live::open(&panel.admin()).await;
    live.subscribe(&["servers"]).await;
    live.wait(seconds(5), |message| (message["data"]["all"] == json!([])).then_some(())).await;
    let game = Game::new(&panel, "game").await;
    let id = game.id.clone();
    let mut states = Vec::new();
    let mut follow = async |last: &str| {
        live.wait(seconds(20), |message| {
            if let Some(removed) = message["data"]["removed"].as_str() {
                states.push("removed".to_owned());
                return (removed == id && last == "removed").then_some(());
            }
            let changed = &message["data"]["changed"];
            if changed["id"] != id.as_str() {
                return None;
            }
            let status = changed["status"].as_str().unwrap_or_default().to_owned();
            if states.last() != Some(&status) {
                states.push(status.clone());
            }
            (status == last).then_some(())
        })
        .await;
    };
    follow("stopped").await;
    game.start().await;
    follow("running").await;
    game.power("stop").await.expect(202);
    follow("stopped").await;
    game.admin.delete(&game.path("")).await.expect(204);
    follow("removed").await;
    let wanted = ["stopped", "starting", "running", "stopping", "stopped", "removed"];
    let mut at = 0;
    for state in &states {
        if wanted.get(at) == Some(&state.as_str()) {
            at += 1;
        }
    }
    assert_eq!(at, wanted.len(), "every state was seen, in order: {states:?}");
}

#[tokio::test]
async fn samples_come_each_second_while_somebody_looks() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "game").await;
    let mut live = Live::open(&game.admin).await;
    let topic = format!("stats:{}", game.id);
    live.subscribe(&[&topic]).await;
    let sample = |message: &serde_json::Value| {
        (message["topic"] == topic.as_str() && message["data"]["memory"].is_u64())
            .then(|| message["data"].clone())
    };
    live.wait(seconds(5), sample).await;
    let began = std::time::Instant::now();
    for _ in 0..4 {
        let sample = live.wait(seconds(3), sample).await;
        assert!(sample["cpu"].as_f64().is_some_and(|cpu| (0.0..=400.0).contains(&cpu)), "{sample}");
        assert!(sample["memory"].as_u64().is_some_and(|bytes| bytes < 64 << 20), "{sample}");
        assert!(sample["network"]["in"].is_u64() && sample["network"]["out"].is_u64(), "{sample}");
    }
    let took = began.elapsed().as_secs_f64();
    assert!((2.5..7.0).contains(&took), "four samples in {took} s");
    let kept = game.admin.get(&game.path("/stats")).await.expect(200).json;
    assert!(kept["samples"].as_array().is_some_and(|samples| samples.len() >= 4), "{kept}");
}
