//! A remote node: the same binary as an agent, in a separate process with its own folder.

use serde_json::{Value, json};

use crate::harness::node::{self, Node};
use crate::harness::{Live, Panel, docker, free_port, seconds, until};

pub(super) async fn online(panel: &Panel, id: &str, online: bool) -> Value {
    node::online(panel, id, online, seconds(40)).await
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
    let mut agent = Node::builder().join(&panel, "attic-pi").await;
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

    // The panel is killed and restarted. The game is not affected.
    panel.kill().await;
    panel.again().await;
    online(&panel, "attic-pi", true).await;
    status(&panel, &id, "running").await;
    // The agent is killed: the state of its servers is unknown until it is back.
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
    // Its secret is no longer valid, and does not create a new node.
    tokio::time::timeout(seconds(3), async {
        while panel.admin().get("/api/nodes").await.json.as_array().unwrap().len() > 1 {}
    })
    .await
    .unwrap();
}

/// Removes the container at the end of the test.
pub(super) struct Gone(pub(super) String);

impl Drop for Gone {
    fn drop(&mut self) {
        let name = format!("ctrl-alt-play-{}", self.0);
        let _ = std::process::Command::new("docker").args(["rm", "-f", &name]).output();
    }
}
