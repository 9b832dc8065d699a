//! A node's secret: renewed with a transition period, and revoked at once.

use std::time::{Duration, Instant};

use serde_json::json;

use super::fake_node::{FakeNode, Told, node_is};
use crate::harness::{Panel, seconds, until};

async fn refused(panel: &Panel, id: &str, secret: &str) -> u16 {
    FakeNode::connect(panel, id, secret, Told::default()).await.err().unwrap_or(101)
}

async fn renewed(panel: &Panel, id: &str) -> String {
    let answer = panel.admin().post(&format!("/api/nodes/{id}/secret"), json!(null)).await.expect(200);
    let secret = answer.json["secret"].as_str().unwrap().to_owned();
    assert!(answer.json["joinCommand"].as_str().unwrap().contains(&secret), "{answer:?}");
    assert_eq!(answer.json["id"], id);
    secret
}

#[tokio::test]
async fn both_secrets_open_until_the_agent_came_with_the_new_one() {
    let panel = Panel::start().await;
    let (first, old) = FakeNode::join(&panel, "attic", Told::default()).await;
    let node = node_is(&panel, "attic", "used", |node| node["secret"]["lastUsed"].is_string()).await;
    assert_eq!(node["secret"]["kind"], "own");
    let new = renewed(&panel, "attic").await;
    assert_ne!(old, new);
    until("the connection is judged anew", seconds(2), async || first.closed()).await;
    // The old secret is still valid, and using it changes nothing.
    let again = FakeNode::connect(&panel, "attic", &old, Told::default()).await.expect("the old one opens");
    let node = node_is(&panel, "attic", "online", |node| node["online"] == true).await;
    assert!(node["secret"]["oldUntil"].is_string(), "{node}");
    let newer = FakeNode::connect(&panel, "attic", &new, Told::default()).await.expect("the new one opens");
    until("the other is replaced", seconds(5), async || again.closed()).await;
    assert_eq!(refused(&panel, "attic", &old).await, 401, "the agent came with the new one");
    let node = node_is(&panel, "attic", "online", |node| node["online"] == true).await;
    assert!(node["secret"]["oldUntil"].is_null(), "{node}");
    assert_eq!(newer.closed(), None);
    let listed = panel.admin().get("/api/nodes").await.expect(200).text;
    assert!(!listed.contains(&old) && !listed.contains(&new) && !panel.log().contains(&new));
    panel.admin().post("/api/nodes/local/secret", json!(null)).await.refused(409, "conflict");
    panel.admin().post("/api/nodes/nobody/secret", json!(null)).await.refused(404, "not_found");
}

#[tokio::test]
async fn an_old_secret_ends_by_its_time_and_so_does_who_came_with_it() {
    let panel = Panel::builder().env("LINK_TIMES", "renewed=2000").start().await;
    let (_first, old) = FakeNode::join(&panel, "attic", Told::default()).await;
    let new = renewed(&panel, "attic").await;
    let began = Instant::now();
    let late = FakeNode::connect(&panel, "attic", &old, Told::default()).await.expect("the old one opens");
    until("its connection ends", seconds(5), async || late.closed()).await;
    assert!(began.elapsed() > Duration::from_millis(1500), "{:?}", began.elapsed());
    assert_eq!(refused(&panel, "attic", &old).await, 401);
    assert_eq!(refused(&panel, "attic", &new).await, 101);
}

#[tokio::test]
async fn a_revoked_secret_ends_the_connection_and_opens_nothing() {
    let panel = Panel::builder().env("AGENT_SECRET", "a shared secret of ours").start().await;
    let (node, secret) = FakeNode::join(&panel, "attic", Told::default()).await;
    panel.admin().delete("/api/nodes/attic/secret").await.expect(204);
    let code = until("the connection ends", seconds(2), async || node.closed()).await;
    assert_eq!(code, 1008, "not 4409: another agent has not come");
    for given in [secret.as_str(), "a shared secret of ours", ""] {
        assert_eq!(refused(&panel, "attic", given).await, 401, "{given}");
    }
    let view = node_is(&panel, "attic", "offline", |node| node["online"] == false).await;
    assert_eq!(view["secret"]["kind"], "revoked");
    // Renewing a revoked secret starts over.
    let new = renewed(&panel, "attic").await;
    assert_eq!(refused(&panel, "attic", &secret).await, 401);
    assert_eq!(refused(&panel, "attic", &new).await, 101);
    panel.admin().delete("/api/nodes/local/secret").await.refused(409, "conflict");
}

#[tokio::test]
async fn a_node_of_the_shared_secret_gets_its_own() {
    let panel = Panel::builder().env("AGENT_SECRET", "a shared secret of ours").start().await;
    let shared = "a shared secret of ours";
    let _first = FakeNode::connect(&panel, "attic", shared, Told::default()).await.expect("a new node");
    let view = node_is(&panel, "attic", "online", |node| node["online"] == true).await;
    assert_eq!(view["secret"]["kind"], "shared");
    let own = renewed(&panel, "attic").await;
    assert_eq!(refused(&panel, "attic", shared).await, 101, "for a while");
    assert_eq!(refused(&panel, "attic", &own).await, 101);
    until("the shared one is over", seconds(5), async || {
        (refused(&panel, "attic", shared).await == 401).then_some(())
    })
    .await;
    panel.admin().post("/api/nodes", json!({ "id": "auto" })).await.refused(422, "invalid");
    assert_eq!(refused(&panel, "auto", shared).await, 400);
}
