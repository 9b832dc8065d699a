//! Checks of the places where backups lie, and backups that outlive their server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::backup_targets::servers;
use super::backups::{backups, becomes, create, ready};
use super::game::Game;
use super::transfers::Agent;
use crate::harness::{Panel, free_port, seconds, until};

const WITHIN: Duration = Duration::from_secs(120);

async fn folder_target(panel: &Panel, path: &Path) -> String {
    let body = json!({ "name": "Disk", "location": { "kind": "folder", "path": path } });
    panel.admin().post("/api/backup-targets", body).await.expect(201).id()
}

async fn target(panel: &Panel, id: &str) -> Value {
    panel.admin().get(&format!("/api/backup-targets/{id}")).await.expect(200).json
}

/// What the check of a target's repository says, once this is true of it.
async fn check_is(panel: &Panel, id: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    until(what, WITHIN, async || {
        let check = target(panel, id).await["repositories"][0]["check"].clone();
        (check["running"] == false && is(&check)).then_some(check)
    })
    .await
}

/// All files of packs below a folder, the largest first.
fn packs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false if entry.path().to_string_lossy().contains("/data/") => found.push(entry.path()),
                false => {}
            }
        }
    }
    found.sort_by_key(|path| std::cmp::Reverse(std::fs::metadata(path).unwrap().len()));
    found
}

#[tokio::test]
async fn a_target_is_checked_when_asked_and_damage_is_named() {
    let folder = tempfile::Builder::new().prefix("cap-target-").tempdir().unwrap();
    let mut panel = Panel::start().await;
    let mut game = Game::new(&panel, "game").await;
    let id = folder_target(&panel, folder.path()).await;
    let check = format!("/api/backup-targets/{id}/check");
    game.admin.post(&check, json!(null)).await.refused(409, "conflict");
    std::fs::write(game.file(&panel, "world"), super::backup_worker::noise(1 << 20, 3)).unwrap();
    let body = json!({ "name": "Whole", "target": id });
    let whole = game.admin.post(&game.path("/backups"), body).await.expect(202).id();
    ready(&game, &whole).await;

    game.admin.post(&check, json!(null)).await.expect(202);
    // What was asked for is done, although the panel is killed.
    panel.kill().await;
    panel.again().await;
    game.admin = panel.admin();
    let good = check_is(&panel, &id, "it was checked", |check| check["last"]["at"].is_string()).await;
    assert_eq!((&good["last"]["damaged"], &good["last"]["nodeId"]), (&json!(0), &json!("local")), "{good}");
    assert!(good["dueAt"].is_string() && good["problem"].is_null(), "{good}");

    let pack = packs(folder.path()).remove(0);
    std::fs::remove_file(&pack).unwrap();
    game.admin.post(&check, json!(null)).await.expect(202);
    let bad = check_is(&panel, &id, "the damage is found", |check| check["last"]["damaged"] == 1).await;
    assert!(bad["last"]["sentence"].as_str().unwrap().contains("missing or damaged"), "{bad}");
    let backup = backups(&game).await.remove(0);
    assert_eq!(backup["verified"]["ok"], false, "{backup}");
    let findings = game.admin.post("/api/doctor", json!({})).await;
    assert!(findings.text.contains("backup_damaged"), "{findings:?}");
}

#[tokio::test]
async fn a_target_that_is_away_is_said_and_tried_again() {
    let server = servers::rest();
    let panel = Panel::start().await;
    let game = Game::new(&panel, "game").await;
    let location = servers::rest_location(server.port, "rest-secret");
    let body = json!({ "name": "NAS", "location": location });
    let id = game.admin.post("/api/backup-targets", body).await.expect(201).id();
    let made = game.admin.post(&game.path("/backups"), json!({ "target": id })).await.expect(202).id();
    ready(&game, &made).await;
    drop(server);
    game.admin.post(&format!("/api/backup-targets/{id}/check"), json!(null)).await.expect(202);
    let away = check_is(&panel, &id, "it is away", |check| check["problem"].is_string()).await;
    assert!(away["last"].is_null() && away["dueAt"].is_string(), "{away}");
}

#[tokio::test]
async fn the_own_repository_of_a_node_is_checked_when_asked() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "game").await;
    let own = "/api/nodes/local/backup-repository";
    game.admin.get(own).await.refused(404, "not_found");
    let id = create(&game, "One").await;
    ready(&game, &id).await;
    game.admin.post(&format!("{own}/check"), json!(null)).await.expect(202);
    until("it was checked", WITHIN, async || {
        let there = game.admin.get(own).await.expect(200).json;
        (there["check"]["last"]["damaged"] == 0).then_some(())
    })
    .await;
}

async fn deleted(panel: &Panel) -> Vec<Value> {
    panel.admin().get("/api/deleted-servers").await.expect(200).json.as_array().unwrap().clone()
}

