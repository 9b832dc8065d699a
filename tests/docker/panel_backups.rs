//! Backups of the whole panel, and a bare machine that becomes that panel by one command.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::game::Game;
use super::transfers::Agent;
use crate::harness::{Client, Panel, binary, free_port, long, seconds, until};

/// A panel with a folder target.
struct Saved {
    panel: Panel,
    target: String,
    place: tempfile::TempDir,
    /// What the emergency kit says of the repository on this machine.
    password: String,
}

impl Saved {
    async fn new(env: &[(&str, &str)]) -> Self {
        let builder = env.iter().fold(Panel::builder(), |builder, (name, value)| builder.env(name, *value));
        let panel = builder.start().await;
        let place = tempfile::Builder::new().prefix("cap-place-").tempdir().unwrap();
        let location = json!({ "kind": "folder", "path": place.path() });
        let admin = panel.admin();
        let target = json!({ "name": "Disk", "location": location });
        let target = admin.post("/api/backup-targets", target).await.expect(201).id();
        let kit = admin.get(&format!("/api/backup-targets/{target}/kit")).await.expect(200).text;
        let line = kit
            .lines()
            .skip_while(|line| !line.contains("node local"))
            .find(|line| line.starts_with("Password"));
        let password = line.unwrap().split_whitespace().last().unwrap().to_owned();
        Self { panel, target, place, password }
    }

    async fn make(&self, servers: bool) -> Value {
        let body = json!({ "target": self.target, "servers": servers });
        let id = self.panel.admin().post("/api/panel-backups", body).await.expect(202).id();
        becomes(&self.panel.admin(), &id, "ready").await
    }

    /// `restore` with this onto a folder.
    fn restore(&self, folder: &Path, more: &[&str]) -> Output {
        self.command(folder, more).env("RESTIC_PASSWORD", &self.password).output().unwrap()
    }

    fn command(&self, folder: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args([
                "restore",
                "--from",
                self.place.path().to_str().unwrap(),
                "--data-dir",
                folder.to_str().unwrap(),
            ])
            .args(more)
            .env_remove("RESTIC_PASSWORD")
            .stdin(Stdio::null());
        command
    }
}

pub(super) async fn becomes(admin: &Client, id: &str, status: &str) -> Value {
    until(&format!("the panel backup is {status}"), seconds(90), async || {
        let all = admin.get("/api/panel-backups").await.expect(200).json;
        let one = all.as_array()?.iter().find(|one| one["id"] == id)?.clone();
        assert!(one["status"] != "failed" || status == "failed", "{one}");
        (one["status"] == status).then_some(one)
    })
    .await
}

pub(super) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

pub(super) fn bare() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::Builder::new().prefix("cap-bare-").tempdir().unwrap();
    let folder = dir.path().join("data");
    (dir, folder)
}

