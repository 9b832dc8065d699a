//! What each permission allows and shows: two users, two servers, every permission, every endpoint and topic.

use serde_json::{Value, json};

use super::fake_node::{FakeNode, Told};
use super::who_may_call::{PERMISSIONS, TABLE, Who, gets_in, opens};
use crate::harness::{Client, Live, Panel, seconds, until};

/// A marker that is only in a server's settings.
const IN_SECRET: &str = "hush-5e1f";
const IN_OWN: &str = "hush-a09b";
const IN_STARTUP: &str = "hush-77cd";
/// A marker that is only in the messages of a node's engine.
const IN_ERROR: &str = "10.11.12.13:5000";

struct Side {
    client: Client,
    user: String,
    server: String,
}

async fn world(panel: &Panel, name: &str) -> String {
    let body = json!({
        "name": name, "nodeId": "attic", "templateId": "terraria", "startup": format!("game {IN_STARTUP}"),
        "environment": { "PASSWORD": IN_SECRET, "RCON_PASSWORD": IN_OWN, "WORLD_NAME": "Visible" }, "ports": [],
    });
    panel.admin().post("/api/servers", body).await.expect(201).id()
}

async fn side(panel: &Panel, name: &str) -> Side {
    let client = panel.user(name).await;
    let user = client.get("/api/me").await.id();
    Side { client, user, server: world(panel, &format!("World of {name}")).await }
}

async fn grant(panel: &Panel, side: &Side, permissions: &[&str]) {
    let path = format!("/api/servers/{}/users/{}", side.server, side.user);
    panel.admin().put(&path, json!({ "permissions": permissions })).await.expect(204);
}

/// The agent reports that the image could not be pulled, with the engine's message.
async fn fails_to_install(panel: &Panel, node: &FakeNode, id: &str) {
    let error = format!("The registry cannot be reached: dial tcp {IN_ERROR}: connect: connection refused");
    node.say("server_status", &json!({ "serverId": id, "status": "install_failed", "error": error }));
    until("the failure is known", seconds(10), async || {
        let seen = panel.admin().get(&format!("/api/servers/{id}")).await.expect(200);
        seen.text.contains(IN_ERROR).then_some(())
    })
    .await;
}

/// The first messages of a socket for these topics.
async fn heard(client: &Client, server: &str) -> String {
    let mut live = Live::open(client).await;
    let topics =
        ["servers".to_owned(), "nodes".into(), format!("console:{server}"), format!("stats:{server}")];
    live.subscribe(&topics.each_ref().map(String::as_str)).await;
    let mut left: Vec<_> = topics.to_vec();
    let mut all = String::new();
    while !left.is_empty() {
        let message = live.next(seconds(10)).await.expect("open");
        left.retain(|topic| message["topic"] != topic.as_str());
        all.push_str(&message.to_string());
    }
    all
}

fn secrets_in(text: &str) -> Vec<&'static str> {
    [IN_SECRET, IN_OWN, IN_STARTUP, IN_ERROR].into_iter().filter(|secret| text.contains(secret)).collect()
}

