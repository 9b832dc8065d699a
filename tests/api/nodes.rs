//! The panel's list of nodes.

use serde_json::json;

use crate::harness::{Panel, seconds, until};

#[tokio::test]
async fn the_local_node_tells_what_it_is() {
    let panel = Panel::start().await;
    let node = until("the engine answered", seconds(15), async || {
        let nodes = panel.admin().get("/api/nodes").await.expect(200).json;
        (nodes[0]["engine"]["available"] == true).then(|| nodes[0].clone())
    })
    .await;
    assert_eq!((&node["id"], &node["local"], &node["online"]), (&json!("local"), &json!(true), &json!(true)));
    let system = &node["system"];
    assert_eq!(system["os"], "linux");
    assert!(matches!(system["arch"].as_str(), Some("amd64" | "arm64" | "arm")), "{system}");
    assert!(system["memory"].as_u64().unwrap() > 64 << 20);
    assert!(system["dockerVersion"].as_str().unwrap().contains('.'), "{system}");
    for word in ["docker", "monitoring", "ack", "sync", "console", "stats"] {
        assert!(node["capabilities"].as_array().unwrap().contains(&json!(word)), "{word}");
    }
    until("the machine was sampled", seconds(15), async || {
        let usage = panel.admin().get("/api/nodes/local").await.expect(200).json["usage"].clone();
        (usage["memory"]["total"].as_u64() > Some(0) && usage["disk"]["total"].as_u64() > Some(0))
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_node_is_made_with_a_secret_shown_once_and_removed() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let made = admin.post("/api/nodes", json!({ "id": "attic-pi", "name": "Attic" })).await.expect(201);
    let secret = made.json["secret"].as_str().unwrap().to_owned();
    assert!(secret.len() >= 43, "256 bits: {secret}");
    assert!(made.json["joinCommand"].as_str().unwrap().contains(&secret));
    admin.post("/api/nodes", json!({ "id": "attic-pi" })).await.expect(409);
    let list = admin.get("/api/nodes").await.expect(200);
    assert!(!list.text.contains(&secret));
    let node = list.json.as_array().unwrap().iter().find(|node| node["id"] == "attic-pi").unwrap().clone();
    assert_eq!(
        (&node["online"], &node["local"], &node["name"]),
        (&json!(false), &json!(false), &json!("Attic"))
    );
    for bad in ["", "-x", "a b", "local", &"x".repeat(65), "../x"] {
        let answer = admin.post("/api/nodes", json!({ "id": bad })).await;
        assert!(matches!(answer.status, 422 | 409), "{bad}: {answer:?}");
    }
    let file = std::fs::read(panel.folder().join("panel.redb")).unwrap();
    assert!(!file.windows(secret.len()).any(|part| part == secret.as_bytes()), "the secret is on disk");
    admin.delete("/api/nodes/attic-pi").await.expect(204);
    admin.delete("/api/nodes/attic-pi").await.refused(404, "not_found");
    let local = admin.delete("/api/nodes/local").await;
    assert!(matches!(local.status, 409 | 403 | 422), "{local:?}");
}

#[tokio::test]
async fn users_see_of_a_node_what_they_need() {
    let panel = Panel::start().await;
    let jo = panel.user("jo").await;
    let nodes = jo.get("/api/nodes").await.expect(200);
    assert!(!nodes.text.contains(&panel.folder().display().to_string()), "a host path: {}", nodes.text);
    assert!(!nodes.text.contains("kernel"), "{}", nodes.text);
    jo.post("/api/nodes", json!({ "id": "mine" })).await.refused(403, "forbidden");
}
