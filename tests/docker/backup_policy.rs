//! Backups that nobody asks for by hand: each day, and before what may not be undone.

use std::time::Duration;

use serde_json::{Value, json};

use super::game::Game;
use crate::harness::{Panel, seconds, until};

/// The server's backups, newest first.
async fn backups(game: &Game) -> Vec<Value> {
    game.admin.get(&game.path("/backups")).await.expect(200).json.as_array().unwrap().clone()
}

async fn policy(game: &Game) -> Value {
    game.admin.get(&game.path("/backup-policy")).await.expect(200).json
}

/// The usual policy, changed.
fn changed(more: &Value) -> Value {
    let mut body =
        json!({ "target": "node", "enabled": false, "time": "04:00", "timeZone": "UTC", "keep": {} });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn set_policy(game: &Game, more: &Value) -> Value {
    game.admin.put(&game.path("/backup-policy"), changed(more)).await.expect(200).json
}

/// The newest backup, once it is in this state.
async fn newest(game: &Game, status: &str, within: Duration) -> Value {
    until(&format!("the newest backup is {status}"), within, async || {
        let backup = backups(game).await.into_iter().next()?;
        (backup["status"] == status).then_some(backup)
    })
    .await
}

/// `04:05`, and how long it takes until a clock shows that.
fn next_minute() -> (String, Duration) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let minute = now.as_secs() / 60 + 1;
    let text = format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
    (text, Duration::from_secs(minute * 60) - now)
}

#[tokio::test]
async fn a_policy_is_checked_kept_and_goes_with_what_was_seen() {
    let mut panel = Panel::start().await;
    let mut game = Game::new(&panel, "game").await;
    let path = game.path("/backup-policy");
    let usual = game.admin.get(&path).await.expect(200);
    assert_eq!((&usual.json["enabled"], &usual.json["target"]), (&json!(false), &json!("node")));
    assert!(usual.json["nextAt"].is_null(), "{usual:?}");
    for (more, field) in [
        (json!({ "time": "24:00" }), "time"),
        (json!({ "timeZone": "Mars/Olympus" }), "timeZone"),
        (json!({ "timeZone": "../../../etc/passwd" }), "timeZone"),
        (json!({ "keep": { "last": 1001 } }), "keep.last"),
        (json!({ "target": "none" }), "target"),
        (json!({ "ignore": ["a\nb"] }), "ignore"),
        (json!({ "ignore": vec!["x"; 201] }), "ignore"),
    ] {
        let refused = game.admin.put(&path, changed(&more)).await.refused(422, "invalid");
        assert!(!refused.field(field).is_empty(), "{more}: {refused:?}");
    }
    let more = json!({ "enabled": true, "timeZone": "Europe/Berlin", "keep": { "daily": 7 }, "ignore": ["*.log", "!keep.log"] });
    let set = set_policy(&game, &more).await;
    assert_eq!((&set["effectiveTimeZone"], &set["keep"]["daily"]), (&json!("Europe/Berlin"), &json!(7)));
    let next = set["nextAt"].as_str().unwrap().to_owned();
    assert!(next.ends_with("02:00:00Z") || next.ends_with("03:00:00Z"), "{next}");
    let stale = usual.json["revision"].as_str().unwrap();
    let late = game.admin.request(reqwest::Method::PUT, &path).header("if-match", format!("\"{stale}\""));
    game.admin.send(late.json(&changed(&json!({})))).await.refused(412, "precondition_failed");
    panel.kill().await;
    panel.again().await;
    game.admin = panel.admin();
    let kept = policy(&game).await;
    assert_eq!((&kept["nextAt"], &kept["ignore"]), (&json!(next), &json!(["*.log", "!keep.log"])));
    assert!(set_policy(&game, &json!({})).await["nextAt"].is_null());
}

#[tokio::test]
async fn a_backup_that_was_missed_is_made_once_after_the_start() {
    let mut panel = Panel::start().await;
    let mut game = Game::new(&panel, "game").await;
    let (time, wait) = next_minute();
    let set = set_policy(&game, &json!({ "enabled": true, "time": time, "keep": { "last": 1 } })).await;
    let due = set["nextAt"].as_str().unwrap().to_owned();
    panel.kill().await;
    tokio::time::sleep(wait + seconds(1)).await;
    panel.again().await;
    game.admin = panel.admin();
    let made = newest(&game, "ready", seconds(90)).await;
    assert_eq!((&made["origin"], &made["name"]), (&json!("scheduled"), &json!("Daily")), "{made}");
    let after = policy(&game).await;
    assert!(after["nextAt"].as_str().unwrap() > due.as_str() && after["problem"].is_null(), "{after}");
    // Once: the next start finds nothing to do.
    panel.kill().await;
    panel.again().await;
    game.admin = panel.admin();
    tokio::time::sleep(seconds(25)).await;
    assert_eq!(backups(&game).await.len(), 1);

    // The only one stays, whatever the rules say; beside a newer one by hand it may go.
    let preview = game.path("/backup-policy/preview");
    let rules = json!({ "keep": { "withinDays": 1 } });
    assert_eq!(game.admin.post(&preview, rules).await.expect(200).json, json!([]));
    let rules = json!({ "keep": { "last": 1001 } });
    game.admin.post(&preview, rules).await.refused(422, "invalid");
}

