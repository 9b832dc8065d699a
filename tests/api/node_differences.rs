//! Differences between a node and the panel's records: reported, and resolved by an action. Nodes that are offline or
//! gone for good.

use serde_json::{Value, json};

use super::fake_node::{FakeNode, Told, node_is};
use crate::harness::{Live, Panel, seconds, until};

async fn server(panel: &Panel, node: &str, name: &str) -> String {
    let body = json!({ "name": name, "nodeId": node, "image": "cap-test/busybox", "startup": "game" });
    panel.admin().post("/api/servers", body).await.expect(201).id()
}

async fn server_is(panel: &Panel, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    until(&format!("{id}: {what}"), seconds(10), async || {
        let server = panel.admin().get(&format!("/api/servers/{id}")).await.expect(200).json;
        wanted(&server).then_some(server)
    })
    .await
}

fn mend(id: &str) -> String {
    format!("/api/nodes/attic/differences/{id}")
}

#[tokio::test]
async fn a_lost_server_is_missing_and_made_again_by_hand() {
    let panel = Panel::start().await;
    let (node, secret) = FakeNode::join(&panel, "attic", Told::default()).await;
    let id = server(&panel, "attic", "World").await;
    until("it is handed over", seconds(5), async || node.asked("server_create").pop()).await;
    node.say("server_status", &json!({ "serverId": id, "status": "stopped" }));
    server_is(&panel, &id, "stopped", |server| server["status"] == "stopped").await;
    drop(node);
    let away = server_is(&panel, &id, "unknown", |server| server["status"] == "unknown").await;
    assert!(away["statusReason"].as_str().unwrap().contains("attic"), "{away}");
    assert!(away["statusSince"].is_string() && away["nodeOnline"] == false, "{away}");

    // The node is back with an empty disk.
    let mut live = Live::open(&panel.admin()).await;
    live.subscribe(&["nodes"]).await;
    let node = FakeNode::connect(&panel, "attic", &secret, Told::default()).await.unwrap();
    live.wait(seconds(5), |message| {
        (message["data"]["changed"]["differences"][0]["kind"] == "missing").then_some(())
    })
    .await;
    let view = node_is(&panel, "attic", "a difference", |node| node["differences"][0].is_object()).await;
    let difference = &view["differences"][0];
    assert_eq!((&difference["serverId"], &difference["actions"]), (&json!(id), &json!(["recreate"])));
    let lost = server_is(&panel, &id, "unknown", |server| server["status"] == "unknown").await;
    assert!(lost["statusReason"].as_str().unwrap().contains("lost"), "{lost}");
    assert_eq!(lost["nodeOnline"], true);
    panel
        .admin()
        .post(&format!("/api/servers/{id}/power"), json!({ "action": "start" }))
        .await
        .refused(409, "conflict");
    assert!(node.asked("server_create").is_empty(), "not made again by itself");
    for wrong in ["adopt", "remove", "apply"] {
        panel.admin().post(&mend(&id), json!({ "action": wrong })).await.refused(409, "conflict");
    }
    panel.admin().post(&mend("nobody"), json!({ "action": "recreate" })).await.refused(404, "not_found");
    panel.admin().post(&mend(&id), json!({ "action": "burn" })).await.refused(422, "invalid");
    panel.admin().post(&mend(&id), json!({ "action": "recreate" })).await.expect(204);
    assert_eq!(node.asked("server_create").len(), 1);
    let view = panel.admin().get("/api/nodes/attic").await.expect(200).json;
    assert_eq!(view["differences"], json!([]));
    // Users who are not administrators see nothing of it.
    let jo = panel.user("jo").await;
    let seen = jo.get("/api/nodes/attic").await.expect(200).json;
    assert!(
        seen["differences"].is_null() && seen["secret"].is_null() && seen["createdAt"].is_null(),
        "{seen}"
    );
}

