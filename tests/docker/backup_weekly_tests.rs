//! Restore tests that nobody asks for.

use serde_json::json;

use super::backups::{backups, create, ready};
use super::game::Game;
use crate::harness::{Panel, seconds, until};

#[tokio::test]
async fn a_weekly_restore_test_is_made_and_says_why_not() {
    let mut panel = Panel::start().await;
    let startup = "cat world.dat; echo; echo 'Done (1.2s)! For help, type \"help\"'; exec game";
    let template = json!({
        "templateId": "minecraft-vanilla", "acceptEula": true, "limits": { "memory": 128 << 20 },
    });
    let mut game = Game::with(&panel, startup, template).await;
    std::fs::write(game.file(&panel, "world.dat"), "a good world").unwrap();
    let id = create(&game, "Good").await;
    let made = ready(&game, &id).await;
    assert_eq!(made["verified"]["kind"], "checked", "{made}");
    // More than any machine has: it is refused, which says nothing of the backup.
    let limits = |memory: i64| json!({ "limits": { "memory": memory } });
    game.admin.patch(&game.path(""), limits(64 << 40)).await.expect(200);
    let refused = game.admin.post(&game.path(&format!("/backups/{id}/test")), json!({})).await.expect(202);
    assert_eq!(refused.json["testing"], true);
    let policy = game.path("/backup-policy");
    let body = json!({ "target": "node", "enabled": false, "time": "04:00", "keep": {}, "testWeekly": true });
    let set = game.admin.put(&policy, body).await.expect(200).json;
    assert_eq!((&set["testWeekly"], &set["tests"]["overdue"]), (&json!(true), &json!(false)), "{set}");
    let short = until("it is said that memory is short", seconds(90), async || {
        let policy = game.admin.get(&policy).await.expect(200).json;
        policy["tests"]["problem"]["sentence"].as_str().map(ToOwned::to_owned)
    });
    let short = short.await;
    assert!(short.contains("not enough free memory"), "{short}");
    let backup = backups(&game).await.remove(0);
    assert_eq!((&backup["verified"]["kind"], &backup["verified"]["ok"]), (&json!("checked"), &json!(true)));
    assert!(game.admin.post("/api/doctor", json!({})).await.expect(200).text.contains("backup_unproved"));

    // With memory for it, a new panel does it by itself once it is turned on anew.
    game.admin.patch(&game.path(""), limits(128 << 20)).await.expect(200);
    for on in [false, true] {
        let body =
            json!({ "target": "node", "enabled": false, "time": "04:00", "keep": {}, "testWeekly": on });
        game.admin.put(&policy, body).await.expect(200);
    }
    panel.kill().await;
    panel.again().await;
    game.admin = panel.admin();
    let proved = until("the game came up", seconds(120), async || {
        let policy = game.admin.get(&policy).await.expect(200).json;
        policy["tests"]["provedAt"].is_string().then_some(policy)
    })
    .await;
    assert!(proved["tests"]["problem"].is_null() && proved["tests"]["overdue"] == false, "{proved}");
    let backup = backups(&game).await.remove(0);
    assert_eq!((&backup["verified"]["kind"], &backup["verified"]["ok"]), (&json!("started"), &json!(true)));
}
