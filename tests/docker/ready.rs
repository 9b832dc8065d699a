//! What templates specify about a game: ready line, stop command, data folder.

use serde_json::json;

use super::game::Game;
use super::viewer::{Viewer, texts};
use crate::harness::{Panel, seconds};

#[tokio::test]
async fn running_is_said_when_the_ready_line_came() {
    let panel = Panel::start().await;
    let startup = "echo Loading; sleep 2; echo 'Done (1.2s)! For help, type \"help\"'; exec game";
    let template = json!({ "templateId": "minecraft-vanilla", "acceptEula": true });
    let game = Game::with(&panel, startup, template).await;
    let mut viewer = Viewer::open(&game.admin, &game.id).await;
    assert_eq!(game.power("start").await.expect(202).json["status"], "starting");
    viewer.wait("it loads", seconds(20), |text| text == "Loading").await;
    assert_eq!(game.status().await, "starting", "the container runs, the game does not yet");
    game.power("start").await.refused(409, "already_starting");
    viewer.wait("the ready line", seconds(10), |text| text.starts_with("Done (")).await;
    game.becomes("running", seconds(2)).await;

    // It is stopped by its own command, which the console shows.
    viewer.wait("it listens", seconds(10), |text| text == "Ready").await;
    game.power("stop").await.expect(202);
    let seen = viewer.wait("it saves", seconds(10), |text| text.starts_with("World saved")).await;
    assert!(texts(&seen).contains(&"stop"), "{seen:?}");
    assert_eq!(texts(&seen).last(), Some(&"World saved (command)"));
    let view = game.becomes("stopped", seconds(10)).await;
    assert_eq!(view["exitCode"], 0, "{view}");
}

#[tokio::test]
async fn a_game_that_never_gets_ready_can_be_stopped() {
    let panel = Panel::start().await;
    let template = json!({ "templateId": "minecraft-vanilla", "acceptEula": true });
    let game = Game::with(&panel, "exec game", template).await;
    game.power("start").await.expect(202);
    game.says("Ready", seconds(20)).await;
    assert_eq!(game.status().await, "starting");
    game.command("hello").await;
    game.says("You said: hello", seconds(5)).await;
    game.power("stop").await.expect(202);
    game.becomes("stopped", seconds(15)).await;
}

#[tokio::test]
async fn a_signal_of_its_own_is_what_a_stop_sends() {
    let panel = Panel::start().await;
    let startup = "echo Server for gameid=test; exec game";
    let game = Game::with(&panel, startup, json!({ "templateId": "luanti" })).await;
    game.start().await;
    game.says("Ready", seconds(20)).await;
    let container = game.container().await;
    assert_eq!(container["Config"]["StopSignal"], "SIGINT", "`docker stop` by hand does the same");
    assert!(mounted(&container, "/var/lib/minetest"), "{}", container["Mounts"]);
    game.power("stop").await.expect(202);
    game.becomes("stopped", seconds(15)).await;
    let world = std::fs::read_to_string(game.file(&panel, "world.txt")).unwrap();
    assert_eq!(world, "saved 1 times, last because of SIGINT\n");
}

#[tokio::test]
async fn any_image_runs_as_it_wants_to() {
    let panel = Panel::start().await;
    let template = json!({ "templateId": "any-image", "startup": "show-env" });
    let game = Game::with(&panel, "show-env", template).await;
    game.start().await;
    game.says("Ready", seconds(20)).await;
    let lines = game.lines().await;
    assert!(lines.iter().any(|line| line.starts_with("id=0:0 ")), "as the image's own user: {lines:#?}");
    let container = game.container().await;
    assert_eq!(container["HostConfig"]["ReadonlyRootfs"], false);
    assert_eq!(container["HostConfig"]["Privileged"], false);
    let options = container["HostConfig"]["SecurityOpt"].to_string();
    assert!(options.contains("no-new-privileges"), "{options}");
    assert!(mounted(&container, "/data"), "{}", container["Mounts"]);
    let own = Game::with(&panel, "", json!({ "templateId": "any-image" })).await;
    own.start().await;
    assert_eq!(
        own.container().await["Config"]["Cmd"],
        json!(["/bin/sh"]),
        "an empty line is the image's own command"
    );
}

/// Whether there is a data mount; the time zone file may be mounted too.
fn mounted(container: &serde_json::Value, place: &str) -> bool {
    container["Mounts"].as_array().unwrap().iter().any(|mount| mount["Destination"] == place)
}
