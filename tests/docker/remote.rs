//! Another machine: the same binary as an agent, a process of its own with a folder of its own.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::harness::{Live, Panel, docker, seconds, until};

pub(super) struct Agent {
    child: Child,
    folder: tempfile::TempDir,
    env: Vec<(&'static str, String)>,
}

impl Agent {
    /// As the join line has it.
    pub(super) async fn join(panel: &Panel, id: &str) -> Self {
        let made = panel.admin().post("/api/nodes", json!({ "id": id })).await.expect(201).json;
        let secret = made["secret"].as_str().unwrap().to_owned();
        let folder = tempfile::Builder::new().prefix("cap-agent-").tempdir().unwrap();
        let env = vec![
            ("PANEL_URL", format!("ws://{}", panel.agents_address())),
            ("NODE_ID", id.to_owned()),
            ("AGENT_SECRET", secret),
        ];
        let child = start(&env, &folder);
        Self { child, folder, env }
    }

    pub(super) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    pub(super) fn again(&mut self) {
        self.child = start(&self.env, &self.folder);
    }

    /// The same node on a new disk.
    pub(super) fn again_with_nothing(&mut self) {
        self.folder = tempfile::Builder::new().prefix("cap-agent-").tempdir().unwrap();
        self.again();
    }

    /// The secret that it comes with from the next start on.
    pub(super) fn set_secret(&mut self, secret: &str) {
        self.env.retain(|(name, _)| *name != "AGENT_SECRET");
        self.env.push(("AGENT_SECRET", secret.to_owned()));
    }
}

fn start(env: &[(&'static str, String)], folder: &tempfile::TempDir) -> Child {
    Command::new(crate::harness::binary())
        .arg("agent")
        .env("DATA_DIR", folder.path())
        .env("HEALTH_PORT", "off")
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

pub(super) async fn online(panel: &Panel, id: &str, online: bool) -> Value {
    until(&format!("{id} online: {online}"), seconds(40), async || {
        let node = panel.admin().get(&format!("/api/nodes/{id}")).await.expect(200).json;
        (node["online"] == online && (!online || node["engine"]["available"] == true)).then_some(node)
    })
    .await
}

pub(super) async fn status(panel: &Panel, server: &str, status: &str) -> Value {
    until(&format!("{server} is {status}"), seconds(40), async || {
        let server = panel.admin().get(&format!("/api/servers/{server}")).await.expect(200).json;
        (server["status"] == status).then_some(server)
    })
    .await
}

#[tokio::test]
async fn a_server_on_another_node_lives_as_one_here() {
    docker::image().await;
    let mut panel = Panel::builder().env("WEBSOCKET_PORT", free_port().to_string()).start().await;
    let mut agent = Agent::join(&panel, "attic-pi").await;
    let node = online(&panel, "attic-pi", true).await;
    assert!(node["capabilities"].as_array().unwrap().contains(&json!("ack")), "{node}");

    let body =
        json!({ "name": "Afar", "nodeId": "attic-pi", "image": docker::BUSYBOX, "startup": "count 0.05" });
    let id = panel.admin().post("/api/servers", body).await.expect(201).id();
    let _gone = Gone(id.clone());
    status(&panel, &id, "stopped").await;
    let mut live = Live::open(&panel.admin()).await;
    let console = format!("console:{id}");
    live.subscribe(&[&console]).await;
    panel.admin().post(&format!("/api/servers/{id}/power"), json!({ "action": "start" })).await.expect(202);
    status(&panel, &id, "running").await;
    live.wait(seconds(15), |message| message.to_string().contains("\"text\":\"20\"").then_some(())).await;
    let tail = panel.admin().get(&format!("/api/servers/{id}/console?tail=5")).await.expect(200).json;
    assert_eq!(tail["lines"].as_array().unwrap().len(), 5);
    let again = panel.admin().post(&format!("/api/servers/{id}/power"), json!({ "action": "start" })).await;
    again.refused(409, "already_running");
    let begun = docker::inspect(&id).await.unwrap()["State"]["StartedAt"].clone();

    // The panel dies and comes back: the game has not noticed.
    panel.kill().await;
    panel.again().await;
    online(&panel, "attic-pi", true).await;
    status(&panel, &id, "running").await;
    // The agent dies: what is there is unknown until it is back.
    agent.kill().await;
    online(&panel, "attic-pi", false).await;
    status(&panel, &id, "unknown").await;
    let refused = panel.admin().post(&format!("/api/servers/{id}/power"), json!({ "action": "stop" })).await;
    refused.refused(503, "node_offline");
    panel.admin().delete(&format!("/api/servers/{id}")).await.refused(503, "node_offline");
    agent.again();
    online(&panel, "attic-pi", true).await;
    status(&panel, &id, "running").await;
    assert_eq!(docker::inspect(&id).await.unwrap()["State"]["StartedAt"], begun);

    panel.admin().delete("/api/nodes/attic-pi").await.expect(409);
    panel.admin().delete(&format!("/api/servers/{id}")).await.expect(204);
    assert!(docker::inspect(&id).await.is_none());
    panel.admin().delete("/api/nodes/attic-pi").await.expect(204);
    // Its secret is worth nothing now, and no node is made of it.
    tokio::time::timeout(seconds(3), async {
        while panel.admin().get("/api/nodes").await.json.as_array().unwrap().len() > 1 {}
    })
    .await
    .unwrap();
}

/// Removes the container, whatever becomes of the test.
pub(super) struct Gone(pub(super) String);

impl Drop for Gone {
    fn drop(&mut self) {
        let name = format!("ctrl-alt-play-{}", self.0);
        let _ = std::process::Command::new("docker").args(["rm", "-f", &name]).output();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
