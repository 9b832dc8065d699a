//! Placement of a new server: a chosen node, never a draining one, or automatic.

use serde_json::{Value, json};

use super::fake_node::{FakeNode, Told};
use crate::harness::{Answer, Panel};

const GIB: i64 = 1 << 30;

async fn make(panel: &Panel, more: Value) -> Answer {
    let mut body =
        json!({ "name": "World", "nodeId": "auto", "image": "cap-test/busybox", "startup": "game" });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    panel.admin().post("/api/servers", body).await
}

#[tokio::test]
async fn where_there_is_room_is_where_most_memory_is_promised_to_nobody() {
    let panel = Panel::start().await;
    panel.admin().patch("/api/nodes/local", json!({ "draining": true })).await.expect(200);
    let refused = make(&panel, json!({})).await.refused(409, "conflict");
    assert!(refused.text.contains("drained"), "{refused:?}");
    let (_big, _) = FakeNode::join(&panel, "big", Told::memory(10)).await;
    let (small, _) = FakeNode::join(&panel, "small", Told::memory(8)).await;
    let four = json!({ "limits": { "memory": 4 * GIB } });
    let mut went = Vec::new();
    // Free memory of both nodes in GiB before each server: 10 and 8; 6 and 8; 6 and 4; 2 and 4.
    for _ in 0..4 {
        went.push(make(&panel, four.clone()).await.expect(201).json["nodeId"].as_str().unwrap().to_owned());
    }
    assert_eq!(went, ["big", "small", "big", "small"]);
    let full = make(&panel, four.clone()).await.refused(409, "conflict");
    assert!(full.text.contains("2048 MiB") && full.text.contains("small"), "{full:?}");
    let big = panel.admin().get("/api/nodes/big").await.expect(200).json;
    assert_eq!((&big["servers"], &big["promisedMemory"]), (&json!(2), &json!(8 * GIB)));

    let two = json!({ "limits": { "memory": 2 * GIB } });
    panel.admin().patch("/api/nodes/big", json!({ "draining": true })).await.expect(200);
    let refused = make(&panel, two.clone()).await.refused(409, "conflict");
    assert!(refused.text.contains("big is being drained"), "{refused:?}");
    let named = json!({ "nodeId": "big", "limits": { "memory": GIB } });
    make(&panel, named.clone()).await.refused(409, "conflict");
    panel.admin().patch("/api/nodes/big", json!({ "draining": false, "name": "Big one" })).await.expect(200);
    assert_eq!(make(&panel, two).await.expect(201).json["nodeId"], "big");
    drop(small);
}

#[tokio::test]
async fn a_node_that_does_not_fit_is_passed_over_and_the_preview_says_which_one_it_is() {
    let panel = Panel::start().await;
    panel.admin().patch("/api/nodes/local", json!({ "draining": true })).await.expect(200);
    let mut arm = Told::memory(64);
    arm.system["arch"] = "riscv64".into();
    let mut full = Told::memory(32);
    full.report["disk"]["used"] = full.report["disk"]["total"].clone();
    let mut busy = Told::memory(16);
    busy.report["memory"]["used"] = busy.report["memory"]["total"].clone();
    let (_a, _) = FakeNode::join(&panel, "arm", arm).await;
    let (_b, _) = FakeNode::join(&panel, "full", full).await;
    let (_c, _) = FakeNode::join(&panel, "busy", busy).await;
    let (_d, _) = FakeNode::join(&panel, "right", Told::memory(8)).await;
    let body = json!({ "nodeId": "auto", "templateId": "minecraft-paper", "acceptEula": true });
    let preview = panel.admin().post("/api/servers/preview", body.clone()).await.expect(200).json;
    assert_eq!((&preview["nodeId"], &preview["blockers"]), (&json!("right"), &json!([])), "{preview}");
    let mut named = body.clone();
    named["name"] = "World".into();
    assert_eq!(panel.admin().post("/api/servers", named).await.expect(201).json["nodeId"], "right");
    drop(_d);
    // A chosen port has to be free on the node too.
    let ports = json!([{ "internal": 1, "external": 31950, "protocol": "tcp" }]);
    let taken = make(&panel, json!({ "nodeId": "arm", "ports": ports })).await;
    assert_eq!(taken.expect(201).json["nodeId"], "arm");
    let refused = make(&panel, json!({ "ports": ports, "limits": { "memory": GIB } })).await;
    let refused = refused.refused(409, "conflict");
    assert!(refused.text.contains("31950/tcp"), "{refused:?}");
    let preview = panel.admin().post("/api/servers/preview", body).await.expect(200).json;
    assert_eq!(preview["blockers"][0]["field"], "nodeId", "{preview}");
}

#[tokio::test]
async fn a_node_is_renamed_and_its_servers_say_so() {
    let panel = Panel::start().await;
    let (_node, _) = FakeNode::join(&panel, "attic", Told::default()).await;
    let made = make(&panel, json!({ "nodeId": "attic" })).await.expect(201);
    assert_eq!(made.json["nodeName"], "attic");
    let node = panel.admin().patch("/api/nodes/attic", json!({ "name": "Attic <b>" })).await.expect(200).json;
    assert_eq!((&node["name"], &node["draining"]), (&json!("Attic <b>"), &json!(false)));
    let server = panel.admin().get(&format!("/api/servers/{}", made.id())).await.expect(200).json;
    assert_eq!(server["nodeName"], "Attic <b>");
    for bad in ["", " ", "a\nb", &"x".repeat(81)] {
        panel.admin().patch("/api/nodes/attic", json!({ "name": bad })).await.refused(422, "invalid");
    }
    panel.admin().patch("/api/nodes/attic", json!({ "secret": "x" })).await.refused(422, "invalid");
    panel.admin().patch("/api/nodes/nobody", json!({ "draining": true })).await.refused(404, "not_found");
}