#[tokio::test]
async fn a_bare_machine_becomes_the_panel_by_one_command() {
    let agents = free_port().to_string();
    let mut saved = Saved::new(&[("WEBSOCKET_PORT", &agents)]).await;
    saved.panel.user("ann").await;
    let _far = Agent::join(&saved.panel, "far").await;
    let game = Game::running(&saved.panel, "game").await;
    std::fs::write(game.file(&saved.panel, "world.dat"), "a year of work").unwrap();
    std::fs::write(saved.panel.folder().join("config.toml"), "log_level = \"debug\"\n").unwrap();

    let made = saved.make(true).await;
    assert_eq!((&made["servers"], &made["verified"]["ok"]), (&json!(1), &json!(true)), "{made}");
    assert!(made["statusReason"].is_null(), "{made}");
    assert!(!saved.panel.folder().join(".panel-backup").exists(), "no copy of secrets stays behind");
    let all = game.admin.get(&game.path("/backups")).await.expect(200).json;
    assert_eq!(
        all[0]["details"]["target"].as_str().or(all[0]["target"].as_str()),
        Some(&*saved.target),
        "{all}"
    );

    // restic reads it too.
    let repository = std::fs::read_dir(saved.place.path()).unwrap().next().unwrap().unwrap().path();
    let restic = |args: &[&str]| {
        let mut restic = Command::new("restic");
        let run = restic.args(["--no-cache", "-r", repository.to_str().unwrap()]).args(args);
        let run = run.env("RESTIC_PASSWORD", &saved.password).output().unwrap();
        assert!(run.status.success(), "{}", said(&run));
        String::from_utf8(run.stdout).unwrap()
    };
    let listed = restic(&["ls", "latest", "--tag", "panel"]);
    for name in ["panel.redb", "instance.json", "secrets/jwt", "config.toml", "panel-backup.json"] {
        assert!(listed.contains(name), "{name}: {listed}");
    }

    let (id, pin) = (game.id.clone(), std::fs::read(saved.panel.folder().join("secrets/jwt")).unwrap());
    saved.panel.stop().await;
    drop(game);
    let (_kept, folder) = bare();
    let wrong = saved.command(&folder, &[]).env("RESTIC_PASSWORD", "wrong").output().unwrap();
    assert_eq!(wrong.status.code(), Some(77), "{}", said(&wrong));
    assert!(said(&wrong).contains("emergency kit"), "{}", said(&wrong));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing is left");
    let list = saved.restore(&folder, &["--list"]);
    assert!(said(&list).contains(made["id"].as_str().unwrap()), "{}", said(&list));
    let restored = saved.restore(&folder, &[]);
    assert_eq!(restored.status.code(), Some(0), "{}", said(&restored));
    assert!(said(&restored).contains("A world"), "{}", said(&restored));
    assert!(!said(&restored).contains("Not restored"), "{}", said(&restored));

    let panel = Panel::builder().folder(&folder).env("WEBSOCKET_PORT", &agents).fresh().await;
    panel.sign_in("ann").await;
    let game = Game { admin: panel.sign_in("admin").await, id };
    assert_eq!(std::fs::read(folder.join("secrets/jwt")).unwrap(), pin);
    assert_eq!(std::fs::read_to_string(folder.join("config.toml")).unwrap(), "log_level = \"debug\"\n");
    game.becomes("stopped", seconds(20)).await;
    assert_eq!(std::fs::read_to_string(game.file(&panel, "world.dat")).unwrap(), "a year of work");
    game.start().await;
    game.says("Ready", seconds(20)).await;
    until("the other node is back", seconds(60), async || {
        let node = game.admin.get("/api/nodes/far").await.expect(200).json;
        (node["online"] == true).then_some(())
    })
    .await;
    let again = becomes(&game.admin, made["id"].as_str().unwrap(), "ready").await;
    assert_eq!(again["servers"], 1, "{again}");
}

#[tokio::test]
async fn what_is_there_is_replaced_only_when_told_and_kept() {
    let mut saved = Saved::new(&[]).await;
    let first = saved.make(false).await;
    saved.panel.user("later").await;
    let folder = saved.panel.folder().to_owned();
    let running = saved.restore(&folder, &["--replace"]);
    assert_ne!(running.status.code(), Some(0), "a panel is using it: {}", said(&running));
    saved.panel.stop().await;
    let refused = saved.restore(&folder, &[]);
    assert_eq!(refused.status.code(), Some(73), "{}", said(&refused));
    let unknown = saved.restore(&folder, &["--replace", "--backup", "none"]);
    assert_eq!(unknown.status.code(), Some(66), "{}", said(&unknown));
    let restored = saved.restore(&folder, &["--replace", "--backup", first["id"].as_str().unwrap()]);
    assert_eq!(restored.status.code(), Some(0), "{}", said(&restored));
    let kept = std::fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
    let kept = kept.into_iter().find(|path| path.to_string_lossy().contains("before-restore-")).unwrap();
    assert!(kept.join("panel.redb").exists() && kept.join("secrets").exists());
    let panel = Panel::builder().folder(&folder).fresh().await;
    let admin = panel.sign_in("admin").await;
    let users = admin.get("/api/users").await.expect(200).json;
    assert_eq!(users.as_array().unwrap().len(), 1, "{users}");
}

