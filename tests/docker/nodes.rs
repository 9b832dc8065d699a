//! Nodes that come back in another state, with real agents and real containers.

use serde_json::{Value, json};

use super::remote::{Gone, online, status};
use crate::harness::node::Node;
use crate::harness::{Panel, docker, seconds, until};

async fn make(panel: &Panel, name: &str) -> String {
    let body = json!({ "name": name, "nodeId": "attic", "image": docker::BUSYBOX, "startup": "count 0.2" });
    let id = panel.admin().post("/api/servers", body).await.expect(201).id();
    status(panel, &id, "stopped").await;
    id
}

async fn start(panel: &Panel, id: &str) {
    panel.admin().post(&format!("/api/servers/{id}/power"), json!({ "action": "start" })).await.expect(202);
    status(panel, id, "running").await;
}

async fn difference(panel: &Panel) -> Value {
    until("a difference", seconds(20), async || {
        let node = panel.admin().get("/api/nodes/attic").await.expect(200).json;
        Some(node["differences"][0].clone()).filter(Value::is_object)
    })
    .await
}

async fn mend(panel: &Panel, id: &str, action: &str) {
    let path = format!("/api/nodes/attic/differences/{id}");
    panel.admin().post(&path, json!({ "action": action })).await.expect(204);
}

async fn begun(id: &str) -> Value {
    docker::inspect(id).await.expect("a container")["State"]["StartedAt"].clone()
}

#[tokio::test]
async fn a_node_that_lost_its_disk_gets_its_server_again_when_asked() {
    docker::image().await;
    let panel = Panel::start().await;
    let mut agent = Node::builder().join(&panel, "attic").await;
    online(&panel, "attic", true).await;
    let id = make(&panel, "World").await;
    let _gone = Gone(id.clone());
    agent.kill().await;
    online(&panel, "attic", false).await;
    agent.again_with_nothing();
    online(&panel, "attic", true).await;
    let lost = difference(&panel).await;
    assert_eq!((&lost["kind"], &lost["serverId"]), (&json!("missing"), &json!(id)), "{lost}");
    status(&panel, &id, "unknown").await;
    mend(&panel, &id, "recreate").await;
    status(&panel, &id, "stopped").await;
    start(&panel, &id).await;
    panel.admin().delete(&format!("/api/servers/{id}")).await.expect(204);
}

#[tokio::test]
async fn a_forgotten_server_runs_on_and_is_adopted_or_removed() {
    docker::image().await;
    let panel = Panel::start().await;
    let mut agent = Node::builder().join(&panel, "attic").await;
    online(&panel, "attic", true).await;
    let id = make(&panel, "World").await;
    let _gone = Gone(id.clone());
    start(&panel, &id).await;
    let at = begun(&id).await;
    for action in ["adopt", "remove"] {
        agent.kill().await;
        online(&panel, "attic", false).await;
        panel.admin().delete(&format!("/api/servers/{id}?force=true")).await.expect(204);
        agent.again();
        online(&panel, "attic", true).await;
        let stray = difference(&panel).await;
        assert_eq!((&stray["kind"], &stray["serverId"]), (&json!("unknown"), &json!(id)), "{stray}");
        assert_eq!(begun(&id).await, at, "the game has not noticed");
        mend(&panel, &id, action).await;
        if action == "adopt" {
            let server = status(&panel, &id, "running").await;
            assert_eq!((&server["name"], &server["startup"]), (&json!("World"), &json!("count 0.2")));
            assert_eq!(server["needsRestart"], false, "{server}");
            let lines = panel.admin().get(&format!("/api/servers/{id}/console?tail=1")).await.expect(200);
            assert_eq!(lines.json["lines"].as_array().map(Vec::len), Some(1));
        }
    }
    until("the container is gone", seconds(20), async || docker::inspect(&id).await.is_none().then_some(()))
        .await;
    let node = panel.admin().get("/api/nodes/attic").await.expect(200).json;
    assert_eq!((&node["differences"], &node["servers"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn a_renewed_secret_leaves_time_and_a_revoked_one_none() {
    docker::image().await;
    let panel = Panel::start().await;
    let mut agent = Node::builder().join(&panel, "attic").await;
    online(&panel, "attic", true).await;
    let id = make(&panel, "World").await;
    let _gone = Gone(id.clone());
    start(&panel, &id).await;
    let at = begun(&id).await;
    let made = panel.admin().post("/api/nodes/attic/secret", json!(null)).await.expect(200).json;
    // The agent reconnects by itself with its old secret, which is still valid.
    online(&panel, "attic", true).await;
    status(&panel, &id, "running").await;
    agent.kill().await;
    agent.set_secret(made["secret"].as_str().unwrap());
    agent.again();
    until("it came with the new one", seconds(20), async || {
        let node = panel.admin().get("/api/nodes/attic").await.expect(200).json;
        (node["online"] == true && node["secret"]["oldUntil"].is_null()).then_some(())
    })
    .await;
    status(&panel, &id, "running").await;
    let before = std::time::Instant::now();
    panel.admin().delete("/api/nodes/attic/secret").await.expect(204);
    online(&panel, "attic", false).await;
    assert!(before.elapsed() < seconds(2), "{:?}", before.elapsed());
    assert_eq!(begun(&id).await, at, "the game is none of this");
    agent.kill().await;
    panel.admin().delete("/api/nodes/attic?force=true").await.expect(204);
    panel.admin().get(&format!("/api/servers/{id}")).await.refused(404, "not_found");
}