#[tokio::test]
async fn backups_outlive_their_server_and_make_a_new_one() {
    let mut panel = Panel::start().await;
    let game =
        Game::with(&panel, "game", json!({ "templateId": "minecraft-vanilla", "acceptEula": true })).await;
    std::fs::write(game.file(&panel, "world"), "as it was").unwrap();
    let first = create(&game, "First").await;
    ready(&game, &first).await;
    let second = create(&game, "Second").await;
    ready(&game, &second).await;
    panel.admin().delete(&game.path("")).await.expect(204);

    panel.kill().await;
    panel.again().await;
    let admin = panel.admin();
    let kept = deleted(&panel).await.remove(0);
    assert_eq!((&kept["id"], &kept["backups"]), (&json!(game.id), &json!(2)), "{kept}");
    assert!(kept["game"].as_str().unwrap().contains("Minecraft"), "{kept}");
    let base = format!("/api/deleted-servers/{}", game.id);
    let list = admin.get(&format!("{base}/backups")).await.expect(200).json;
    assert_eq!(list[0]["name"], "Second", "{list}");

    // A locked one stays whatever is asked for.
    let one = format!("{base}/backups/{first}");
    admin.patch(&one, json!({ "locked": true })).await.expect(200);
    admin.delete(&base).await.refused(409, "conflict");
    admin.patch(&base, json!({ "keepDays": 0 })).await.refused(422, "invalid");
    assert_eq!(admin.patch(&base, json!({ "keepDays": 30 })).await.expect(200).json["keepDays"], 30);

    admin.post(&format!("{one}/restore-as"), json!({ "name": "Back" })).await.expect(202);
    let new = until("the new server is there", seconds(90), async || {
        let list = admin.get("/api/servers").await.expect(200).json;
        list.as_array().unwrap().iter().find(|server| server["name"] == "Back").cloned()
    })
    .await;
    let folder = panel.folder().join("servers").join(new["id"].as_str().unwrap());
    let text = until("its files are there", seconds(30), async || {
        std::fs::read_to_string(folder.join("world")).ok()
    });
    assert_eq!(text.await, "as it was");

    // Given to a server that is there, they are among its own.
    let other = Game::new(&panel, "game").await;
    admin.post(&format!("{base}/give"), json!({ "serverId": "none" })).await.refused(422, "invalid");
    admin.post(&format!("{base}/give"), json!({ "serverId": other.id })).await.expect(204);
    assert_eq!(deleted(&panel).await, Vec::<Value>::new());
    admin.get(&format!("{base}/backups")).await.refused(404, "not_found");
    admin.post(&other.path(&format!("/backups/{second}/restore")), json!(null)).await.expect(202);
    becomes(&other, &second, "ready", seconds(60)).await;
    assert_eq!(std::fs::read_to_string(other.file(&panel, "world")).unwrap(), "as it was");
}

#[tokio::test]
async fn backups_go_with_their_server_where_that_is_asked() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "game").await;
    let id = create(&game, "One").await;
    ready(&game, &id).await;
    panel.admin().delete(&format!("{}?keepBackups=false", game.path(""))).await.expect(204);
    assert_eq!(deleted(&panel).await, Vec::<Value>::new());

    let game = Game::new(&panel, "game").await;
    let id = create(&game, "One").await;
    ready(&game, &id).await;
    panel.admin().delete(&game.path("")).await.expect(204);
    assert_eq!(deleted(&panel).await.len(), 1);
    panel.admin().delete(&format!("/api/deleted-servers/{}", game.id)).await.expect(204);
    until("they are deleted", seconds(60), async || deleted(&panel).await.is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_new_server_is_made_on_another_node() {
    let server = servers::rest();
    let panel = Panel::builder().env("WEBSOCKET_PORT", free_port().to_string()).start().await;
    let agent = Agent::join(&panel, "east").await;
    let game = Game::new(&panel, "game").await;
    std::fs::write(game.file(&panel, "world"), "as it was").unwrap();
    let location = servers::rest_location(server.port, "rest-secret");
    let body = json!({ "name": "NAS", "location": location });
    let target = game.admin.post("/api/backup-targets", body).await.expect(201).id();
    let made = game.admin.post(&game.path("/backups"), json!({ "target": target })).await.expect(202).id();
    ready(&game, &made).await;
    let here = create(&game, "Here").await;
    ready(&game, &here).await;
    let to_east = |id: &str| game.path(&format!("/backups/{id}/restore-as"));
    let body = json!({ "name": "There", "nodeId": "east" });
    let refused = game.admin.post(&to_east(&here), body.clone()).await.refused(409, "conflict");
    assert!(refused.text.contains("lies on the node local"), "{refused:?}");
    game.admin.post(&to_east(&made), body).await.expect(202);
    let folder = agent.folder().join("servers");
    let text = until("its files are on that node", seconds(90), async || {
        let list = game.admin.get("/api/servers").await.expect(200).json;
        let new = list.as_array()?.iter().find(|server| server["name"] == "There")?.clone();
        assert_eq!(new["nodeId"], "east", "{new}");
        std::fs::read_to_string(folder.join(new["id"].as_str()?).join("world")).ok()
    })
    .await;
    assert_eq!(text, "as it was");
}

#[tokio::test]
async fn a_folder_of_fifty_thousand_files_is_shown_by_pages() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "game").await;
    let many = game.file(&panel, "many");
    std::fs::create_dir(&many).unwrap();
    for n in 0..50_000 {
        std::fs::File::create(many.join(format!("{n:05}"))).unwrap();
    }
    let id = create(&game, "Many").await;
    becomes(&game, &id, "ready", Duration::from_secs(300)).await;
    let (mut after, mut seen) = (String::new(), 0);
    loop {
        let mut path = game.path(&format!("/backups/{id}/files?path=/many&limit=2000"));
        if seen > 0 {
            path.push_str(&format!("&after={after}"));
        }
        let began = std::time::Instant::now();
        let page = game.admin.get(&path).await.expect(200);
        assert_eq!(page.header("x-total-count"), "50000");
        let took = began.elapsed();
        eprintln!("rows from {seen}: {} ms", took.as_millis());
        assert!(took < Duration::from_secs(20), "{took:?}");
        let rows = page.json.as_array().unwrap().clone();
        for row in &rows {
            assert_eq!(row["name"], format!("{seen:05}"), "each comes once, in order");
            seen += 1;
        }
        let Some(last) = rows.last() else { break };
        after = last["name"].as_str().unwrap().to_owned();
    }
    assert_eq!(seen, 50_000);
}