#[tokio::test]
async fn a_reinstall_waits_for_a_backup() {
    let mut panel = Panel::start().await;
    let mut game = Game::new(&panel, "game").await;
    std::fs::write(game.file(&panel, "world.dat"), vec![7; 64 << 20]).unwrap();
    let again = game.path("/reinstall");
    let answer = game.admin.post(&again, json!({ "wipe": true, "backupFirst": true })).await.expect(202);
    let id = answer.json["backup"].as_str().unwrap().to_owned();
    game.admin.post(&again, json!({ "wipe": true, "backupFirst": true })).await.refused(409, "conflict");
    // Cut off at once: what was asked for is written, and goes on.
    panel.kill().await;
    assert!(game.file(&panel, "world.dat").exists());
    panel.again().await;
    game.admin = panel.admin();
    let made = newest(&game, "ready", seconds(90)).await;
    assert_eq!((&made["id"], &made["origin"]), (&json!(id), &json!("before_change")), "{made}");
    assert!(made["statusReason"].is_null() && made["size"].as_u64().unwrap() >= 64 << 20, "{made}");
    until("its files are gone", seconds(30), async || {
        (!game.file(&panel, "world.dat").exists()).then_some(())
    })
    .await;
    game.becomes("stopped", seconds(60)).await;
    game.admin.post(&game.path(&format!("/backups/{id}/restore")), json!(null)).await.expect(202);
    until("they are back", seconds(60), async || game.file(&panel, "world.dat").exists().then_some(())).await;
}

#[tokio::test]
async fn nothing_risky_is_done_where_the_backup_fails() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "game").await;
    std::fs::write(game.file(&panel, "world.dat"), "x").unwrap();
    // Where the repository is to be, there is no folder, and none can be made.
    drop(std::fs::remove_dir(panel.folder().join("backups")));
    std::fs::write(panel.folder().join("backups"), "in the way").unwrap();
    let wipe = json!({ "wipe": true, "backupFirst": true });
    game.admin.post(&game.path("/reinstall"), wipe).await.expect(202);
    let failed = newest(&game, "failed", seconds(60)).await;
    let why = failed["statusReason"].as_str().unwrap();
    assert!(why.contains("was not done"), "{why}");
    assert!(game.file(&panel, "world.dat").exists(), "nothing was thrown away");
}

#[tokio::test]
async fn a_server_that_is_stopped_for_its_backup_is_started_again() {
    let mut panel = Panel::start().await;
    let mut game = Game::running(&panel, "game").await;
    std::fs::write(game.file(&panel, "world.dat"), vec![3; 200 << 20]).unwrap();
    set_policy(&game, &json!({ "stopServer": true })).await;
    let before = game.started_at().await;
    game.admin.post(&game.path("/backups"), json!({ "name": "Still" })).await.expect(202);
    game.becomes("stopped", seconds(30)).await;
    panel.kill().await;
    panel.again().await;
    game.admin = panel.admin();
    let made = newest(&game, "ready", seconds(120)).await;
    assert!(made["statusReason"].is_null(), "{made}");
    game.becomes("running", seconds(30)).await;
    assert_ne!(game.started_at().await, before, "it was stopped");
    // One that does not run is left as it is.
    game.power("stop").await.expect(202);
    game.becomes("stopped", seconds(20)).await;
    game.admin.post(&game.path("/backups"), json!({})).await.expect(202);
    newest(&game, "ready", seconds(60)).await;
    assert_eq!(game.status().await, "stopped");
    // Whoever may not stop it may not have it stopped either.
    let friend = panel.user("friend").await;
    let grant = game.path(&format!("/users/{}", friend.get("/api/me").await.id()));
    game.admin.put(&grant, json!({ "permissions": ["backups"] })).await.expect(204);
    let path = game.path("/backup-policy");
    friend.put(&path, changed(&json!({}))).await.expect(200);
    friend.put(&path, changed(&json!({ "stopServer": true }))).await.refused(403, "forbidden");
    friend.put(&path, changed(&json!({ "enabled": true }))).await.expect(200);
    friend.post(&game.path("/reinstall"), json!({ "backupFirst": true })).await.refused(403, "forbidden");
}
