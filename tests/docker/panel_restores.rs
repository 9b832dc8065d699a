//! A panel is restored from each kind of target with nothing but its emergency kit, and what befalls that.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::backup_targets::servers;
use super::backups::{create, ready, write};
use super::game::Game;
use super::panel_backups::{bare, becomes, said};
use super::transfers::Agent;
use crate::harness::{Panel, binary, docker, free_port, seconds, until};

/// The lines of a kit that are for a shell, for this program.
fn script(kit: &str, below: &Path) -> String {
    let key: Vec<_> = kit.lines().skip_while(|line| !line.starts_with("-----BEGIN")).collect();
    let file = below.join("key");
    if let Some(end) = key.iter().position(|line| line.starts_with("-----END")) {
        std::fs::write(&file, key[..=end].join("\n") + "\n").unwrap();
    }
    let exports = kit.lines().filter(|line| line.starts_with("export "));
    let command = kit.lines().rfind(|line| line.starts_with("ctrl-alt-play restore ")).unwrap();
    let command =
        command.replace("ctrl-alt-play restore", "exec \"$PROGRAM\" restore --data-dir \"$FOLDER\"");
    let command = command.replace("~/.ssh/backup-target", file.to_str().unwrap());
    exports.chain([command.as_str()]).collect::<Vec<_>>().join("\n")
}

fn shell(script: &str, folder: &Path) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).env("PROGRAM", binary()).env("FOLDER", folder).stdin(Stdio::null());
    shell
}

/// A panel with a target elsewhere.
struct Elsewhere {
    panel: Panel,
    target: String,
    agents: String,
}

impl Elsewhere {
    async fn new(location: &Value) -> Self {
        let agents = free_port().to_string();
        let panel = Panel::builder().env("WEBSOCKET_PORT", &agents).start().await;
        let body = json!({ "name": "Elsewhere", "location": location });
        let target = panel.admin().post("/api/backup-targets", body).await.expect(201).id();
        Self { panel, target, agents }
    }

    /// Makes a panel backup with all servers; gives the kit.
    async fn made(&self) -> (Value, String) {
        let admin = self.panel.admin();
        let body = json!({ "target": self.target, "servers": true });
        let id = admin.post("/api/panel-backups", body).await.expect(202).id();
        let made = becomes(&admin, &id, "ready").await;
        let kit = admin.get(&format!("/api/backup-targets/{}/kit", self.target)).await.expect(200).text;
        (made, kit)
    }
}

async fn by_its_kit(location: Value) {
    let mut old = Elsewhere::new(&location).await;
    old.panel.user("ann").await;
    let game = Game::new(&old.panel, "game").await;
    std::fs::write(game.file(&old.panel, "world.dat"), "a year of work").unwrap();
    let (_, kit) = old.made().await;
    let id = game.id.clone();
    old.panel.stop().await;
    drop(game);

    let (kept, folder) = bare();
    let run = shell(&script(&kit, kept.path()), &folder).output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", said(&run));
    assert!(!said(&run).contains("Not restored"), "{}", said(&run));
    let panel = Panel::builder().folder(&folder).env("WEBSOCKET_PORT", &old.agents).fresh().await;
    panel.sign_in("ann").await;
    let game = Game { admin: panel.sign_in("admin").await, id };
    game.becomes("stopped", seconds(20)).await;
    assert_eq!(std::fs::read_to_string(game.file(&panel, "world.dat")).unwrap(), "a year of work");
}

#[tokio::test]
async fn from_s3_by_its_kit() {
    let server = servers::s3();
    by_its_kit(servers::s3_location(&server, server.port)).await;
}

#[tokio::test]
async fn from_a_rest_server_by_its_kit() {
    let server = servers::rest();
    by_its_kit(servers::rest_location(server.port, "rest-secret")).await;
}

#[tokio::test]
async fn from_an_ssh_server_by_its_kit() {
    let server = servers::sshd();
    by_its_kit(servers::sftp_location(&server, server.port)).await;
}

