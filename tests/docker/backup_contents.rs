//! What is in a backup: looked at, put back in part, downloaded; and whether a game starts from it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use super::backups::{backups, becomes, create, ready};
use super::game::Game;
use super::transfers::Agent;
use crate::harness::{Panel, free_port, long, seconds, until};

fn names(entries: &Value) -> Vec<&str> {
    entries.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

async fn entries(game: &Game, backup: &str, query: &str) -> (Value, String) {
    let path = game.path(&format!("/backups/{backup}/files?{query}"));
    let answer = game.admin.get(&path).await.expect(200);
    (answer.json.clone(), answer.header("x-total-count").to_owned())
}

/// The names in an archive, as `tar` lists them.
fn listed(archive: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar.gz");
    std::fs::write(&path, archive).unwrap();
    let out = Command::new("tar").arg("-tzf").arg(&path).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect()
}

async fn downloaded(game: &Game, backup: &str, body: Value) -> Vec<u8> {
    let link = game.admin.post(&game.path(&format!("/backups/{backup}/downloads")), body).await.expect(201);
    let answer = game.admin.request(Method::GET, link.json["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn a_backup_is_looked_at_put_back_in_part_and_downloaded() {
    let panel = Panel::start().await;
    let game = Game::running(&panel, "game").await;
    let other = Game::new(&panel, "game").await;
    let world = game.file(&panel, "world");
    std::fs::create_dir_all(world.join("region")).unwrap();
    std::fs::write(world.join("level.dat"), "as it was").unwrap();
    for n in 0..1_200 {
        std::fs::write(world.join(format!("region/r.{n:04}")), "x").unwrap();
    }
    std::fs::write(world.join("new\nline"), "1").unwrap();
    std::fs::write(world.join(OsStr::from_bytes(b"caf\xe9")), "2").unwrap();
    symlink("/etc/passwd", world.join("out")).unwrap();
    std::fs::write(game.file(&panel, "ops.json"), "[1]").unwrap();
    let id = create(&game, "One").await;
    let made = ready(&game, &id).await;
    assert_eq!(
        (&made["verified"]["kind"], &made["verified"]["ok"]),
        (&json!("checked"), &json!(true)),
        "{made}"
    );

    let (found, total) = entries(&game, &id, "path=/world").await;
    assert_eq!(names(&found), ["caf\u{EFE9}", "level.dat", "new\nline", "out", "region"]);
    assert_eq!(total, "5");
    let kinds: Vec<_> =
        found.as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["file", "file", "file", "symlink", "directory"]);
    assert_eq!((&found[1]["size"], &found[3]["target"]), (&json!(9), &json!("/etc/passwd")));
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let (page, total) = entries(&game, &id, &format!("path=/world/region{after}")).await;
        assert_eq!(total, "1200");
        let page: Vec<_> = names(&page).into_iter().map(str::to_owned).collect();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 500);
        after = format!("&after={last}");
        all.extend(page);
    }
    assert!(all.len() == 1_200 && all.is_sorted(), "{}", all.len());

    // What leads nowhere.
    let at = |rest: &str| game.path(&format!("/backups/{id}/{rest}"));
    game.admin.get(&at("files?path=/../x")).await.refused(400, "path_escape");
    game.admin.get(&at("files?path=/none")).await.refused(404, "not_found");
    game.admin.get(&at("files?path=/world/out/x")).await.refused(404, "not_found");
    game.admin.get(&game.path("/backups/guess/files?path=/")).await.refused(404, "not_found");
    for rest in ["files?path=/", "downloads", "restore", "test"] {
        let path = other.path(&format!("/backups/{id}/{rest}"));
        let answer = match rest {
            "files?path=/" => other.admin.get(&path).await,
            _ => other.admin.post(&path, json!({})).await,
        };
        answer.refused(404, "not_found");
    }

    // A running game gets back what was chosen, and nothing else.
    std::fs::write(world.join("level.dat"), "spoilt").unwrap();
    std::fs::remove_dir_all(world.join("region")).unwrap();
    std::fs::create_dir(world.join("region")).unwrap();
    std::fs::write(world.join("region/later"), "x").unwrap();
    std::fs::write(game.file(&panel, "ops.json"), "[2]").unwrap();
    game.admin.post(&at("restore"), json!(null)).await.refused(409, "conflict");
    game.admin.post(&at("restore"), json!({ "paths": ["/.."] })).await.refused(400, "path_escape");
    let chosen = json!({ "paths": ["/world/level.dat", "/world/region", "/world/region/r.0001"] });
    game.admin.post(&at("restore"), chosen).await.expect(202);
    let restored = ready(&game, &id).await;
    assert!(restored["statusReason"].is_null(), "{restored}");
    assert_eq!(std::fs::read_to_string(world.join("level.dat")).unwrap(), "as it was");
    assert_eq!(std::fs::read_dir(world.join("region")).unwrap().count(), 1_200);
    assert_eq!(std::fs::read_to_string(game.file(&panel, "ops.json")).unwrap(), "[2]");
    assert_eq!(game.status().await, "running");
    let kept = backups(&game).await[0].clone();
    assert_eq!((&kept["origin"], &kept["status"]), (&json!("before_restore"), &json!("ready")), "{kept}");
    let (before, _) = entries(&game, kept["id"].as_str().unwrap(), "path=/world/region").await;
    assert_eq!(names(&before), ["later"], "it was made after the folders were looked at first");
    game.admin.post(&at("restore"), json!({ "paths": ["/none"] })).await.expect(202);
    let refused = ready(&game, &id).await;
    assert!(refused["statusReason"].as_str().unwrap().contains("There is no /none"), "{refused}");

    let archive = downloaded(&game, &id, json!({ "paths": ["/world/region"], "format": "tar.gz" })).await;
    let inside = listed(&archive);
    assert!(
        inside.len() == 1_201 && inside[0] == "region/" && inside[1] == "region/r.0000",
        "{}",
        inside.len()
    );
    let all = downloaded(&game, &id, json!({ "format": "zip" })).await;
    assert!(all.starts_with(b"PK") && all.windows(15).any(|bytes| bytes == b"world/level.dat"));
    // A restore of what is downloaded at the same time does no harm to either.
    game.admin.post(&at("downloads"), json!({ "paths": ["/none"] })).await.expect(201);
}

