//! Status messages that are repeated, late, or from an old connection.

use std::time::Duration;

use serde_json::{Value, json};

use super::panel;
use crate::harness::fake::FakeAgent;
use crate::harness::{Panel, seconds, until};

async fn shown(panel: &Panel, server: &str) -> Value {
    panel.admin().get(&format!("/api/servers/{server}")).await.expect(200).json
}

async fn becomes(panel: &Panel, server: &str, status: &str) {
    until(&format!("{server} is {status}"), seconds(5), async || {
        (shown(panel, server).await["status"] == status).then_some(())
    })
    .await;
}

fn status(server: &str, status: &str) -> Value {
    json!({ "serverId": server, "status": status })
}

/// A frame that was buffered an hour ago.
fn old(server: &str, word: &str) -> String {
    let then = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    json!({ "type": "server_status", "data": status(server, word), "timestamp": then.to_string() })
        .to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_word_of_the_living_connection_counts() {
    let panel = panel().await;
    let mut agent = FakeAgent::join(&panel, "babbler").await;
    agent.introduce(&[]).await;
    let server = agent.server(&panel, "A world").await;
    // Repeated, and changing back and forth: the last one is shown.
    for word in ["starting", "running", "running", "stopping", "running", "stopped", "running"] {
        for _ in 0..3 {
            agent.peer.say("server_status", status(&server, word)).await;
        }
    }
    becomes(&panel, &server, "running").await;
    // Hour-old frames that the next connection sends before its current state.
    let mut next = agent.again(&panel).await.unwrap();
    next.peer.text(old(&server, "crashed")).await;
    next.introduce(&[(&server, "running")]).await;
    next.peer.text(old(&server, "stopping")).await;
    next.peer.say("sync", json!({ "servers": [status(&server, "running")] })).await;
    becomes(&panel, &server, "running").await;
    // Messages of the old connection are ignored, and its end does not take the node offline.
    for word in ["crashed", "deleted", "stopped"] {
        agent.peer.say("server_status", status(&server, word)).await;
    }
    agent.peer.say("sync", json!({ "servers": [] })).await;
    assert_eq!(agent.peer.closed(seconds(5)).await, Some(4409));
    drop(agent);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let node = panel.admin().get("/api/nodes/babbler").await.expect(200).json;
    assert_eq!((&node["online"], &shown(&panel, &server).await["status"]), (&json!(true), &json!("running")));
}

/// An agent whose old connection is half-open when the new one comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_connection_stands_in_nobodys_way() {
    let panel = panel().await;
    let mut old = FakeAgent::join(&panel, "wanderer").await;
    old.introduce(&[]).await;
    let server = old.server(&panel, "A world").await;
    // The old connection neither reads nor sends from here on. The new one is served at once.
    let mut new = old.again(&panel).await.unwrap();
    new.introduce(&[(&server, "running")]).await;
    becomes(&panel, &server, "running").await;
    let typed = crate::docker::beside({
        let (admin, path) = (panel.admin(), format!("/api/servers/{server}/command"));
        async move { admin.post(&path, json!({ "command": "hello" })).await.status }
    });
    let asked = new.peer.expect("server_command", seconds(5)).await;
    assert_eq!(asked["data"]["command"], "hello");
    new.oblige(&asked).await;
    assert_eq!(typed.await.unwrap(), 204);
    // The end of the old one, minutes later on a real network, changes nothing.
    assert_eq!(old.peer.closed(seconds(5)).await, Some(4409));
    drop(old);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let node = panel.admin().get("/api/nodes/wanderer").await.expect(200).json;
    assert_eq!((&node["online"], &shown(&panel, &server).await["status"]), (&json!(true), &json!("running")));
}
