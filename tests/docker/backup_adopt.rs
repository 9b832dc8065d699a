//! A new target where backups lie already: of another panel, and of restic.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::backups::{backups, becomes, ready};
use super::game::Game;
use crate::harness::{Panel, seconds, until};

fn restic(repository: &Path, password: &str, args: &[&str]) {
    let run = Command::new("restic")
        .args(["--no-cache", "-r", repository.to_str().unwrap()])
        .args(args)
        .env("RESTIC_PASSWORD", password)
        .output()
        .expect("restic is there");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

async fn deleted(panel: &Panel) -> Vec<Value> {
    panel.admin().get("/api/deleted-servers").await.expect(200).json.as_array().unwrap().clone()
}

#[tokio::test]
async fn backups_of_another_panel_and_of_restic_are_taken_in() {
    let folder = tempfile::Builder::new().prefix("cap-target-").tempdir().unwrap();
    let first = Panel::start().await;
    let game = Game::new(&first, "game").await;
    std::fs::write(game.file(&first, "world"), "as it was").unwrap();
    let target = json!({ "name": "Disk", "location": { "kind": "folder", "path": folder.path() } });
    let target = first.admin().post("/api/backup-targets", target).await.expect(201).id();
    let made = game.admin.post(&game.path("/backups"), json!({ "target": target })).await.expect(202).id();
    ready(&game, &made).await;
    let kit = first.admin().get(&format!("/api/backup-targets/{target}/kit")).await.expect(200).text;
    let quoted = kit.split("RESTIC_PASSWORD=").nth(1).unwrap().lines().next().unwrap();
    let password = quoted.trim_matches('\'').to_owned();
    let shown = first.admin().get(&format!("/api/backup-targets/{target}")).await.expect(200).json;
    let repository = folder.path().join(shown["repositories"][0]["id"].as_str().unwrap());

    // restic adds one of a folder of its own.
    let own = tempfile::Builder::new().prefix("cap-own-").tempdir().unwrap();
    std::fs::write(own.path().join("plain"), "by restic").unwrap();
    restic(&repository, &password, &["backup", own.path().to_str().unwrap()]);
    drop(first);

    let second = Panel::start().await;
    let admin = second.admin();
    let location = json!({ "kind": "folder", "path": repository });
    let test = async |more: Value| {
        let mut body = json!({ "location": location });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        admin.post("/api/backup-targets/test", body).await
    };
    let seen = until("the node is there", seconds(30), async || {
        let answer = test(json!({})).await;
        (answer.status == 200).then_some(answer.json)
    })
    .await;
    assert_eq!((&seen["foreign"], &seen["ok"]), (&json!(true), &json!(false)), "{seen}");
    test(json!({ "repositoryPassword": "wrong" })).await.refused(422, "invalid").field("repositoryPassword");
    let opened = test(json!({ "repositoryPassword": password })).await.expect(200).json;
    assert_eq!((&opened["ok"], opened["found"].as_array().unwrap().len()), (&json!(true), 2), "{opened}");

    let body = json!({ "name": "Old disk", "location": location, "repositoryPassword": password });
    let added = admin.post("/api/backup-targets", body).await.expect(201).json;
    assert_eq!(added["backups"], 2, "{added}");
    assert!(!second.log().contains(&password), "the log tells the password");
    let found = deleted(&second).await;
    assert_eq!(found.len(), 2, "{found:?}");

    // Given to a server, each of them is restored there.
    let new = Game::new(&second, "game").await;
    for one in &found {
        let base = format!("/api/deleted-servers/{}", one["id"].as_str().unwrap());
        assert_eq!(one["restorable"], false);
        admin.post(&format!("{base}/give"), json!({ "serverId": new.id })).await.expect(204);
    }
    let mut texts = Vec::new();
    for backup in backups(&new).await {
        let id = backup["id"].as_str().unwrap();
        admin.post(&new.path(&format!("/backups/{id}/restore")), json!(null)).await.expect(202);
        let done = becomes(&new, id, "ready", seconds(60)).await;
        assert!(done["statusReason"].is_null(), "{done}");
        let read = |name: &str| std::fs::read_to_string(new.file(&second, name)).ok();
        texts.extend(["world", "plain"].into_iter().filter_map(read));
    }
    texts.sort();
    assert_eq!(texts, ["as it was", "by restic"]);
    // What is made there next goes into the same repository, and all of it is checked.
    let target = added["id"].as_str().unwrap();
    let made = admin.post(&new.path("/backups"), json!({ "target": target })).await.expect(202).id();
    ready(&new, &made).await;
    admin.post(&format!("/api/backup-targets/{target}/check"), json!(null)).await.expect(202);
    until("it was checked", seconds(90), async || {
        let shown = admin.get(&format!("/api/backup-targets/{target}")).await.expect(200).json;
        let check = &shown["repositories"][0]["check"];
        // Space is freed after it, under an exclusive lock.
        (check["last"]["damaged"] == 0 && check["running"] == false).then_some(())
    })
    .await;
    restic(&repository, &password, &["check"]);
}