#[tokio::test]
async fn every_permission_opens_and_shows_what_it_names() {
    let panel = Panel::start().await;
    let (node, _) = FakeNode::join(&panel, "attic", Told::default()).await;
    let sides = [side(&panel, "ann").await, side(&panel, "ben").await];
    for one in &sides {
        fails_to_install(&panel, &node, &one.server).await;
    }
    let routes: Vec<_> = TABLE.iter().filter(|(_, path, _)| path.starts_with("/api/servers")).collect();
    assert!(routes.len() >= 16, "{routes:?}");
    let mut wrong = Vec::new();
    for permission in PERMISSIONS {
        for one in &sides {
            grant(&panel, one, &[permission]).await;
        }
        for (asker, other) in [(&sides[0], &sides[1]), (&sides[1], &sides[0])] {
            for (method, pattern, who) in &routes {
                let path = |server: &str| pattern.replace("{id}", server).replace("{user}", &asker.user);
                let may = *who == Who::SignedIn || opens(permission, *who);
                let (got_in, status) = gets_in(&asker.client, method, &path(&asker.server)).await;
                if got_in != may || (!may && status != 403) {
                    wrong.push(format!("{method} {pattern} with {permission}: {status}, but {who:?}"));
                }
                if !pattern.contains("{id}") {
                    continue;
                }
                let (_, there) = gets_in(&asker.client, method, &path(&other.server)).await;
                let (_, nowhere) = gets_in(&asker.client, method, &path("zzzzzzzzzz")).await;
                if (there, nowhere) != (404, 404) {
                    wrong.push(format!(
                        "{method} {pattern} on another's with {permission}: {there}, {nowhere}"
                    ));
                }
            }
            let mut texts = vec![("the topics", heard(&asker.client, &asker.server).await)];
            let named = json!({ "name": format!("With {permission}") });
            let own = format!("/api/servers/{}", asker.server);
            texts.push(("PATCH", asker.client.patch(&own, named).await.text));
            for path in [
                "/api/servers",
                &own,
                "/api/nodes",
                "/api/nodes/attic",
                "/api/status",
                "/api/templates/terraria",
            ] {
                texts.push(("GET", asker.client.get(path).await.expect(200).text));
            }
            for (what, text) in &texts {
                let found = secrets_in(text);
                if permission != "configure" && !found.is_empty() {
                    wrong.push(format!("{what} with {permission} tells {found:?}: {text}"));
                }
            }
            let seen = asker.client.get(&own).await.expect(200);
            if permission == "configure" {
                assert_eq!(secrets_in(&seen.text).len(), 4, "{}", seen.text);
                assert_eq!(secrets_in(&texts[0].1).len(), 4, "{}", texts[0].1);
            }
            // A user who may change none of it does not even see that it exists.
            let hidden = seen.json["environment"].is_null() && seen.json["startup"].is_null();
            if hidden != !matches!(permission, "startup" | "configure") {
                wrong.push(format!("with {permission}: {}", seen.text));
            }
            for topic in [format!("console:{}", other.server), format!("stats:{}", other.server)] {
                let mut live = Live::open(&asker.client).await;
                live.subscribe(&[&topic]).await;
                let code = live
                    .wait(seconds(10), |message| {
                        (message["topic"] == topic.as_str()).then(|| message["error"]["code"].clone())
                    })
                    .await;
                if code != "not_found" {
                    wrong.push(format!("{topic} with {permission}: {code}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn topics_open_with_their_permission_and_change_with_it() {
    let panel = Panel::start().await;
    let (_node, _) = FakeNode::join(&panel, "attic", Told::default()).await;
    let ann = side(&panel, "ann").await;
    let console = format!("console:{}", ann.server);
    for permission in PERMISSIONS {
        grant(&panel, &ann, &[permission]).await;
        let mut live = Live::open(&ann.client).await;
        live.subscribe(&[&console]).await;
        let opened = live
            .wait(seconds(10), |message| {
                (message["topic"] == console.as_str()).then(|| message["error"].is_null())
            })
            .await;
        assert_eq!(opened, permission == "console", "{permission}");
    }
    // A subscribed list shows the settings when the permission is granted, and removes them when it is revoked.
    grant(&panel, &ann, &["view"]).await;
    let mut live = Live::open(&ann.client).await;
    live.subscribe(&["servers"]).await;
    live.wait(seconds(10), |message| message["data"]["all"].is_array().then_some(())).await;
    for (permission, shown) in [("configure", true), ("view", false), ("startup", false)] {
        grant(&panel, &ann, &[permission]).await;
        let message = live
            .wait(seconds(10), |message| {
                let words = message["data"]["changed"]["permissions"].as_array()?;
                words.iter().any(|word| word == permission).then(|| message.to_string())
            })
            .await;
        assert_eq!(!secrets_in(&message).is_empty(), shown, "{permission}: {message}");
    }
}

#[tokio::test]
async fn with_startup_one_changes_what_the_template_leaves_to_users() {
    let panel = Panel::start().await;
    let (node, _) = FakeNode::join(&panel, "attic", Told::default()).await;
    let ann = side(&panel, "ann").await;
    let path = format!("/api/servers/{}", ann.server);
    // The spelling of earlier versions.
    grant(&panel, &ann, &["edit"]).await;
    let users = panel.admin().get(&format!("{path}/users")).await.expect(200).json;
    assert_eq!(users[0]["permissions"], json!(["startup"]));
    let seen = ann.client.get(&path).await.expect(200).json;
    assert_eq!(seen["permissions"], json!(["view", "startup"]));
    assert_eq!(seen["environment"]["WORLD_NAME"], "Visible", "{seen}");
    assert_eq!(seen["hiddenVariables"], json!(["PASSWORD"]), "{seen}");

    let before = panel.admin().get(&path).await.expect(200).json;
    let change = json!({ "environment": { "WORLD_NAME": "Other", "MAX_PLAYERS": "3" } });
    let changed = ann.client.patch(&path, change).await.expect(200);
    assert!(secrets_in(&changed.text).is_empty(), "{}", changed.text);
    let after = panel.admin().get(&path).await.expect(200).json;
    let mut wanted = before["environment"].clone();
    wanted["WORLD_NAME"] = json!("Other");
    wanted["MAX_PLAYERS"] = json!("3");
    assert_eq!(after["environment"], wanted, "what was left out stayed");
    let told = until("the node is told", seconds(5), async || node.asked("server_update").pop()).await;
    assert_eq!(told["data"]["environment"], wanted);

    ann.client.patch(&path, json!({ "environment": { "PASSWORD": "new one" } })).await.expect(200);
    let after = panel.admin().get(&path).await.expect(200).json;
    assert_eq!(
        (&after["environment"]["PASSWORD"], &after["environment"]["RCON_PASSWORD"]),
        (&json!("new one"), &json!(IN_OWN))
    );
    let bad = ann.client.patch(&path, json!({ "environment": { "MAX_PLAYERS": "many" } })).await;
    assert!(!bad.refused(422, "invalid").field("environment.MAX_PLAYERS").is_empty());

    let before = panel.admin().get(&path).await.expect(200).json;
    for body in [
        json!({ "image": "127.0.0.1:9/x" }),
        json!({ "startup": "id" }),
        json!({ "startup": format!("game {IN_STARTUP}") }),
        json!({ "limits": { "memory": 0 } }),
        json!({ "limits": { "disk": 0 } }),
        json!({ "ports": [{ "internal": 22, "external": 22, "protocol": "tcp" }] }),
        json!({ "ports": [{ "internal": 1, "external": 443, "protocol": "udp" }] }),
        json!({ "environment": { "RCON_PASSWORD": IN_OWN } }),
        json!({ "environment": { "RCON_PASSWORD": "x" } }),
        json!({ "environment": { "LD_PRELOAD": "/tmp/x" } }),
        json!({ "name": "Mine", "image": "busybox" }),
    ] {
        ann.client.patch(&path, body).await.refused(403, "forbidden");
    }
    ann.client.post(&format!("{path}/install"), json!({})).await.refused(403, "forbidden");
    assert_eq!(panel.admin().get(&path).await.expect(200).json, before);
}

#[tokio::test]
async fn without_a_template_startup_leaves_nothing_but_the_name() {
    let panel = Panel::start().await;
    let (_node, _) = FakeNode::join(&panel, "attic", Told::default()).await;
    let jo = panel.user("jo").await;
    let user = jo.get("/api/me").await.id();
    for (name, more) in [("Bare", json!({})), ("Any", json!({ "templateId": "any-image" }))] {
        let mut body = json!({ "name": name, "nodeId": "attic", "image": "cap-test/busybox", "environment": { "A": IN_OWN } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let id = panel.admin().post("/api/servers", body).await.expect(201).id();
        let path = format!("/api/servers/{id}");
        let grant = format!("{path}/users/{user}");
        panel.admin().put(&grant, json!({ "permissions": ["startup"] })).await.expect(204);
        let seen = jo.get(&path).await.expect(200);
        assert_eq!(
            (&seen.json["environment"], &seen.json["startup"]),
            (&json!({}), &Value::Null),
            "{seen:?}"
        );
        jo.patch(&path, json!({ "environment": { "A": "2" } })).await.refused(403, "forbidden");
        jo.patch(&path, json!({ "name": "Ours" })).await.expect(200);
        // Intended: all of it, as for an administrator.
        panel.admin().put(&grant, json!({ "permissions": ["configure"] })).await.expect(204);
        let change = json!({ "image": "cap-test/other", "startup": "x", "environment": { "B": "2" }, "limits": { "cpu": 5 } });
        let changed = jo.patch(&path, change).await.expect(200).json;
        assert_eq!(
            (&changed["image"], &changed["environment"]),
            (&json!("cap-test/other"), &json!({ "B": "2" }))
        );
        // But not the permissions of others, and not deleting the server.
        jo.put(&grant, json!({ "permissions": ["view"] })).await.refused(403, "forbidden");
        jo.delete(&path).await.refused(403, "forbidden");
    }
}
