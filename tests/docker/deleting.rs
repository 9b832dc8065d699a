//! Deletion of a server: complete or not at all, whatever happens in between, and whatever files the game left.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use serde_json::json;

use super::beside;
use super::disk_full::SmallDisk;
use super::game::{Game, body};
use crate::harness::fake::FakeAgent;
use crate::harness::node::{self, Node};
use crate::harness::{PASSWORD, Panel, docker, long, seconds, until};

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Nested folders, so deep that no path reaches the last one.
fn nest(top: &Path, levels: usize) {
    std::fs::create_dir_all(top).unwrap();
    let mut here: OwnedFd = openat(CWD, top, FOLDER, Mode::empty()).unwrap();
    for _ in 0..levels {
        mkdirat(&here, "d", Mode::RWXU).unwrap();
        here = openat(&here, "d", FOLDER, Mode::empty()).unwrap();
    }
}

fn names(data: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(data.join("servers")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn a_game_that_nests_folders_goes_like_any_other() {
    let mut panel = Panel::builder().under(&["prlimit", "--nofile=2048"]).start().await;
    let game = Game::new(&panel, "sleep 1000").await;
    let levels = if long() { 100_000 } else { 15_000 };
    nest(&game.file(&panel, "top"), levels);
    // Removes leftovers of an earlier run.
    assert!(panel.stop().await.success());
    for left in [".deleted-old-0", ".incoming-other", ".bringing-third"] {
        nest(&panel.folder().join("servers").join(left), levels);
    }
    panel.again().await;
    let folder: PathBuf = panel.folder().to_owned();
    let swept = |what: &'static str| {
        let folder = folder.clone();
        async move {
            until(what, seconds(300), async || {
                names(&folder).iter().all(|name| !name.starts_with('.')).then_some(())
            })
            .await;
        }
    };
    swept("what was left is removed").await;
    let mut game = game;
    game.again(&panel);
    game.becomes("stopped", seconds(20)).await;
    game.admin.delete(&game.path("")).await.expect(204);
    swept("the deleted server is removed").await;
    assert_eq!(names(&folder), Vec::<String>::new());
    panel.admin().get("/api/servers").await.expect(200);
    assert!(!panel.log().contains("panicked"), "{}", panel.log());
}

#[tokio::test]
async fn on_a_full_disk_nothing_is_destroyed() {
    let disk = SmallDisk::new(16);
    std::fs::create_dir(disk.data()).unwrap();
    let panel = Panel::builder().folder(disk.data()).start().await;
    let game = Game::running(&panel, "echo precious > world; echo Ready; sleep 1000").await;
    let admin = panel.admin();
    let started = game.started_at().await;
    let mut names_of_users = 0..;
    until("a write is refused", seconds(30), async || {
        disk.fill();
        let name = format!("user{}", names_of_users.next().unwrap());
        let body = json!({ "username": name, "password": PASSWORD, "role": "user" });
        (admin.post("/api/users", body).await.status == 507).then_some(())
    })
    .await;
    for query in ["", "?force=true"] {
        admin.delete(&game.path(query)).await.refused(507, "disk_full");
    }
    assert_eq!(std::fs::read_to_string(game.file(&panel, "world")).unwrap(), "precious\n");
    assert_eq!(game.started_at().await, started, "it still runs");
    let view = game.view().await;
    assert_eq!((view["status"].as_str(), view.get("statusReason")), (Some("running"), None), "{view}");
    disk.free();
    until("it is deleted", seconds(20), async || {
        (admin.delete(&game.path("")).await.status == 204).then_some(())
    })
    .await;
    until("its folder is gone", seconds(20), async || names(&disk.data()).is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_panel_that_is_killed_meanwhile_goes_on() {
    let mut panel = Panel::start().await;
    let mut agent = FakeAgent::join(&panel, "attic").await;
    agent.introduce(&[]).await;
    let id = agent.server(&panel, "World").await;
    let path = format!("/api/servers/{id}");
    let admin = panel.admin();
    let asked = {
        let (admin, path) = (panel.admin(), path.clone());
        beside(async move { admin.request(reqwest::Method::DELETE, &path).send().await.map(drop) })
    };
    agent.peer.expect("server_delete", seconds(20)).await;
    // The deletion is shown, and other actions are refused meanwhile.
    let view = admin.get(&path).await.expect(200).json;
    assert_eq!(
        (view["status"].as_str(), view["statusReason"].as_str()),
        (Some("stopping"), Some("It is being deleted.")),
        "{view}"
    );
    admin.post(&format!("{path}/power"), json!({ "action": "start" })).await.refused(409, "conflict");
    admin.post(&format!("{path}/command"), json!({ "command": "x" })).await.refused(409, "conflict");
    admin.post(&format!("{path}/install"), json!({})).await.refused(409, "conflict");
    admin.patch(&path, json!({ "name": "Other" })).await.refused(409, "conflict");
    panel.kill().await;
    let _ = asked.await;
    panel.again().await;
    let admin = panel.admin();
    let view = admin.get(&path).await.expect(200).json;
    let reason = view["statusReason"].as_str().unwrap_or_default();
    assert!(view["status"] == "unknown" && reason.contains("being deleted"), "{view}");
    // Either the agent has deleted it by now, or it is asked again.
    let mut agent = agent.again(&panel).await.unwrap();
    agent.introduce(&[(&id, "stopped")]).await;
    let again = agent.peer.find("server_delete", seconds(20), |message| {
        assert_ne!(message["type"], "server_update", "{message}");
        message["type"] == "server_delete"
    });
    let again = again.await;
    agent.oblige(&again).await;
    until("it is forgotten", seconds(10), async || (admin.get(&path).await.status == 404).then_some(()))
        .await;
    assert!(panel.log().contains("a deletion that was cut short goes on"), "{}", panel.log());
}

#[tokio::test]
async fn a_node_that_goes_away_meanwhile_does_it_when_it_is_back() {
    let panel = Panel::start().await;
    let mut agent = FakeAgent::join(&panel, "attic").await;
    agent.introduce(&[]).await;
    let id = agent.server(&panel, "World").await;
    let path = format!("/api/servers/{id}");
    let admin = panel.admin();
    let answer = {
        let (admin, path) = (panel.admin(), path.clone());
        beside(async move { admin.delete(&path).await })
    };
    agent.peer.expect("server_delete", seconds(20)).await;
    let gone = FakeAgent { peer: agent.peer, id: agent.id.clone(), secret: agent.secret.clone() };
    drop(gone);
    let answer = answer.await.unwrap();
    assert!(answer.text.contains("goes on when it is back"), "{answer:?}");
    answer.refused(503, "node_offline");
    // The node does not have the server. The panel must not create it there.
    let peer = crate::harness::fake::connect(&panel.agents_address(), &agent.id, &agent.secret, None).await;
    let mut agent = FakeAgent { peer: peer.unwrap(), id: agent.id, secret: agent.secret };
    agent.introduce(&[]).await;
    let asked = agent.peer.find("server_delete", seconds(20), |message| {
        assert_ne!(message["type"], "server_create", "{message}");
        message["type"] == "server_delete"
    });
    let asked = asked.await;
    let message = json!({ "code": "not_found", "message": "There is no such server.", "serverId": id });
    agent.peer.say_with(asked["messageId"].as_str().unwrap(), "error", message).await;
    until("it is forgotten", seconds(10), async || (admin.get(&path).await.status == 404).then_some(()))
        .await;

    // A server on a node that never comes back can be deleted with `force`.
    let id = agent.server(&panel, "Second").await;
    let path = format!("/api/servers/{id}");
    let second = {
        let (admin, path) = (panel.admin(), path.clone());
        beside(async move { admin.delete(&path).await })
    };
    agent.peer.expect("server_delete", seconds(20)).await;
    drop(agent);
    second.await.unwrap().refused(503, "node_offline");
    admin.delete(&path).await.refused(503, "node_offline");
    admin.delete(&format!("{path}?force=true")).await.expect(204);
    admin.get(&path).await.refused(404, "not_found");
}

#[tokio::test]
async fn what_a_node_refuses_is_as_it_was() {
    let panel = Panel::start().await;
    let mut agent = FakeAgent::join(&panel, "attic").await;
    agent.introduce(&[]).await;
    let id = agent.server(&panel, "World").await;
    let path = format!("/api/servers/{id}");
    let admin = panel.admin();
    // The agent's last message may still be in flight.
    until("its state is known", seconds(10), async || {
        (admin.get(&path).await.json["status"] == "stopped").then_some(())
    })
    .await;
    let answer = {
        let (admin, path) = (panel.admin(), path.clone());
        beside(async move { admin.delete(&path).await })
    };
    let asked = agent.peer.expect("server_delete", seconds(20)).await;
    let message = json!({ "code": "disk_full", "message": "The disk is full.", "serverId": id });
    agent.peer.say_with(asked["messageId"].as_str().unwrap(), "error", message).await;
    answer.await.unwrap().refused(507, "disk_full");
    let view = admin.get(&path).await.expect(200).json;
    assert_eq!((view["status"].as_str(), view.get("statusReason")), (Some("stopped"), None), "{view}");
    admin.patch(&path, json!({ "name": "Other" })).await.expect(200);
}

/// Whenever the agent is killed, the server is either deleted in the end, or the deletion failed and it is complete.
#[tokio::test]
async fn an_agent_that_is_killed_meanwhile_goes_on() {
    docker::image().await;
    let port = crate::harness::free_port();
    let panel = Panel::builder().env("WEBSOCKET_PORT", port.to_string()).start().await;
    let mut attic = Node::joined(&panel, "attic").await;
    let rounds = if long() { 50 } else { 6 };
    for round in 0..rounds {
        let startup = "echo precious > world; echo Ready; sleep 1000";
        let game = Game::ask(&panel, body(startup, &json!({ "nodeId": "attic" }))).await;
        game.becomes("stopped", seconds(60)).await;
        game.start().await;
        game.says("Ready", seconds(20)).await;
        let (admin, path) = (panel.admin(), game.path(""));
        let answer = beside(async move { admin.delete(&path).await.status });
        tokio::time::sleep(Duration::from_millis(round * 40 % 500)).await;
        attic.kill().await;
        attic.again();
        let status = answer.await.unwrap();
        node::online(&panel, "attic", true, seconds(60)).await;
        let world = attic.data().join("servers").join(&game.id);
        until("it is gone or whole", seconds(60), async || {
            let seen = game.admin.get(&game.path("")).await;
            let deleted = seen.status == 404
                && names(&attic.data()).is_empty()
                && !attic.data().join("agent").join(format!("{}.json.deleting", game.id)).exists();
            let whole = status != 204
                && seen.json["statusReason"].is_null()
                && std::fs::read_to_string(world.join("world")).is_ok_and(|world| world == "precious\n");
            (deleted || whole).then_some(())
        })
        .await;
        if game.admin.get(&game.path("")).await.status == 200 {
            game.admin.delete(&game.path("")).await.expect(204);
        }
    }
}