#[tokio::test]
async fn a_game_starts_from_a_backup_in_a_restore_test() {
    let mut panel = Panel::start().await;
    let startup = "cat world.dat; echo; grep -q good world.dat || { echo 'no world'; exit 3; }; \
                   [ -e /sys/class/net/eth0 ] && { echo 'a network'; exit 4; }; sleep 2; \
                   echo 'Done (1.2s)! For help, type \"help\"'; exec game";
    let template = json!({
        "templateId": "minecraft-vanilla", "acceptEula": true, "limits": { "memory": 128 << 20 },
    });
    let mut game = Game::with(&panel, startup, template).await;
    let container = format!("ctrl-alt-play-{}.test", game.id);
    let there = |filter: &str| {
        let out = Command::new("docker").args(["ps", "-aq", "--filter", filter]).output().unwrap();
        !out.stdout.is_empty()
    };
    let name = format!("name={container}");
    let folder = panel.folder().join("servers").join(format!(".testing-{}", game.id));
    std::fs::write(game.file(&panel, "world.dat"), "a good world").unwrap();
    let good = create(&game, "Good").await;
    ready(&game, &good).await;
    std::fs::write(game.file(&panel, "world.dat"), "a broken world").unwrap();
    let broken = create(&game, "Broken").await;
    ready(&game, &broken).await;

    let test = |game: &Game, id: &str| game.path(&format!("/backups/{id}/test"));
    let found = async |game: &Game, id: &str| {
        until("the test has ended", seconds(90), async || {
            let backup = backups(game).await.into_iter().find(|backup| backup["id"] == id)?;
            (backup["testing"] == false).then_some(backup)
        })
        .await
    };
    let begun = game.admin.post(&test(&game, &good), json!({})).await.expect(202).json;
    assert_eq!(begun["testing"], true);
    game.admin.post(&test(&game, &good), json!({})).await.refused(409, "conflict");
    game.admin.delete(&game.path(&format!("/backups/{good}"))).await.refused(409, "conflict");
    until("its container is there", seconds(60), async || there(&name).then_some(())).await;
    assert_eq!(game.status().await, "stopped", "it never counts as the server");
    let tested = found(&game, &good).await;
    let verified = &tested["verified"];
    assert_eq!((&verified["kind"], &verified["ok"]), (&json!("started"), &json!(true)), "{tested}");
    assert!(!there(&name) && !folder.exists());
    assert_eq!(std::fs::read_to_string(game.file(&panel, "world.dat")).unwrap(), "a broken world");

    game.admin.post(&test(&game, &broken), json!({})).await.expect(202);
    let tested = found(&game, &broken).await;
    let verified = &tested["verified"];
    assert_eq!((&verified["kind"], &verified["ok"]), (&json!("started"), &json!(false)), "{tested}");
    assert!(verified["reason"].as_str().unwrap().contains("exit code 3"), "{tested}");
    assert!(verified["lines"].as_array().unwrap().contains(&json!("no world")), "{tested}");

    // Killed at some moment, both are swept, and it is done again.
    let rounds = if long() { 20 } else { 3 };
    for round in 0..rounds {
        game.admin.post(&test(&game, &good), json!({})).await.expect(202);
        match round {
            0 => until("its container is there", seconds(60), async || there(&name).then_some(())).await,
            _ => tokio::time::sleep(std::time::Duration::from_millis(400 * round)).await,
        }
        panel.kill().await;
        panel.again().await;
        game.admin = panel.admin();
        let tested = found(&game, &good).await;
        assert_eq!(tested["verified"]["ok"], true, "{tested}");
        until("nothing is left", seconds(30), async || (!there(&name) && !folder.exists()).then_some(()))
            .await;
    }

    // It can be called off.
    game.admin.post(&test(&game, &good), json!({})).await.expect(202);
    until("its container is there", seconds(60), async || there(&name).then_some(())).await;
    game.admin.post(&game.path(&format!("/backups/{good}/cancel")), json!(null)).await.expect(204);
    let tested = found(&game, &good).await;
    assert_eq!(tested["verified"]["ok"], true, "what was found before stays: {tested}");
    until("nothing is left", seconds(30), async || (!there(&name) && !folder.exists()).then_some(())).await;
}