#[tokio::test]
async fn servers_of_two_nodes_are_in_one_backup() {
    let server = servers::rest();
    let mut old = Elsewhere::new(&servers::rest_location(server.port, "rest-secret")).await;
    let far = Agent::join(&old.panel, "far").await;
    let here = Game::new(&old.panel, "game").await;
    std::fs::write(here.file(&old.panel, "world.dat"), "here").unwrap();
    let body = json!({ "name": "Afar", "nodeId": "far", "image": docker::BUSYBOX, "startup": "game" });
    let there = Game::ask(&old.panel, body).await;
    there.becomes("stopped", seconds(40)).await;
    there.put("/world.dat", b"there".to_vec()).await.expect(204);
    let local = create(&here, "On this disk").await;
    ready(&here, &local).await;
    let (made, kit) = old.made().await;
    assert_eq!(made["servers"], 2, "{made}");
    old.panel.stop().await;

    let (kept, folder) = bare();
    let run = shell(&script(&kit, kept.path()), &folder).output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", said(&run));
    assert!(said(&run).contains("On other nodes: 1 server"), "{}", said(&run));
    let panel = Panel::builder().folder(&folder).env("WEBSOCKET_PORT", &old.agents).fresh().await;
    let (here, there) = (here.id.clone(), Game { admin: panel.sign_in("admin").await, id: there.id.clone() });
    let here = Game { admin: panel.sign_in("admin").await, id: here };
    here.becomes("stopped", seconds(20)).await;
    assert_eq!(std::fs::read_to_string(here.file(&panel, "world.dat")).unwrap(), "here");
    // What lay on the old machine's disk is said to be there no more, and can be removed.
    until("it is not here", seconds(20), async || {
        let all = here.admin.get(&here.path("/backups")).await.expect(200).json;
        let one = all.as_array()?.iter().find(|one| one["id"] == local.as_str())?.clone();
        one["statusReason"].as_str()?.starts_with("It is not here").then_some(())
    })
    .await;
    here.admin.delete(&here.path(&format!("/backups/{local}"))).await.expect(204);
    until("it is removed", seconds(20), async || {
        let all = here.admin.get(&here.path("/backups")).await.expect(200).json;
        all.as_array()?.iter().all(|one| one["id"] != local.as_str()).then_some(())
    })
    .await;
    there.becomes("stopped", seconds(60)).await;
    // The other node's files come back from the same place.
    there.put("/world.dat", b"griefed".to_vec()).await.expect(204);
    let all = there.admin.get(&there.path("/backups")).await.expect(200).json;
    let backup = all[0]["id"].as_str().unwrap().to_owned();
    there.admin.post(&there.path(&format!("/backups/{backup}/restore")), json!({})).await.expect(202);
    until("the other node's file is back", seconds(60), async || {
        let text = there.admin.get(&there.content("/world.dat")).await.text;
        (text == "there").then_some(())
    })
    .await;
    drop(far);
}

/// What is in a folder.
fn names(folder: &Path) -> Vec<std::ffi::OsString> {
    std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name()).collect()
}

/// A folder on a disk of this size, gone with the test.
struct Small(PathBuf);

impl Small {
    fn new(at: PathBuf, size: &str) -> Self {
        std::fs::create_dir(&at).unwrap();
        let small = Self(at);
        small.mount(&["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs"]);
        small
    }

    fn mount(&self, args: &[&str]) {
        assert!(Command::new("mount").args(args).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[tokio::test]
async fn a_full_disk_and_a_place_that_goes_away_change_nothing() {
    let mut server = servers::rest();
    let mut old = Elsewhere::new(&servers::rest_location(server.port, "rest-secret")).await;
    let game = Game::new(&old.panel, "game").await;
    let file = game.file(&old.panel, "world.dat");
    write(&file, 64);
    let world = std::fs::read(&file).unwrap();
    let (_, kit) = old.made().await;
    old.panel.stop().await;

    let (kept, _) = bare();
    let script = script(&kit, kept.path());
    let disk = Small::new(kept.path().join("disk"), "110m");
    let folder = disk.0.join("data");
    let full = shell(&script, &folder).output().unwrap();
    assert_eq!(full.status.code(), Some(74), "{}", said(&full));
    assert!(
        said(&full).contains("A world") && said(&full).contains("Nothing has changed"),
        "{}",
        said(&full)
    );
    assert_eq!(names(&folder), ["panel.lock"], "{}", said(&full));
    let without = format!("{script} --servers none");
    let small = shell(&without, &disk.0.join("without")).output().unwrap();
    assert_eq!(small.status.code(), Some(0), "{}", said(&small));

    disk.mount(&["-o", "remount,size=400m"]);
    let mut child = shell(&script, &folder).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("Server 1 of 1")), "its files are on their way");
    server.kill();
    let told: Vec<_> = lines.collect();
    let ended = child.wait().unwrap();
    assert_eq!(ended.code(), Some(69), "{told:?}");
    assert!(told.iter().any(|line| line.contains("Nothing has changed")), "{told:?}");
    assert_eq!(names(&folder), ["panel.lock"], "{told:?}");

    server.rest_again();
    let done = shell(&script, &folder).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let restored = folder.join("servers").join(&game.id).join("world.dat");
    assert!(std::fs::read(restored).unwrap() == world);
}
