//! Backups of a server, asked for as the page does.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::game::Game;
use super::transfers::Agent;
use crate::harness::{Live, Panel, free_port, long, seconds, until};

/// The server's backups, newest first.
pub(crate) async fn backups(game: &Game) -> Vec<Value> {
    game.admin.get(&game.path("/backups")).await.expect(200).json.as_array().unwrap().clone()
}

pub(crate) async fn create(game: &Game, name: &str) -> String {
    game.admin.post(&game.path("/backups"), json!({ "name": name })).await.expect(202).id()
}

/// Waits until a backup is in this state.
pub(crate) async fn becomes(game: &Game, id: &str, status: &str, within: Duration) -> Value {
    until(&format!("the backup is {status}"), within, async || {
        let backup = backups(game).await.into_iter().find(|backup| backup["id"] == id)?;
        let over = backup["status"] == "failed" && status != "failed";
        assert!(!over, "{backup}");
        (backup["status"] == status).then_some(backup)
    })
    .await
}

pub(crate) async fn ready(game: &Game, id: &str) -> Value {
    becomes(game, id, "ready", seconds(90)).await
}

/// Writes what does not get smaller.
pub(crate) fn write(path: &Path, megabytes: usize) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let bytes: Vec<u8> = (0..megabytes << 17).flat_map(|_| next().to_le_bytes()).collect();
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_backup_brings_the_files_back() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "game").await;
    let world = game.file(&panel, "world.dat");
    std::fs::write(&world, "as it was").unwrap();
    let mut live = Live::open(&game.admin).await;
    let topic = format!("backups:{}", game.id);
    live.subscribe(&[&topic]).await;

    let id = create(&game, "Before the update").await;
    game.admin.post(&game.path("/backups"), json!({})).await.refused(409, "conflict");
    let made = ready(&game, &id).await;
    assert_eq!((&made["name"], &made["locked"]), (&json!("Before the update"), &json!(false)), "{made}");
    assert!(made["size"].as_u64().unwrap() >= 9 && made["files"].as_u64().unwrap() >= 1, "{made}");
    let told = |message: &Value| (message["data"][0]["status"] == "ready").then_some(());
    live.wait(seconds(10), told).await;

    std::fs::write(&world, "spoilt by an update").unwrap();
    std::fs::write(game.file(&panel, "griefed"), "x").unwrap();
    let restore = game.path(&format!("/backups/{id}/restore"));
    game.admin.post(&restore, json!(null)).await.refused(409, "conflict");
    game.power("stop").await.expect(202);
    game.becomes("stopped", seconds(20)).await;
    game.admin.post(&restore, json!(null)).await.expect(202);
    let restored = ready(&game, &id).await;
    assert!(restored["statusReason"].is_null(), "{restored}");
    assert_eq!(std::fs::read_to_string(&world).unwrap(), "as it was");
    assert!(!game.file(&panel, "griefed").exists());

    // What was there before can be had again.
    let kept = backups(&game).await[0].clone();
    assert_eq!((&kept["origin"], &kept["status"]), (&json!("before_restore"), &json!("ready")), "{kept}");
    let back = kept["id"].as_str().unwrap();
    game.admin.post(&game.path(&format!("/backups/{back}/restore")), json!(null)).await.expect(202);
    ready(&game, back).await;
    assert_eq!(std::fs::read_to_string(&world).unwrap(), "spoilt by an update");
    game.start().await;

    let one = game.path(&format!("/backups/{id}"));
    let change = json!({ "locked": true, "name": "Kept", "note": "for ever" });
    let locked = game.admin.patch(&one, change).await.expect(200).json;
    assert_eq!((&locked["name"], &locked["note"]), (&json!("Kept"), &json!("for ever")));
    game.admin.delete(&one).await.refused(409, "conflict");
    game.admin.patch(&one, json!({ "locked": false })).await.expect(200);
    game.admin.delete(&one).await.expect(204);
    until("it is gone", seconds(60), async || {
        backups(&game).await.iter().all(|backup| backup["id"] != id.as_str()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_game_is_told_to_save_and_goes_on() {
    let panel = Panel::start().await;
    let startup = "echo 'Done (1.0s)!'; while read line; do echo \"heard $line\"; \
                   [ \"$line\" = 'save-all flush' ] && sleep 1 && echo 'Saved the game'; \
                   [ \"$line\" = stop ] && exit 0; done";
    let template = json!({ "templateId": "minecraft-vanilla", "acceptEula": true });
    let game = Game::with(&panel, startup, template).await;
    game.start().await;
    let id = create(&game, "").await;
    let made = ready(&game, &id).await;
    assert!(made["statusReason"].is_null(), "{made}");
    let lines = game.lines().await;
    let at = |text: &str| {
        lines.iter().position(|line| line == text).unwrap_or_else(|| panic!("{text}: {lines:?}"))
    };
    assert!(at("heard save-off") < at("heard save-all flush"));
    assert!(at("Saved the game") < at("heard save-on"), "{lines:?}");
}

#[tokio::test]
async fn one_that_is_cancelled_leaves_the_next_one_alone() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "game").await;
    let first = create(&game, "One").await;
    ready(&game, &first).await;
    write(&game.file(&panel, "ballast"), 200);
    let id = create(&game, "Two").await;
    until("it has begun", seconds(60), async || {
        let backup = backups(&game).await[0].clone();
        (backup["progress"]["bytes"].as_u64()? > 0).then_some(())
    })
    .await;
    game.admin.post(&game.path(&format!("/backups/{id}/cancel")), json!(null)).await.expect(204);
    becomes(&game, &id, "failed", seconds(20)).await;
    std::fs::remove_file(game.file(&panel, "ballast")).unwrap();
    let third = create(&game, "Three").await;
    ready(&game, &third).await;
}

#[tokio::test]
async fn a_panel_that_is_killed_goes_on_with_its_backups() {
    let mut panel = Panel::start().await;
    let mut game = Game::new(&panel, "game").await;
    write(&game.file(&panel, "ballast"), 120);
    let rounds = if long() { 20 } else { 3 };
    for round in 0..rounds {
        let id = create(&game, &format!("Round {round}")).await;
        tokio::time::sleep(Duration::from_millis(150 * round)).await;
        panel.kill().await;
        panel.again().await;
        game.admin = panel.admin();
        let made = ready(&game, &id).await;
        assert!(made["size"].as_u64().unwrap() >= 120 << 20, "{made}");
        std::fs::write(game.file(&panel, "round"), round.to_string()).unwrap();
    }
    game.power("start").await;
}

#[tokio::test]
async fn another_node_makes_its_own_and_survives_a_kill() {
    let panel = Panel::builder().env("WEBSOCKET_PORT", free_port().to_string()).start().await;
    let mut agent = Agent::join(&panel, "east").await;
    let game = Game::with(&panel, "game", json!({ "nodeId": "east" })).await;
    let folder = agent.folder().join("servers").join(&game.id);
    write(&folder.join("world.dat"), 150);
    let id = create(&game, "Far away").await;
    until("it has begun", seconds(60), async || {
        let backup = backups(&game).await[0].clone();
        assert_ne!(backup["status"], "ready", "it was too fast for this test");
        (backup["progress"]["bytes"].as_u64()? > 0).then_some(())
    })
    .await;
    agent.kill().await;
    agent.again();
    let made = ready(&game, &id).await;
    assert_eq!((&made["nodeId"], &made["files"]), (&json!("east"), &json!(1)), "{made}");
    std::fs::write(folder.join("world.dat"), "spoilt").unwrap();
    game.admin.post(&game.path(&format!("/backups/{id}/restore")), json!(null)).await.expect(202);
    let restored = ready(&game, &id).await;
    assert!(restored["statusReason"].is_null(), "{restored}");
    assert_eq!(std::fs::metadata(folder.join("world.dat")).unwrap().len(), 150 << 20);
}