#[tokio::test]
async fn files_are_old_or_new_when_a_restore_is_killed() {
    let mut panel = Panel::start().await;
    let mut game = Game::new(&panel, "game").await;
    let old = "old".repeat(200_000);
    let new = "new".repeat(200_000);
    let write = |panel: &Panel, game: &Game, text: &str| {
        std::fs::create_dir_all(game.file(panel, "d")).unwrap();
        for n in 0..30 {
            std::fs::write(game.file(panel, &format!("d/{n}")), text).unwrap();
            std::fs::write(game.file(panel, &format!("f{n}")), text).unwrap();
        }
    };
    write(&panel, &game, &old);
    let id = create(&game, "Old").await;
    ready(&game, &id).await;
    let rounds = if long() { 500 } else { 6 };
    for round in 0..rounds {
        write(&panel, &game, &new);
        let body = match round % 2 {
            0 => json!(null),
            _ => {
                let mut paths: Vec<_> = (0..30).map(|n| format!("/f{n}")).collect();
                paths.push("/d".to_owned());
                json!({ "paths": paths })
            }
        };
        game.admin.post(&game.path(&format!("/backups/{id}/restore")), body).await.expect(202);
        becomes(&game, &id, "restoring", seconds(10)).await;
        tokio::time::sleep(std::time::Duration::from_millis(250 * (round / 2 % 8))).await;
        panel.kill().await;
        for n in 0..30 {
            for name in [format!("d/{n}"), format!("f{n}")] {
                let there = std::fs::read_to_string(game.file(&panel, &name)).unwrap();
                assert!(there == old || there == new, "{name} is half of each");
            }
        }
        panel.again().await;
        game.admin = panel.admin();
        let restored = ready(&game, &id).await;
        until("nothing is under way", seconds(150), async || {
            let still = |backup: &Value| backup["status"] == "ready";
            backups(&game).await.iter().all(still).then_some(())
        })
        .await;
        assert!(restored["statusReason"].is_null(), "{restored}");
        for n in 0..30 {
            for name in [format!("d/{n}"), format!("f{n}")] {
                assert!(std::fs::read_to_string(game.file(&panel, &name)).unwrap() == old, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn another_nodes_backups_are_looked_at_and_downloaded() {
    let panel = Panel::builder().env("WEBSOCKET_PORT", free_port().to_string()).start().await;
    let agent = Agent::join(&panel, "east").await;
    let game = Game::with(&panel, "game", json!({ "nodeId": "east" })).await;
    let folder = agent.folder().join("servers").join(&game.id);
    std::fs::write(folder.join("world.dat"), "far away").unwrap();
    let id = create(&game, "Far away").await;
    ready(&game, &id).await;
    let (found, _) = entries(&game, &id, "path=/").await;
    assert!(names(&found).contains(&"world.dat"), "{found}");
    let archive = downloaded(&game, &id, json!({ "format": "tar.gz" })).await;
    assert!(listed(&archive).contains(&"world.dat".to_owned()));
}

/// Processes of this panel's node that work on backups.
fn workers(panel: &Panel) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", panel.pid())).unwrap().flatten();
    let children: Vec<_> =
        tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok()).collect();
    assert!(!children.is_empty(), "the kernel tells of children");
    let is_worker = |pid: &&str| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("backup-worker")
    };
    children.join(" ").split_whitespace().filter(is_worker).count()
}

#[tokio::test]
async fn a_download_that_is_cancelled_ends_its_process_and_leaves_nothing() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "game").await;
    super::backups::write(&game.file(&panel, "world.dat"), 96);
    let id = create(&game, "One").await;
    ready(&game, &id).await;
    until("the backup's process has ended", seconds(20), async || (workers(&panel) == 0).then_some(())).await;
    let listed = || {
        let mut all: Vec<_> = ["servers", "backups", "tmp", "."]
            .iter()
            .filter_map(|name| std::fs::read_dir(panel.folder().join(name)).ok())
            .flat_map(|all| all.flatten().map(|entry| entry.path()))
            .collect();
        all.sort();
        all
    };
    let before = listed();
    for _ in 0..3 {
        let body = json!({ "format": "tar.gz" });
        let link = game.admin.post(&game.path(&format!("/backups/{id}/downloads")), body).await.expect(201);
        let request = game.admin.request(Method::GET, link.json["url"].as_str().unwrap());
        let mut answer = request.send().await.unwrap();
        assert!(answer.chunk().await.unwrap().is_some_and(|first| !first.is_empty()));
        assert_eq!(workers(&panel), 1);
        drop(answer);
        until("its process has ended", seconds(15), async || (workers(&panel) == 0).then_some(())).await;
    }
    assert_eq!(listed(), before, "nothing is left");
    let whole = downloaded(&game, &id, json!({ "format": "tar.gz" })).await;
    assert!(whole.len() > 96 << 20, "the next one is whole");
}