#[tokio::test]
async fn an_unknown_server_is_adopted_or_removed() {
    let panel = Panel::start().await;
    let told = Told {
        servers: json!([{ "serverId": "stray", "status": "running" }, { "serverId": "other", "status": "stopped" }]),
        description: json!({ "spec": {
            "serverId": "stray", "name": "Stray world", "image": "cap-test/busybox", "startup": "game",
            "environment": { "A": "1" }, "limits": { "memory": 64 << 20 },
            "ports": [{ "internal": 25565, "external": 31900, "protocol": "tcp" }],
        } }),
        ..Told::default()
    };
    let (node, _) = FakeNode::join(&panel, "attic", told).await;
    let view = node_is(&panel, "attic", "differences", |node| node["differences"][1].is_object()).await;
    assert_eq!(view["differences"][0]["actions"], json!(["adopt", "remove"]), "{view}");
    assert_eq!(view["differences"][1]["status"], "running", "{view}");
    assert_eq!(panel.admin().get("/api/servers").await.json, json!([]), "it is nobody's yet");
    panel.admin().post(&mend("stray"), json!({ "action": "adopt" })).await.expect(204);
    let adopted = panel.admin().get("/api/servers/stray").await.expect(200).json;
    assert_eq!(
        (&adopted["name"], &adopted["nodeId"], &adopted["status"], &adopted["ports"][0]["external"]),
        (&json!("Stray world"), &json!("attic"), &json!("running"), &json!(31900)),
        "{adopted}"
    );
    // The agent's description of another server has a wrong id.
    panel.admin().post(&mend("other"), json!({ "action": "adopt" })).await.refused(500, "internal");
    panel.admin().post(&mend("other"), json!({ "action": "remove" })).await.expect(204);
    assert_eq!(node.asked("server_delete")[0]["data"]["serverId"], "other");
    let view = panel.admin().get("/api/nodes/attic").await.expect(200).json;
    assert_eq!((&view["differences"], &view["servers"]), (&json!([]), &json!(1)));
}

/// A node may send anything. Values that a user could not have entered are not adopted.
#[tokio::test]
async fn what_a_node_describes_is_held_to_what_a_person_may_type() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let good =
        json!({ "serverId": "stray", "name": "Stray", "image": "cap-test/busybox", "startup": "game" });
    let port = |external: u16| json!([{ "internal": 1, "external": external, "protocol": "tcp" }]);
    let cases = [
        ("user", json!({ "behaviour": { "user": { "fixed": "0:0" } } })),
        ("dataPath", json!({ "behaviour": { "dataPath": "/etc" } })),
        ("dataPath", json!({ "behaviour": { "dataPath": "/data/../usr/bin" } })),
        ("workingDir", json!({ "behaviour": { "workingDir": "a" } })),
        ("stop", json!({ "behaviour": { "stop": { "command": "stop\nop eve" } } })),
        ("stop", json!({ "behaviour": { "stop": { "signal": "SIGSTOP" } } })),
        ("stopTimeout", json!({ "behaviour": { "stopTimeout": u32::MAX } })),
        ("ready", json!({ "behaviour": { "ready": "regex:(" } })),
        ("name", json!({ "name": "a\u{1b}[2Jb" })),
        ("image", json!({ "image": "x --privileged" })),
        ("startup", json!({ "startup": "game\u{7}" })),
        ("environment.A-B", json!({ "environment": { "A-B": "1" } })),
        ("limits.memory", json!({ "limits": { "memory": -1 } })),
        ("ports[0].external", json!({ "ports": port(0) })),
    ];
    for (at, (field, more)) in cases.into_iter().enumerate() {
        let node = format!("n{at}");
        let mut spec = good.clone();
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let told = Told {
            servers: json!([{ "serverId": "stray", "status": "stopped" }]),
            description: json!({ "spec": spec }),
            ..Told::default()
        };
        let (agent, _) = FakeNode::join(&panel, &node, told).await;
        node_is(&panel, &node, "a difference", |node| node["differences"][0].is_object()).await;
        let adopt = format!("/api/nodes/{node}/differences/stray");
        let refused = admin.post(&adopt, json!({ "action": "adopt" })).await.refused(422, "invalid");
        assert!(!refused.field(field).is_empty(), "{field}: {refused:?}");
        assert_eq!(admin.get("/api/servers").await.json, json!([]), "{field}");
        let view = admin.get(&format!("/api/nodes/{node}")).await.expect(200).json;
        assert_eq!(view["differences"][0]["kind"], "unknown", "it is there still: {view}");
        drop(agent);
    }
}

