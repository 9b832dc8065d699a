//! Transfer of a server to another node: two agents besides the panel's own, each a process with its own folder.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::disk_full::SmallDisk;
use crate::harness::{Client, Live, Panel, docker, free_port, seconds, until};

/// Counts while it runs, and continues from the last saved number.
const GAME: &str = "n=$(cat world 2>/dev/null || echo 0); echo \"World at $n\"; \
                    trap 'echo $n > world; echo \"Saved $n\"; exit 0' TERM; \
                    while sleep 0.02; do n=$((n+1)); done";

pub(super) struct Agent {
    child: Child,
    /// `None` if the folder belongs to someone else.
    _kept: Option<tempfile::TempDir>,
    folder: PathBuf,
    env: Vec<(&'static str, String)>,
}

impl Agent {
    pub(super) async fn join(panel: &Panel, id: &str) -> Self {
        let kept = tempfile::Builder::new().prefix("cap-agent-").tempdir().unwrap();
        let mut agent = Self::join_in(panel, id, &kept.path().join("data")).await;
        agent._kept = Some(kept);
        agent
    }

    async fn join_in(panel: &Panel, id: &str, folder: &Path) -> Self {
        let made = panel.admin().post("/api/nodes", json!({ "id": id })).await.expect(201).json;
        let secret = made["secret"].as_str().unwrap().to_owned();
        let env = vec![
            ("PANEL_URL", format!("ws://{}", panel.agents_address())),
            ("NODE_ID", id.to_owned()),
            ("AGENT_SECRET", secret),
        ];
        let child = start(&env, folder);
        let agent = Self { child, _kept: None, folder: folder.to_owned(), env };
        let there = std::panic::AssertUnwindSafe(online(panel, id)).catch_unwind().await;
        assert!(there.is_ok(), "{id} did not join: {}", agent.log());
        agent
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.with_extension("log")).unwrap_or_default()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    pub(super) fn again(&mut self) {
        self.child = start(&self.env, &self.folder);
    }
}

fn start(env: &[(&'static str, String)], folder: &Path) -> Child {
    let log =
        std::fs::OpenOptions::new().create(true).append(true).open(folder.with_extension("log")).unwrap();
    Command::new(crate::harness::binary())
        .arg("agent")
        .env("DATA_DIR", folder)
        .env("HEALTH_PORT", "off")
        .env("LOG_LEVEL", "info")
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn panel() -> Panel {
    docker::image().await;
    // Slow enough for something to happen in the middle.
    Panel::builder().env("WEBSOCKET_PORT", free_port().to_string()).env("MOVE_LIMIT", "50").start().await
}

async fn online(panel: &Panel, id: &str) {
    until(&format!("{id} is online"), seconds(40), async || {
        let node = panel.admin().get(&format!("/api/nodes/{id}")).await.expect(200).json;
        (node["online"] == true && node["engine"]["available"] == true).then_some(())
    })
    .await;
}

/// A game server, on whichever node it is.
struct World {
    id: String,
    admin: Client,
}

impl Drop for World {
    fn drop(&mut self) {
        let name = format!("ctrl-alt-play-{}", self.id);
        let _ = std::process::Command::new("docker").args(["rm", "-f", &name]).output();
    }
}

impl World {
    async fn make(panel: &Panel, node: &str, startup: &str) -> Self {
        let body = json!({ "name": "World", "nodeId": node, "image": docker::BUSYBOX, "startup": startup,
                           "ports": [{ "internal": 7000, "external": free_port(), "protocol": "tcp" }] });
        let id = panel.admin().post("/api/servers", body).await.expect(201).id();
        let world = Self { id, admin: panel.admin() };
        world.is("stopped").await;
        world
    }

    /// Uses the new address of a restarted panel.
    fn again(&mut self, panel: &Panel) {
        self.admin = panel.admin();
    }

    async fn seen(&self) -> Value {
        self.admin.get(&format!("/api/servers/{}", self.id)).await.expect(200).json
    }

    async fn is(&self, status: &str) -> Value {
        until(&format!("it is {status}"), seconds(40), async || {
            let seen = self.seen().await;
            (seen["status"] == status).then_some(seen)
        })
        .await
    }

    async fn power(&self, action: &str) -> crate::harness::Answer {
        self.admin.post(&format!("/api/servers/{}/power", self.id), json!({ "action": action })).await
    }

    async fn runs(&self) {
        self.power("start").await.expect(202);
        self.is("running").await;
    }

    async fn move_to(&self, node: &str) -> crate::harness::Answer {
        self.admin.post(&format!("/api/servers/{}/move", self.id), json!({ "nodeId": node })).await
    }

    async fn moving(&self) -> Value {
        self.admin.get(&format!("/api/servers/{}/move", self.id)).await.expect(200).json
    }

    /// Waits for the end of the transfer.
    async fn moved(&self, step: &str) -> Value {
        until(&format!("the move is {step}"), seconds(90), async || {
            let moving = self.moving().await;
            let over = moving["step"] == "failed" || moving["step"] == "done";
            assert!(!over || moving["step"] == step, "{moving}");
            over.then_some(moving)
        })
        .await
    }

    /// Waits until copying has begun.
    async fn is_half_way(&self) {
        until("it is half-way", seconds(60), async || {
            let moving = self.moving().await;
            assert!(moving["step"] != "failed" && moving["step"] != "done", "{moving}");
            (moving["step"] == "copying" && moving["bytes"].as_u64().unwrap() > 0).then_some(())
        })
        .await;
    }

    /// The number at which the world started this time.
    async fn world(&self) -> u64 {
        until("it says where its world is", seconds(20), async || {
            let path = format!("/api/servers/{}/console?tail=50", self.id);
            let lines = self.admin.get(&path).await.json;
            lines["lines"]
                .as_array()?
                .iter()
                .rev()
                .find_map(|line| line["text"].as_str()?.strip_prefix("World at ")?.parse().ok())
        })
        .await
    }

    fn folder(&self, data: &Path) -> PathBuf {
        data.join("servers").join(&self.id)
    }

    /// Adds a large file, so that a transfer takes a while.
    fn weigh(&self, data: &Path, megabytes: usize) {
        let mut file = std::fs::File::create(self.folder(data).join("ballast")).unwrap();
        let mut block = vec![0_u8; 1 << 20];
        for n in 0..megabytes {
            block[..8].copy_from_slice(&n.to_le_bytes());
            file.write_all(&block).unwrap();
        }
    }

    /// The server's folder exists only in the data folder `here`, and there are no partial copies.
    async fn lies_in(&self, here: &Path, not_here: &[&Path]) {
        until("each folder is where it belongs", seconds(20), async || {
            let right = self.folder(here).is_dir()
                && not_here.iter().all(|data| names(data).iter().all(|name| !name.contains(&self.id)))
                && names(here).iter().filter(|name| name.contains(&self.id)).count() == 1;
            right.then_some(())
        })
        .await;
    }
}

fn names(data: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(data.join("servers")) else { return Vec::new() };
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

async fn containers(id: &str) -> usize {
    let filter = format!("name=ctrl-alt-play-{id}");
    docker::docker(&["ps", "-aq", "--filter", &filter]).await.lines().count()
}

#[tokio::test]
async fn a_world_goes_round_and_continues() {
    let panel = panel().await;
    let attic = Agent::join(&panel, "attic").await;
    let cellar = Agent::join(&panel, "cellar").await;
    let world = World::make(&panel, "local", GAME).await;
    let user = panel.user("player").await;
    let player = user.get("/api/me").await.id();
    let grant = format!("/api/servers/{}/users/{player}", world.id);
    panel.admin().put(&grant, json!({ "permissions": ["power"] })).await.expect(204);
    user.post(&format!("/api/servers/{}/move", world.id), json!({ "nodeId": "attic" })).await.expect(403);
    world.move_to("local").await.refused(422, "invalid");
    world.move_to("nowhere").await.refused(422, "invalid");
    world.admin.get(&format!("/api/servers/{}/move", world.id)).await.refused(404, "not_found");
    let blocked = json!({ "blockLan": true });
    world.admin.patch(&format!("/api/servers/{}", world.id), blocked).await.expect(200);
    world.runs().await;
    std::os::unix::fs::symlink("/etc/passwd", world.folder(panel.folder()).join("out")).unwrap();
    let mut live = Live::open(&panel.admin()).await;
    live.subscribe(&["servers", &format!("console:{}", world.id)]).await;
    let mut at = world.world().await;
    assert_eq!(at, 0);
    let folders = [panel.folder(), attic.folder.as_path(), cellar.folder.as_path()];
    for (to, here) in [("attic", 1), ("cellar", 2), ("local", 0)] {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let begun = world.move_to(to).await.expect(202).json;
        assert_eq!((begun["to"].as_str(), begun["cancellable"].as_bool()), (Some(to), Some(true)), "{begun}");
        world.moved("done").await;
        let seen = world.is("running").await;
        assert_eq!((seen["nodeId"].as_str(), seen.get("move")), (Some(to), None), "{seen}");
        assert_eq!(seen["blockLan"], true, "{seen}");
        let container = docker::inspect(&world.id).await.unwrap();
        assert_eq!(container["HostConfig"]["NetworkMode"], "ctrl-alt-play-no-lan", "on {to}");
        let now = world.world().await;
        assert!(now > at, "{to}: from {at} to {now}");
        at = now;
        let others: Vec<&Path> = (0..3).filter(|n| *n != here).map(|n| folders[n]).collect();
        world.lies_in(folders[here], &others).await;
        assert_eq!(
            std::fs::read_link(world.folder(folders[here]).join("out")).unwrap(),
            Path::new("/etc/passwd")
        );
        assert_eq!(containers(&world.id).await, 1);
        // A viewer that was connected all the time sees the lines of the new node.
        live.wait(seconds(20), |message| {
            message.to_string().contains(&format!("World at {now}")).then_some(())
        })
        .await;
    }
    // A stopped server stays stopped.
    world.power("stop").await.expect(202);
    world.is("stopped").await;
    world.move_to("attic").await.expect(202);
    world.moved("done").await;
    assert_eq!(world.seen().await["status"], "stopped");
    panel.admin().delete(&format!("/api/servers/{}", world.id)).await.expect(204);
    assert!(names(&attic.folder).iter().all(|name| !name.contains(&world.id)));
}

#[tokio::test]
async fn nothing_else_is_done_with_it_meanwhile() {
    let panel = panel().await;
    let attic = Agent::join(&panel, "attic").await;
    let world = World::make(&panel, "local", GAME).await;
    world.runs().await;
    world.weigh(panel.folder(), 300);
    let mut live = Live::open(&panel.admin()).await;
    live.subscribe(&["servers"]).await;
    world.move_to("attic").await.expect(202);
    world.is_half_way().await;
    let seen = world.seen().await;
    assert_eq!(
        (seen["status"].as_str(), seen["move"]["to"].as_str()),
        (Some("stopped"), Some("attic")),
        "{seen}"
    );
    let refused = world.power("start").await;
    assert!(
        refused.json["error"]["message"].as_str().unwrap().contains("moving to the node attic"),
        "{refused:?}"
    );
    refused.refused(409, "conflict");
    let path = format!("/api/servers/{}", world.id);
    panel.admin().patch(&path, json!({ "name": "Other" })).await.refused(409, "conflict");
    panel.admin().delete(&path).await.refused(409, "conflict");
    panel.admin().post(&format!("{path}/install"), json!({})).await.refused(409, "conflict");
    panel.admin().delete("/api/nodes/attic").await.refused(409, "conflict");
    world.move_to("attic").await.refused(409, "conflict");
    // Its port is reserved on the target node.
    let body =
        json!({ "name": "Other", "nodeId": "attic", "image": docker::BUSYBOX, "ports": seen["ports"] });
    panel.admin().post("/api/servers", body).await.refused(409, "port_in_use");
    // The bulk data does not delay other requests.
    let began = Instant::now();
    panel.admin().get("/api/nodes").await.expect(200);
    assert!(began.elapsed() < seconds(2), "{:?}", began.elapsed());
    live.wait(seconds(20), |message| {
        let percent =
            message.to_string().contains("\"percent\"") && message.to_string().contains("\"copying\"");
        percent.then_some(())
    })
    .await;

    panel.admin().delete(&format!("{path}/move")).await.expect(204);
    world.moved("failed").await;
    // A server that ran before runs again, on the old node.
    let seen = world.is("running").await;
    assert_eq!((seen["nodeId"].as_str(), seen.get("move")), (Some("local"), None), "{seen}");
    world.lies_in(panel.folder(), &[&attic.folder]).await;
}

/// Interrupts a transfer to the attic half-way.
async fn broken(what: &str) {
    let mut panel = panel().await;
    let mut attic = Agent::join(&panel, "attic").await;
    let mut cellar = Agent::join(&panel, "cellar").await;
    let mut world = World::make(&panel, "cellar", GAME).await;
    world.runs().await;
    let before = world.world().await;
    world.weigh(&cellar.folder, 300);
    world.move_to("attic").await.expect(202);
    world.is_half_way().await;
    match what {
        "source" => cellar.kill().await,
        "target" => attic.kill().await,
        _ => {
            panel.kill().await;
            panel.again().await;
            world.again(&panel);
        }
    }
    let failed = world.moved("failed").await;
    assert!(failed["error"].as_str().is_some_and(|why| why.len() > 20), "{failed}");
    match what {
        "source" => cellar.again(),
        "target" => attic.again(),
        _ => {}
    }
    let seen = world.is("running").await;
    assert_eq!(
        (seen["nodeId"].as_str(), &seen["move"]["step"]),
        (Some("cellar"), &json!("failed")),
        "{seen}"
    );
    assert!(world.world().await > before, "its world continues");
    world.lies_in(&cellar.folder, &[panel.folder(), &attic.folder]).await;
    assert_eq!(containers(&world.id).await, 1);
    // The next attempt succeeds.
    online(&panel, "attic").await;
    world.move_to("attic").await.expect(202);
    world.moved("done").await;
    world.is("running").await;
    world.lies_in(&attic.folder, &[panel.folder(), &cellar.folder]).await;
}

#[tokio::test]
async fn the_agent_that_sends_is_killed() {
    broken("source").await;
}

#[tokio::test]
async fn the_agent_that_receives_is_killed() {
    broken("target").await;
}

#[tokio::test]
async fn the_panel_is_killed() {
    broken("panel").await;
}

#[tokio::test]
async fn the_panel_is_killed_after_the_switch_and_the_old_node_is_away() {
    let mut panel = panel().await;
    let attic = Agent::join(&panel, "attic").await;
    let mut cellar = Agent::join(&panel, "cellar").await;
    let mut world = World::make(&panel, "cellar", GAME).await;
    world.runs().await;
    world.weigh(&cellar.folder, 200);
    world.move_to("attic").await.expect(202);
    until("all of it is sent", seconds(60), async || {
        let step = world.moving().await["step"].clone();
        (step != "checking" && step != "fetching" && step != "stopping" && step != "copying").then_some(())
    })
    .await;
    cellar.kill().await;
    until("it lives in the attic", seconds(60), async || {
        (world.seen().await["nodeId"] == "attic").then_some(())
    })
    .await;
    panel.kill().await;
    panel.again().await;
    world.again(&panel);
    online(&panel, "attic").await;
    world.is("running").await;
    world.power("restart").await.expect(202);
    world.is("running").await;
    cellar.again();
    world.moved("done").await;
    world.lies_in(&attic.folder, &[panel.folder(), &cellar.folder]).await;
    assert_eq!(world.is("running").await["nodeId"], "attic");
    assert_eq!(containers(&world.id).await, 1);
}

#[tokio::test]
async fn the_other_nodes_disk_is_full() {
    let panel = panel().await;
    let disk = SmallDisk::new(420);
    let attic = Agent::join_in(&panel, "attic", &disk.data()).await;
    let world = World::make(&panel, "local", GAME).await;
    world.runs().await;
    world.weigh(panel.folder(), 400);
    world.move_to("attic").await.expect(202);
    let failed = world.moved("failed").await;
    assert!(failed["error"].as_str().unwrap().contains("has no room for it"), "{failed}");
    assert_eq!(world.is("running").await["exitCode"], Value::Null, "it was not even stopped");
    world.weigh(panel.folder(), 250);
    world.move_to("attic").await.expect(202);
    until("it is copied", seconds(60), async || (world.moving().await["step"] == "copying").then_some(()))
        .await;
    // Stopped, so that nothing is received while the disk is filled, however fast the copy is.
    attic.signal("STOP");
    disk.fill();
    attic.signal("CONT");
    let failed = world.moved("failed").await;
    assert!(failed["error"].as_str().unwrap().contains("Make room there"), "{failed}");
    world.is("running").await;
    world.lies_in(panel.folder(), &[&attic.folder]).await;
    disk.free();
    world.move_to("attic").await.expect(202);
    world.moved("done").await;
    panel.admin().delete(&format!("/api/servers/{}", world.id)).await.expect(204);
    let mut attic = attic;
    attic.kill().await;
}