#[tokio::test]
async fn a_backup_becomes_a_new_server() {
    let mut panel = Panel::start().await;
    let template = json!({ "templateId": "minecraft-vanilla", "acceptEula": true });
    let startup = "cat world.dat; echo 'Done (1.2s)! For help, type \"help\"'; exec game";
    let mut game = Game::with(&panel, startup, template).await;
    std::fs::write(game.file(&panel, "world.dat"), "as it was").unwrap();
    let id = create(&game, "One").await;
    ready(&game, &id).await;
    std::fs::write(game.file(&panel, "world.dat"), "later").unwrap();
    let copy = |game: &Game| game.path(&format!("/backups/{id}/restore-as"));
    game.admin.post(&copy(&game), json!({ "name": "" })).await.refused(422, "invalid");
    let elsewhere = json!({ "name": "Twin", "nodeId": "moon" });
    game.admin.post(&copy(&game), elsewhere).await.refused(409, "conflict");
    let rounds = if long() { 20 } else { 3 };
    for round in 0..rounds {
        let name = format!("Twin {round}");
        let begun = game.admin.post(&copy(&game), json!({ "name": name })).await.expect(202).json;
        assert_eq!(begun["copying"], json!(name));
        if round > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(120 * round)).await;
            panel.kill().await;
            panel.again().await;
            game.admin = panel.admin();
        }
        let twin = until("the new server is there", seconds(60), async || {
            let all = game.admin.get("/api/servers").await.expect(200).json;
            let twins: Vec<_> =
                all.as_array()?.iter().filter(|one| one["name"] == json!(name)).cloned().collect();
            assert!(twins.len() <= 1, "{twins:?}");
            twins.into_iter().next()
        })
        .await;
        let twin = Game { admin: panel.admin(), id: twin["id"].as_str().unwrap().to_owned() };
        let view = twin.becomes("stopped", seconds(60)).await;
        assert_ne!(view["ports"][0]["external"], game.view().await["ports"][0]["external"], "{view}");
        assert_eq!(std::fs::read_to_string(twin.file(&panel, "world.dat")).unwrap(), "as it was");
        let free = backups(&game).await.into_iter().find(|backup| backup["id"] == id.as_str()).unwrap();
        assert!(free["copying"].is_null() && free["statusReason"].is_null(), "{free}");
        if round == 0 {
            twin.start().await;
            twin.says("as it was", seconds(10)).await;
        }
    }
    assert_eq!(std::fs::read_to_string(game.file(&panel, "world.dat")).unwrap(), "later");
}