#[tokio::test]
async fn a_node_may_not_take_a_server_of_another() {
    let panel = Panel::start().await;
    let id = server(&panel, "local", "Mine").await;
    let before = server_is(&panel, &id, "settled", |server| server["status"] != "installing").await;
    let told = Told {
        servers: json!([{ "serverId": id, "status": "running" }]),
        description: json!({ "spec": { "serverId": id, "name": "Theirs", "image": "evil" } }),
        ..Told::default()
    };
    let (_node, _) = FakeNode::join(&panel, "attic", told).await;
    let view = node_is(&panel, "attic", "a difference", |node| node["differences"][0].is_object()).await;
    assert_eq!(view["differences"][0]["actions"], json!(["remove"]), "{view}");
    panel.admin().post(&mend(&id), json!({ "action": "adopt" })).await.refused(409, "conflict");
    panel.admin().post(&mend(&id), json!({ "action": "remove" })).await.expect(204);
    let after = panel.admin().get(&format!("/api/servers/{id}")).await.expect(200).json;
    for key in ["name", "nodeId", "image", "status"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    panel.admin().delete(&format!("/api/servers/{id}")).await.expect(204);
}

#[tokio::test]
async fn a_dead_node_goes_with_its_servers_and_comes_back_as_a_stranger() {
    let panel = Panel::builder().env("AGENT_SECRET", "a shared secret of ours").start().await;
    let (node, secret) = FakeNode::join(&panel, "attic", Told::default()).await;
    let (id, kept) = (server(&panel, "attic", "World").await, server(&panel, "attic", "Kept").await);
    panel.admin().delete("/api/nodes/attic").await.refused(409, "conflict");
    panel.admin().delete("/api/nodes/attic?force=true").await.refused(409, "conflict");
    drop(node);
    node_is(&panel, "attic", "offline", |node| node["online"] == false).await;
    panel.admin().delete(&format!("/api/servers/{id}")).await.refused(503, "node_offline");
    let start = format!("/api/servers/{id}/power");
    panel.admin().post(&start, json!({ "action": "start" })).await.refused(503, "node_offline");
    panel.admin().post(&mend(&id), json!({ "action": "recreate" })).await.refused(503, "node_offline");
    panel.admin().delete(&format!("/api/servers/{id}?force=true")).await.expect(204);
    panel.admin().get(&format!("/api/servers/{id}")).await.refused(404, "not_found");

    // A forgotten server is unknown when its node comes back.
    let servers = json!([{ "serverId": id, "status": "running" }, { "serverId": kept, "status": "stopped" }]);
    let told = Told { servers, ..Told::default() };
    let node = FakeNode::connect(&panel, "attic", &secret, told.clone()).await.unwrap();
    let view = node_is(&panel, "attic", "a difference", |node| node["differences"][0].is_object()).await;
    assert_eq!(
        (&view["differences"][0]["serverId"], view["differences"][1].is_null()),
        (&json!(id), true),
        "{view}"
    );
    drop(node);
    node_is(&panel, "attic", "offline", |node| node["online"] == false).await;
    panel.admin().delete("/api/nodes/attic").await.refused(409, "conflict");
    panel.admin().delete("/api/nodes/attic?force=maybe").await.refused(422, "invalid");
    panel.admin().delete("/api/nodes/attic?force=true").await.expect(204);
    panel.admin().get(&format!("/api/servers/{kept}")).await.refused(404, "not_found");
    panel.admin().get("/api/nodes/attic").await.refused(404, "not_found");
    assert_eq!(
        FakeNode::connect(&panel, "attic", &secret, told).await.err(),
        Some(401),
        "its secret went with it"
    );
}

#[tokio::test]
async fn settings_changed_while_a_node_is_away_are_sent_when_it_is_back() {
    let panel = Panel::start().await;
    let (node, secret) = FakeNode::join(&panel, "attic", Told::default()).await;
    let id = server(&panel, "attic", "World").await;
    until("it is handed over", seconds(5), async || node.asked("server_create").pop()).await;
    drop(node);
    node_is(&panel, "attic", "offline", |node| node["online"] == false).await;
    // Changed while the node is offline: sent automatically when it is back.
    panel.admin().patch(&format!("/api/servers/{id}"), json!({ "startup": "count 1" })).await.expect(200);
    let told = Told { servers: json!([{ "serverId": id, "status": "stopped" }]), ..Told::default() };
    let node = FakeNode::connect(&panel, "attic", &secret, told).await.unwrap();
    let sent = until("it is told", seconds(5), async || node.asked("server_update").pop()).await;
    assert_eq!(sent["data"]["startup"], "count 1");
    let view = panel.admin().get("/api/nodes/attic").await.expect(200).json;
    assert_eq!(view["differences"], json!([]));
}
