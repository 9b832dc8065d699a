//! Looking, moving, deleting and putting back.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;

use super::{friend, world};
use crate::harness::{Live, seconds};

#[tokio::test]
async fn folders_are_listed_whole_and_in_parts() {
    let (panel, game) = world().await;
    let root = game.file(&panel, "");
    std::fs::create_dir(root.join("world")).unwrap();
    std::fs::write(root.join("a.txt"), "abc").unwrap();
    std::fs::set_permissions(root.join("a.txt"), std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink("/etc/passwd", root.join("link")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(root.join("pipe")).status().unwrap().success());
    let entries = game.listed("/").await;
    let shown: Vec<_> = entries
        .iter()
        .map(|entry| (entry["name"].as_str().unwrap(), entry["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(shown, [("a.txt", "file"), ("link", "symlink"), ("pipe", "other"), ("world", "directory")]);
    assert_eq!((&entries[0]["size"], &entries[0]["mode"]), (&json!(3), &json!("640")));
    assert!(entries[0]["modified"].as_str().unwrap().ends_with('Z'), "{entries:?}");
    assert_eq!(entries[1]["target"], "/etc/passwd");
    assert!(entries[1].get("targetKind").is_none(), "it leads out: {entries:?}");
    symlink("world", root.join("a-link")).unwrap();
    assert_eq!(game.listed("/").await[0]["targetKind"], "directory");
    std::fs::remove_file(root.join("a-link")).unwrap();

    for number in 0..2_500 {
        std::fs::write(root.join(format!("world/{number:05}")), "").unwrap();
    }
    let all = game.admin.get(&game.files("?path=/world")).await.expect(200);
    assert_eq!((all.json.as_array().unwrap().len(), all.header("x-total-count")), (2_500, "2500"));
    let part = game.admin.get(&game.files("?path=/world&after=00009&limit=3")).await.expect(200);
    let names: Vec<_> = part.json.as_array().unwrap().iter().map(|entry| entry["name"].clone()).collect();
    assert_eq!(names, ["00010", "00011", "00012"]);
    assert_eq!(part.header("x-total-count"), "2500");
    assert_eq!(part.header("etag"), "", "only a beginning has one");
    // Whoever looks again is told of what came or went, and of nothing else.
    let first = game.admin.get(&game.files("?path=/world&limit=3")).await.expect(200);
    let (count, etag) = (first.json.as_array().unwrap().len(), first.header("etag").to_owned());
    assert!(count == 3 && etag.len() > 8, "{etag}");
    let look = game.files(&format!("?path=/world&limit=3&unless={}", etag.trim_matches('"')));
    let same = game.admin.get(&look).await.expect(200);
    assert_eq!((&same.json, same.header("etag")), (&json!([]), etag.as_str()));
    std::fs::remove_file(root.join("world/00000")).unwrap();
    let changed = game.admin.get(&look).await.expect(200);
    assert_eq!((changed.json[0]["name"].as_str(), changed.header("x-total-count")), (Some("00001"), "2499"));
    assert_ne!(changed.header("etag"), etag);
    game.admin.get(&game.files("?path=/none")).await.refused(404, "not_found");
    let bad = game.admin.get(&game.files("?path=/&limit=0")).await.refused(422, "invalid");
    assert!(!bad.field("limit").is_empty());
    let began = std::time::Instant::now();
    game.admin.get(&game.content("/pipe")).await.refused(400, "not_regular");
    assert!(began.elapsed() < seconds(1));
    game.admin.get(&game.content("/link")).await;
}

#[tokio::test]
async fn files_are_made_moved_copied_deleted_and_put_back() {
    let (panel, game) = world().await;
    game.act("mkdir", json!({ "path": "/plugins/deep" })).await.expect(204);
    game.put("/plugins/a.yml", "a: 1\n").await.expect(204);
    game.act("copy", json!({ "path": "/plugins", "to": "/copy" })).await.expect(200);
    assert_eq!(game.text("/copy/a.yml").await, "a: 1\n");
    game.act("copy", json!({ "path": "/plugins", "to": "/copy" })).await.refused(409, "exists");
    let within = game.act("copy", json!({ "path": "/plugins", "to": "/plugins/deep/x" })).await;
    assert!(!within.refused(422, "invalid").field("to").is_empty());

    game.put("/b.yml", "b").await.expect(204);
    let rename = |replace: bool| json!({ "path": "/b.yml", "to": "/copy/a.yml", "replace": replace });
    game.act("rename", rename(false)).await.refused(409, "exists");
    game.act("rename", rename(true)).await.expect(204);
    assert_eq!(game.text("/copy/a.yml").await, "b");
    game.act("rename", json!({ "path": "/b.yml", "to": "/c" })).await.refused(404, "not_found");

    game.act("chmod", json!({ "path": "/copy/a.yml", "mode": "600" })).await.expect(204);
    assert_eq!(game.listed("/copy").await[0]["mode"], "600");
    for mode in ["4755", "9", "rwx", "77777"] {
        let bad = game.act("chmod", json!({ "path": "/copy/a.yml", "mode": mode })).await;
        assert!(!bad.refused(422, "invalid").field("mode").is_empty(), "{mode}");
    }

    let job = game.act("delete", json!({ "paths": ["/copy", "/plugins/a.yml"] })).await.expect(200).json;
    assert_eq!((&job["kind"], &job["state"]), (&json!("delete"), &json!("done")), "{job}");
    let trashed = job["trashed"].as_array().unwrap();
    assert_eq!(trashed.len(), 2, "{job}");
    assert!(!game.file(&panel, "copy").exists());
    let trash = game.admin.get(&game.files("/trash")).await.expect(200).json;
    assert_eq!(trash.as_array().unwrap().len(), 2, "{trash}");
    let ids: Vec<_> = trashed.iter().map(|one| one["id"].clone()).collect();
    game.act("trash/restore", json!({ "ids": ids })).await.expect(200);
    assert_eq!(game.text("/copy/a.yml").await, "b");
    assert_eq!(game.text("/plugins/a.yml").await, "a: 1\n");

    game.act("delete", json!({ "paths": ["/copy"] })).await.expect(200);
    game.act("trash/empty", json!({})).await.expect(200);
    assert_eq!(game.admin.get(&game.files("/trash")).await.expect(200).json, json!([]));
    game.act("delete", json!({ "paths": ["/plugins"], "permanent": true })).await.expect(200);
    assert_eq!(game.admin.get(&game.files("/trash")).await.expect(200).json, json!([]));
    game.act("delete", json!({ "paths": ["/"] })).await.refused(422, "invalid");
    game.act("delete", json!({ "paths": [] })).await.refused(422, "invalid");

    let log = panel.log();
    for said in ["file written", "folder made", "file renamed", "permissions changed", "work on files"] {
        let line = log.lines().find(|line| line.contains(said) && line.contains("by=admin"));
        assert!(line.is_some(), "{said} with who did it");
    }
}

#[tokio::test]
async fn odd_names_are_shown_and_can_be_deleted() {
    let (panel, game) = world().await;
    let root = game.file(&panel, "");
    let odd: [&[u8]; 4] = [b"caf\xe9", b"new\nline", b"a\";\r\nX-Evil: 1;\"<script>.html", b"Level.dat"];
    for name in odd {
        std::fs::write(root.join(std::ffi::OsStr::from_bytes(name)), "odd").unwrap();
    }
    std::fs::write(root.join("level.dat"), "another").unwrap();
    let names = game.names("/").await;
    for name in ["caf\u{EFE9}", "new\nline", "a\";\r\nX-Evil: 1;\"<script>.html", "Level.dat", "level.dat"] {
        assert!(names.iter().any(|shown| shown == name), "{name:?} in {names:?}");
    }
    let answer = game.admin.get(&game.content("/a\";\r\nX-Evil: 1;\"<script>.html")).await.expect(200);
    assert_eq!(answer.text, "odd");
    assert!(answer.headers.get("x-evil").is_none());
    let disposition = answer.header("content-disposition");
    assert!(disposition.starts_with("attachment; filename=\"a____X-Evil"), "{disposition}");
    assert!(disposition.contains("filename*=UTF-8''a%22%3B%0D%0AX-Evil"), "{disposition}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.header("content-security-policy").contains("sandbox"));
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    assert_eq!(game.text("/level.dat").await, "another", "another case is another file");

    game.act("rename", json!({ "path": "/caf\u{EFE9}", "to": "/cafe" })).await.expect(204);
    assert!(root.join("cafe").exists());
    let all = ["/new\nline", "/a\";\r\nX-Evil: 1;\"<script>.html", "/cafe"];
    game.act("delete", json!({ "paths": all, "permanent": true })).await.expect(200);
    assert_eq!(game.names("/").await, ["Level.dat", "level.dat"]);
}

#[tokio::test]
async fn whoever_may_only_see_changes_nothing() {
    let (panel, game) = world().await;
    game.put("/a.txt", "secret").await.expect(204);
    let (reader, _) = friend(&panel, &game, "reader", "files_read").await;
    let (player, _) = friend(&panel, &game, "player", "console").await;
    let stranger = panel.user("stranger").await;
    let content = game.content("/a.txt");
    assert_eq!(reader.get(&content).await.expect(200).text, "secret");
    player.get(&content).await.refused(403, "forbidden");
    stranger.get(&content).await.refused(404, "not_found");
    super::put(&reader, &content, "changed", &[]).await.refused(403, "forbidden");
    reader.post(&game.files("/delete"), json!({ "paths": ["/a.txt"] })).await.refused(403, "forbidden");
    assert_eq!(game.text("/a.txt").await, "secret");
    let (writer, _) = friend(&panel, &game, "writer", "files").await;
    super::put(&writer, &content, "changed", &[]).await.expect(204);
    assert_eq!(writer.get(&content).await.expect(200).text, "changed", "who may write may read");
}

#[tokio::test]
async fn work_is_followed_live() {
    let (_panel, game) = world().await;
    game.put("/a.txt", "abc").await.expect(204);
    let mut live = Live::open(&game.admin).await;
    let topic = format!("files:{}", game.id);
    live.subscribe(&[&topic]).await;
    live.wait(seconds(5), |message| (message["data"]["jobs"] == json!([])).then_some(())).await;
    let body = json!({ "path": "/a.txt", "to": "/b.txt", "background": true });
    let begun = game.act("copy", body).await.expect(202).json;
    let done = live
        .wait(seconds(5), |message| {
            let job =
                message["data"]["jobs"].as_array()?.iter().find(|job| job["id"] == begun["id"])?.clone();
            (job["state"] == "done").then_some(job)
        })
        .await;
    assert_eq!(done["kind"], "copy", "{done}");
    assert!(done["startedAt"].is_string() && done["endedAt"].is_string(), "{done}");
    let listed = game.admin.get(&game.files("/jobs")).await.expect(200).json;
    assert_eq!(listed, json!([done]));
    let over = game.admin.delete(&game.files(&format!("/jobs/{}", begun["id"].as_str().unwrap()))).await;
    over.refused(409, "conflict");
    game.admin.delete(&game.files("/jobs/none")).await.refused(404, "not_found");
}
