//! Two users with one server each: what belongs to one does not exist for the other, for every endpoint.

use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::{endpoints, server};
use crate::harness::{Client, Live, Panel, seconds};

const ALL: [&str; 9] =
    ["view", "console", "power", "players", "files_read", "files", "backups", "startup", "configure"];

struct Side {
    client: Client,
    user: String,
    session: String,
    server: String,
}

async fn side(panel: &Panel, name: &str) -> Side {
    let client = panel.user(name).await;
    let user = client.get("/api/me").await.id();
    let session = client.get("/api/me/sessions").await.json[0]["id"].as_str().unwrap().to_owned();
    let server = server(&panel.admin(), &format!("World of {name}")).await;
    let grant = format!("/api/servers/{server}/users/{user}");
    panel.admin().put(&grant, json!({ "permissions": ALL })).await.expect(204);
    Side { client, user, session, server }
}

/// The path with the ids of one side. Parameters after the server's id belong to the caller or to the other side.
fn path(pattern: &str, of: &Side, asker: &Side, own_below: bool) -> String {
    let below = if own_below { asker } else { of };
    if pattern.starts_with("/api/me/sessions/") {
        return pattern.replace("{id}", &of.session);
    }
    if pattern.starts_with("/api/users/") {
        return pattern.replace("{id}", &of.user);
    }
    pattern.replace("{id}", &of.server).replace("{user}", &below.user)
}

/// A valid body, if the endpoint takes one.
fn body(method: &str, pattern: &str) -> Option<Value> {
    match (method, pattern.rsplit('/').next().unwrap()) {
        ("PATCH", _) => Some(json!({ "name": "Taken over" })),
        ("POST", "power") => Some(json!({ "action": "start" })),
        ("POST", "command") => Some(json!({ "command": "op eve" })),
        ("PUT", _) => Some(json!({ "permissions": ALL })),
        _ => None,
    }
}

#[tokio::test]
async fn what_is_the_others_is_not_there() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let sides = [side(&panel, "mira").await, side(&panel, "jo").await];
    let mut before = BTreeMap::new();
    for one in &sides {
        let seen = admin.get(&format!("/api/servers/{}", one.server)).await.expect(200).json;
        before.insert(one.server.clone(), (seen["name"].clone(), seen["environment"].clone()));
    }
    let routes: Vec<_> = endpoints(&panel)
        .await
        .into_iter()
        .filter(|(_, path)| {
            path.starts_with("/api/servers/{")
                || path.starts_with("/api/me/sessions/{")
                || path.starts_with("/api/users/{")
        })
        .collect();
    assert!(routes.len() >= 14, "{routes:?}");
    let mut wrong = Vec::new();
    for (asker, of) in [(&sides[0], &sides[1]), (&sides[1], &sides[0])] {
        for (method, pattern) in &routes {
            for own_below in [true, false] {
                let asked = path(pattern, of, asker, own_below);
                let body = body(method.as_str(), pattern);
                let theirs = asker.client.call(method.clone(), &asked, body.clone()).await;
                // Accounts are for administrators only: the refusal does not reveal which ones exist.
                let right = if pattern.starts_with("/api/users/") { 403 } else { 404 };
                if theirs.status != right {
                    wrong.push(format!("{method} {asked} as a stranger: {} {}", theirs.status, theirs.text));
                }
                let nowhere = path(pattern, &nobody(of), asker, own_below);
                let none = asker.client.call(method.clone(), &nowhere, body).await;
                if (none.status, &none.text) != (theirs.status, &theirs.text) {
                    wrong.push(format!(
                        "{method} {pattern} tells what is there: {} and {}",
                        theirs.text, none.text
                    ));
                }
            }
        }
        let list = asker.client.get("/api/servers").await.expect(200);
        assert!(!list.text.contains(&of.server) && list.text.contains(&asker.server), "{}", list.text);
        let mut live = Live::open(&asker.client).await;
        for topic in [format!("console:{}", of.server), format!("stats:{}", of.server)] {
            live.subscribe(&[&topic]).await;
            let code = live
                .wait(seconds(10), |message| {
                    (message["topic"] == topic.as_str()).then(|| message["error"]["code"].clone())
                })
                .await;
            assert!(code.is_string(), "{topic} opened");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for one in &sides {
        one.client.get("/api/me").await.expect(200);
        let seen = admin.get(&format!("/api/servers/{}", one.server)).await.expect(200).json;
        assert_eq!(before[&one.server], (seen["name"].clone(), seen["environment"].clone()));
        let grants = admin.get(&format!("/api/servers/{}/users", one.server)).await.expect(200).json;
        assert_eq!(grants.as_array().unwrap().len(), 1, "{grants}");
        assert_eq!(grants[0]["user"], one.user.as_str());
        admin.delete(&format!("/api/servers/{}", one.server)).await.expect(204);
    }
}

/// The same client with ids that do not exist.
fn nobody(like: &Side) -> Side {
    Side {
        client: like.client.clone(),
        user: "zzzzzzzzzz".into(),
        session: "z".repeat(like.session.len()),
        server: "zzzzzzzzzz".into(),
    }
}

#[tokio::test]
async fn what_was_taken_away_is_over_on_open_sockets_too() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let id = server(&admin, "World").await;
    let console = format!("console:{id}");
    // Without the administrator role, everything that it allowed is refused too.
    let second = panel.account("second", "admin").await;
    let user = second.get("/api/me").await.id();
    let mut live = Live::open(&second).await;
    live.subscribe(&[&console, "servers"]).await;
    live.wait(seconds(10), |message| (message["topic"] == console.as_str()).then_some(())).await;
    admin.patch(&format!("/api/users/{user}"), json!({ "role": "user" })).await.expect(200);
    live.wait(seconds(2), |message| {
        (message["topic"] == console.as_str() && message["error"]["code"].is_string()).then_some(())
    })
    .await;
    second.get(&format!("/api/servers/{id}")).await.refused(404, "not_found");
    second.get("/api/users").await.refused(403, "forbidden");
    // A password set by an administrator closes sockets and ends sessions.
    admin.patch(&format!("/api/users/{user}"), json!({ "password": "set by an admin" })).await.expect(200);
    assert_eq!(live.closed(seconds(2)).await, 4401);
    // A deleted server disappears for everyone who could see it.
    let mut live = Live::open(&admin).await;
    live.subscribe(&[&console]).await;
    live.wait(seconds(10), |message| (message["topic"] == console.as_str()).then_some(())).await;
    admin.delete(&format!("/api/servers/{id}")).await.expect(204);
    live.wait(seconds(5), |message| {
        (message["topic"] == console.as_str() && message["error"]["code"].is_string()).then_some(())
    })
    .await;
}
