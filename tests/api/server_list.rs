//! The list of servers is cached in memory: every answered write is in the next list, for each reader.

use serde_json::{Value, json};

use super::fake_node::{FakeNode, Told};
use crate::harness::{Client, Panel, seconds, until};

const ROUNDS: usize = 200;
const SECRET: &str = "hush-31c4";

async fn list(client: &Client) -> Vec<Value> {
    client.get("/api/servers").await.expect(200).json.as_array().unwrap().clone()
}

/// The servers of a list by name. A reader polls, so that the list is always cached.
async fn names(client: &Client) -> Vec<String> {
    list(client).await.iter().map(|server| server["name"].as_str().unwrap().to_owned()).collect()
}

async fn made(panel: &Panel, name: &str) -> String {
    let body = json!({
        "name": name, "nodeId": "attic", "image": "game", "startup": "run", "environment": { "KEY": SECRET },
    });
    panel.admin().post("/api/servers", body).await.expect(201).id()
}

/// Creates an account. Also returns the path of its grant on a server.
async fn reader(panel: &Panel, name: &str, server: &str) -> (Client, String) {
    let client = panel.user(name).await;
    let user = client.get("/api/me").await.id();
    (client, format!("/api/servers/{server}/users/{user}"))
}

#[tokio::test]
async fn an_answered_change_is_in_the_next_list_of_every_reader() {
    let panel = Panel::start().await;
    let (_node, _) = FakeNode::join(&panel, "attic", Told::default()).await;
    let (admin, server) = (panel.admin(), made(&panel, "World").await);
    let (mira, grant) = reader(&panel, "mira", &server).await;
    admin.put(&grant, json!({ "permissions": ["view"] })).await.expect(204);
    let path = format!("/api/servers/{server}");
    for round in 0..ROUNDS {
        let name = format!("World {round}");
        admin.patch(&path, json!({ "name": name })).await.expect(200);
        let (all, some) = tokio::join!(list(&admin), list(&mira));
        for (reader, seen) in [("the administrator", &all), ("mira", &some)] {
            assert_eq!((seen.len(), &seen[0]["name"]), (1, &json!(name)), "{reader} in round {round}");
        }
        assert_eq!(all[0]["environment"]["KEY"], SECRET);
        assert_eq!((&some[0]["environment"], &some[0]["startup"]), (&Value::Null, &Value::Null));
        assert_eq!(some[0]["permissions"], json!(["view"]));
    }
    let other = made(&panel, "Other").await;
    assert_eq!(names(&admin).await.len(), 2);
    assert_eq!(names(&mira).await.len(), 1);
    admin.delete(&format!("/api/servers/{other}?force=true")).await.expect(204);
    assert_eq!(names(&admin).await, [format!("World {}", ROUNDS - 1)]);
}

#[tokio::test]
async fn rights_that_are_given_or_taken_count_at_once() {
    let panel = Panel::start().await;
    let (_node, _) = FakeNode::join(&panel, "attic", Told::default()).await;
    let (admin, server) = (panel.admin(), made(&panel, "World").await);
    let (mira, grant) = reader(&panel, "mira", &server).await;
    let path = format!("/api/servers/{server}");
    for _ in 0..20 {
        assert_eq!(list(&mira).await, [] as [Value; 0]);
        mira.get(&path).await.refused(404, "not_found");
        admin.put(&grant, json!({ "permissions": ["configure"] })).await.expect(204);
        assert_eq!(list(&mira).await[0]["environment"]["KEY"], SECRET);
        admin.put(&grant, json!({ "permissions": ["view"] })).await.expect(204);
        let text = mira.get("/api/servers").await.expect(200).text;
        assert!(text.contains("World") && !text.contains(SECRET), "{text}");
        admin.delete(&grant).await.expect(204);
    }
    // A former administrator sees the servers granted to him, which are none.
    let user = grant.rsplit('/').next().unwrap();
    for (role, servers) in [("admin", 1), ("user", 0)] {
        admin.patch(&format!("/api/users/{user}"), json!({ "role": role })).await.expect(200);
        let again = panel.sign_in("mira").await;
        assert_eq!(list(&again).await.len(), servers, "as {role}");
    }
}

#[tokio::test]
async fn an_ended_session_is_refused_at_once() {
    let panel = Panel::start().await;
    panel.user("mira").await;
    for _ in 0..5 {
        let (here, there) = (panel.sign_in("mira").await, panel.sign_in("mira").await);
        for client in [&here, &there] {
            list(client).await;
        }
        here.delete("/api/session").await.expect(204);
        here.get("/api/servers").await.refused(401, "unauthenticated");
        list(&there).await;
    }
    let mira = panel.sign_in("mira").await;
    list(&mira).await;
    let id = mira.get("/api/me").await.id();
    panel.admin().delete(&format!("/api/users/{id}")).await.expect(204);
    mira.get("/api/servers").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn what_a_node_says_is_in_the_next_list() {
    let panel = Panel::start().await;
    let (node, _) = FakeNode::join(&panel, "attic", Told::default()).await;
    let (admin, server) = (panel.admin(), made(&panel, "World").await);
    let shown = async |what: &'static str, seen: &dyn Fn(&Value) -> bool| {
        until(what, seconds(10), async || seen(&list(&admin).await[0]).then_some(())).await;
    };
    for status in ["running", "stopping", "stopped", "running"] {
        node.say("server_status", &json!({ "serverId": server, "status": status }));
        shown("its status", &|seen| seen["status"] == status).await;
    }
    let sample = json!({
        "cpu": 12.5, "memory": 4096, "disk": 1, "network": { "in": 1, "out": 2 }, "timestamp": "2026-01-01T00:00:00Z",
    });
    node.say("server_stats", &json!({ "serverId": server, "stats": sample }));
    shown("its sample", &|seen| seen["stats"]["memory"] == 4096).await;
    drop(node);
    shown("its node is away", &|seen| seen["status"] == "unknown" && seen["nodeOnline"] == false).await;
}
