//! Backups at a target: a folder beside the data folder, as a mounted disk would be.

use std::process::Command;

use serde_json::{Value, json};

use super::game::Game;
use crate::harness::{Panel, seconds, until};

async fn newest(game: &Game, status: &str) -> Value {
    until(&format!("the newest backup is {status}"), seconds(90), async || {
        let all = game.admin.get(&game.path("/backups")).await.expect(200).json;
        (all[0]["status"] == status).then(|| all[0].clone())
    })
    .await
}

async fn add(game: &Game, path: &std::path::Path) -> String {
    let body = json!({ "name": "Disk", "location": { "kind": "folder", "path": path } });
    game.admin.post("/api/backup-targets", body).await.expect(201).id()
}

#[tokio::test]
async fn a_folder_is_tried_used_and_read_by_its_kit() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "game").await;
    std::fs::write(game.file(&panel, "world.dat"), "as it was").unwrap();
    let disk = tempfile::tempdir().unwrap();
    let wrong = json!({ "location": { "kind": "folder", "path": disk.path().join("not/there") } });
    let tried = game.admin.post("/api/backup-targets/test", wrong).await.expect(200).json;
    assert_eq!(tried["ok"], false, "{tried}");
    assert!(tried["sentence"].as_str().unwrap().len() > 10, "{tried}");
    let target = add(&game, disk.path()).await;
    let tried = game.admin.post("/api/backup-targets/test", json!({ "id": target })).await.expect(200).json;
    assert_eq!((&tried["ok"], &tried["nodeId"]), (&json!(true), &json!("local")), "{tried}");

    let body = json!({ "name": "Elsewhere", "target": target });
    game.admin.post(&game.path("/backups"), body).await.expect(202);
    let made = newest(&game, "ready").await;
    assert_eq!(made["target"], target.as_str(), "{made}");
    let one = format!("/api/backup-targets/{target}");
    let seen = game.admin.get(&one).await.expect(200).json;
    assert_eq!(seen["backups"], 1, "{seen}");
    let space = &seen["repositories"][0]["space"];
    assert!(space["stored"].as_u64().unwrap() > 0 && space["snapshots"] == 1, "{seen}");
    game.admin.delete(&one).await.refused(409, "conflict");

    // The kit's own commands, on a machine without a panel.
    let kit = game.admin.get(&format!("{one}/kit")).await.expect(200).text;
    let commands: String =
        kit.lines().filter(|line| line.starts_with("export ")).map(|line| format!("{line}\n")).collect();
    let to = tempfile::tempdir().unwrap();
    let script = format!("{commands}restic restore latest --target {}", to.path().display());
    let run = Command::new("sh").args(["-ec", &script]).env("HOME", to.path()).output().unwrap();
    assert!(run.status.success(), "{}\n{kit}", String::from_utf8_lossy(&run.stderr));
    let found = Command::new("find").arg(to.path()).args(["-name", "world.dat"]).output().unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    assert_eq!(std::fs::read_to_string(found.trim()).unwrap(), "as it was");

    // The kit of the node's own repository names the folder where that lies.
    let own = game.admin.get("/api/nodes/local/backup-kit").await.expect(200).text;
    let folder = panel.folder().join("backups");
    assert!(own.contains(&format!("RESTIC_REPOSITORY='{}", folder.display())), "{own}");

    std::fs::write(game.file(&panel, "world.dat"), "spoilt").unwrap();
    let id = made["id"].as_str().unwrap();
    game.admin.post(&game.path(&format!("/backups/{id}/restore")), json!(null)).await.expect(202);
    until("it is as it was", seconds(60), async || {
        (std::fs::read_to_string(game.file(&panel, "world.dat")).ok()? == "as it was").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_target_that_is_gone_is_an_error_and_a_policy_says_so() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "game").await;
    let disk = tempfile::tempdir().unwrap();
    let target = add(&game, disk.path()).await;
    let policy =
        json!({ "target": target, "enabled": false, "time": "04:00", "timeZone": "UTC", "keep": {} });
    game.admin.put(&game.path("/backup-policy"), policy).await.expect(200);
    let one = format!("/api/backup-targets/{target}");
    game.admin.delete(&one).await.refused(409, "conflict");
    game.admin.post(&game.path("/backups"), json!({})).await.expect(202);
    newest(&game, "ready").await;
    // The disk is not mounted any more: no new repository is made in its place.
    let away = disk.path().with_extension("away");
    std::fs::rename(disk.path(), &away).unwrap();
    std::fs::create_dir(disk.path()).unwrap();
    game.admin.post(&game.path("/backups"), json!({})).await.expect(202);
    let failed = newest(&game, "failed").await;
    assert!(failed["statusReason"].as_str().unwrap().len() > 20, "{failed}");
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 0);
    std::fs::remove_dir(disk.path()).unwrap();
    std::fs::rename(&away, disk.path()).unwrap();
    game.admin.post(&game.path("/backups"), json!({})).await.expect(202);
    newest(&game, "ready").await;
}

#[tokio::test]
async fn a_restore_is_undone_with_files_that_backups_leave_out() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "game").await;
    // Of a folder that is still empty.
    game.admin.post(&game.path("/backups"), json!({})).await.expect(202);
    let first = newest(&game, "ready").await;
    std::fs::write(game.file(&panel, ".backupignore"), "notes.txt\n").unwrap();
    std::fs::write(game.file(&panel, "notes.txt"), "by hand").unwrap();
    let restore = async |id: &Value| {
        let path = game.path(&format!("/backups/{}/restore", id.as_str().unwrap()));
        game.admin.post(&path, json!(null)).await.expect(202);
    };
    restore(&first["id"]).await;
    until("the files are those of the backup", seconds(60), async || {
        (!game.file(&panel, "notes.txt").exists()).then_some(())
    })
    .await;
    until("nothing is under way", seconds(60), async || {
        let all = game.admin.get(&game.path("/backups")).await.expect(200).json;
        all.as_array().unwrap().iter().all(|one| one["status"] == "ready").then_some(())
    })
    .await;
    let before = newest(&game, "ready").await;
    assert_eq!(before["origin"], "before_restore", "{before}");
    restore(&before["id"]).await;
    until("the notes are back", seconds(60), async || {
        (std::fs::read_to_string(game.file(&panel, "notes.txt")).ok()? == "by hand").then_some(())
    })
    .await;
}