#[tokio::test]
async fn a_damaged_repository_leaves_the_folder_bare() {
    let mut saved = Saved::new(&[]).await;
    let (_kept, folder) = bare();
    let none = saved.restore(&folder, &[]);
    assert_eq!(none.status.code(), Some(64), "no repository yet: {}", said(&none));
    saved.make(false).await;
    saved.panel.stop().await;
    let repository = std::fs::read_dir(saved.place.path()).unwrap().next().unwrap().unwrap().path();
    for pack in walk(&repository.join("data")) {
        let mut bytes = std::fs::read(&pack).unwrap();
        bytes.iter_mut().skip(10).step_by(50).for_each(|byte| *byte ^= 0x55);
        std::fs::write(&pack, bytes).unwrap();
    }
    let damaged = saved.restore(&folder, &[]);
    assert_eq!(damaged.status.code(), Some(65), "{}", said(&damaged));
    assert!(said(&damaged).contains("damaged"), "{}", said(&damaged));
    assert!(!folder.join("panel.redb").exists() && !folder.join(".restore").exists());
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() { found.extend(walk(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}

#[tokio::test]
async fn a_restore_that_is_killed_is_whole_or_never_was() {
    let mut saved = Saved::new(&[]).await;
    saved.panel.user("ann").await;
    saved.make(false).await;
    saved.panel.stop().await;
    let (mut never, mut whole) = (0, 0);
    let began = std::time::Instant::now();
    let (_kept, folder) = bare();
    assert_eq!(saved.restore(&folder, &[]).status.code(), Some(0));
    let takes = began.elapsed();
    let rounds = if long() { 500 } else { 30 };
    for round in 0..rounds {
        let (_kept, folder) = bare();
        let mut child = saved
            .command(&folder, &[])
            .env("RESTIC_PASSWORD", &saved.password)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // More of them near the end, where things are moved.
        let share = 1.0 - (f64::from(round % 10) / 10.0).powi(2) * 0.9;
        tokio::time::sleep(Duration::from_secs_f64(takes.as_secs_f64() * share)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        if folder.join("panel.redb").exists() || folder.join(".restore/ready").exists() {
            whole += 1;
        } else {
            never += 1;
            let again = saved.restore(&folder, &[]);
            assert_eq!(again.status.code(), Some(0), "{}", said(&again));
        }
        // The panel's start ends what was cut short.
        let mut panel = Panel::builder().folder(&folder).fresh().await;
        panel.sign_in("ann").await;
        assert!(!folder.join(".restore").exists());
        panel.stop().await;
    }
    assert!(never > 0, "none of {whole} was killed in time");
}

/// What somebody fills in on the welcome page.
fn form(saved: &Saved, token: &str) -> Value {
    let location = json!({ "kind": "folder", "path": saved.place.path() });
    json!({ "setupToken": token, "location": location, "password": saved.password })
}

#[tokio::test]
async fn a_new_panel_becomes_the_one_of_a_backup_on_its_welcome_page() {
    let mut saved = Saved::new(&[]).await;
    saved.panel.user("ann").await;
    let game = Game::new(&saved.panel, "game").await;
    std::fs::write(game.file(&saved.panel, "world.dat"), "a year of work").unwrap();
    let made = saved.make(true).await;
    let id = game.id.clone();
    saved.panel.stop().await;
    drop(game);

    let port = free_port().to_string();
    let panel = Panel::builder().env("PORT", &port).fresh().await;
    let anyone = panel.anonymous();
    let (look, start) = ("/api/setup/restore/look", "/api/setup/restore");
    anyone.post(look, form(&saved, "wrong")).await.refused(401, "bad_setup_token");
    let good = form(&saved, &panel.setup_token());
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    let wrong = anyone.post(look, with("password", json!("wrong"))).await.refused(409, "conflict");
    assert!(wrong.text.contains("emergency kit"), "{}", wrong.text);
    let nowhere = json!({ "kind": "folder", "path": "/nowhere/at/all" });
    anyone.post(look, with("location", nowhere)).await.refused(409, "conflict");
    let found = anyone.post(look, good.clone()).await.expect(200).json;
    assert_eq!(found["backups"][0]["id"], made["id"], "{found}");

    let mut body = with("servers", json!(true));
    body["backupId"] = json!("none");
    anyone.post(start, body.clone()).await.expect(204);
    let token = json!({ "setupToken": panel.setup_token() });
    until("it has failed", seconds(30), async || {
        let progress = anyone.post("/api/setup/restore/progress", token.clone()).await.expect(200).json;
        (progress["status"] == "failed" && progress["problem"].as_str()?.contains("none")).then_some(())
    })
    .await;
    body["backupId"] = made["id"].clone();
    anyone.post(start, body.clone()).await.expect(204);
    until("the restored panel answers", seconds(60), async || {
        let answer = anyone.try_get("/api/setup").await?;
        (answer.status == 200 && answer.json["needed"] == false).then_some(())
    })
    .await;
    anyone.post(start, body).await.refused(409, "already_set_up");
    panel.sign_in("ann").await;
    let game = Game { admin: panel.sign_in("admin").await, id };
    game.becomes("stopped", seconds(20)).await;
    assert_eq!(std::fs::read_to_string(game.file(&panel, "world.dat")).unwrap(), "a year of work");
    game.start().await;
}
