//! Servers as resources: create, read, change, delete. `docker/` tests how they run.

use serde_json::{Value, json};

use super::fake_node::{FakeNode, Told};
use crate::harness::{Client, Panel, docker, seconds, until};

async fn made(admin: &Client, body: Value) -> Value {
    docker::image().await;
    admin.post("/api/servers", body).await.expect(201).json
}

async fn settled(admin: &Client, id: &str) -> Value {
    until("the server is installed", seconds(30), async || {
        let server = admin.get(&format!("/api/servers/{id}")).await.expect(200).json;
        (server["status"] != "installing").then_some(server)
    })
    .await
}

fn id(server: &Value) -> String {
    server["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_new_server_has_the_shape_that_scripts_rely_on() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let server = made(&admin, json!({ "name": "World", "image": docker::BUSYBOX, "startup": "game" })).await;
    assert_eq!(server["nodeId"], "local");
    assert!(matches!(server["status"].as_str(), Some("installing" | "stopped")), "{server}");
    assert_eq!(
        server["limits"],
        json!({ "memory": 0, "swap": 0, "disk": 0, "io": 500, "cpu": 0, "processes": 512 })
    );
    assert_eq!(server["ports"], json!([]));
    assert_eq!(server["environment"], json!({}));
    let created = server["createdAt"].as_str().unwrap();
    assert!(created.ends_with('Z') && created.len() >= 20, "{created}");
    let server = settled(&admin, &id(&server)).await;
    assert_eq!(server["status"], "stopped", "never started by itself");
    let list = admin.get("/api/servers").await.json;
    assert_eq!(list[0]["id"], server["id"]);
    admin.delete(&format!("/api/servers/{}", id(&server))).await.expect(204);
    admin.get(&format!("/api/servers/{}", id(&server))).await.refused(404, "not_found");
    assert_eq!(admin.get("/api/servers").await.json, json!([]));
}

#[tokio::test]
async fn a_change_keeps_what_it_leaves_out() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let body = json!({ "name": "World", "image": docker::BUSYBOX, "startup": "game", "environment": { "A": "1", "B": "2" },
        "limits": { "memory": 64 << 20, "cpu": 50 } });
    let server = made(&admin, body).await;
    let path = format!("/api/servers/{}", id(&server));
    let changed = admin
        .patch(&path, json!({ "limits": { "cpu": 75 }, "environment": { "C": "3" } }))
        .await
        .expect(200)
        .json;
    assert_eq!(
        changed["limits"],
        json!({ "memory": 64 << 20, "swap": 0, "disk": 0, "io": 500, "cpu": 75, "processes": 512 })
    );
    assert_eq!(changed["environment"], json!({ "C": "3" }));
    assert_eq!((&changed["name"], &changed["startup"]), (&json!("World"), &json!("game")));
    let changed = admin.patch(&path, json!({ "name": "Neue Wält ✨", "startup": "" })).await.expect(200).json;
    assert_eq!((&changed["name"], &changed["startup"]), (&json!("Neue Wält ✨"), &json!("")));
    for (body, field) in [
        (json!({ "nodeId": "local" }), "nodeId"),
        (json!({ "templateId": "any-image" }), "templateId"),
        (json!({ "id": "other" }), "id"),
        (json!({ "limits": { "memory": 5 } }), "limits.memory"),
        (json!({ "name": null }), "name"),
        (json!({ "status": "running" }), "status"),
    ] {
        let answer = admin.patch(&path, body).await.refused(422, "invalid");
        assert!(!answer.field(field).is_empty(), "{field}: {answer:?}");
    }
    assert_eq!(admin.get(&path).await.json["name"], "Neue Wält ✨");
    admin.patch("/api/servers/nosuchserver", json!({ "name": "x" })).await.refused(404, "not_found");
    admin.delete(&path).await.expect(204);
}

#[tokio::test]
async fn text_that_looks_like_a_placeholder_stays_text() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let odd = "{{config.token}} {{7*7}} {% x %} ${AGENT_SECRET} $(id) `id` <img src=x onerror=alert(1)>";
    let body = json!({ "name": odd.chars().take(80).collect::<String>(), "image": docker::BUSYBOX, "startup": "game", "environment": { "ODD": odd } });
    let server = made(&admin, body.clone()).await;
    assert_eq!(server["environment"]["ODD"], odd);
    assert_eq!(server["name"], body["name"]);
    admin.delete(&format!("/api/servers/{}", id(&server))).await.expect(204);
}

#[tokio::test]
async fn refused_actions_name_the_state() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let server = made(&admin, json!({ "name": "World", "image": docker::BUSYBOX, "startup": "game" })).await;
    let path = format!("/api/servers/{}", id(&server));
    settled(&admin, &id(&server)).await;
    let power = async |action: &str| admin.post(&format!("{path}/power"), json!({ "action": action })).await;
    power("stop").await.refused(409, "not_running");
    power("kill").await.refused(409, "not_running");
    power("explode").await.refused(422, "invalid");
    admin.post(&format!("{path}/command"), json!({ "command": "say hi" })).await.refused(409, "not_running");
    for command in ["", "a\nb", "a\u{1b}[2J", &"x".repeat(4001)] {
        let answer = admin.post(&format!("{path}/command"), json!({ "command": command })).await;
        answer.refused(422, "invalid");
    }
    for tail in ["0", "1001", "-1", "x"] {
        admin.get(&format!("{path}/console?tail={tail}")).await.refused(422, "invalid");
    }
    assert!(admin.get(&format!("{path}/console?tail=5")).await.expect(200).json["lines"].is_array());
    admin.delete(&path).await.expect(204);
}

#[tokio::test]
async fn a_preview_changes_nothing_and_says_what_will_happen() {
    let panel = Panel::start().await;
    docker::image().await;
    let admin = panel.admin();
    let seen = until("the engine was asked", seconds(10), async || {
        let answer =
            admin.post("/api/servers/preview", json!({ "image": docker::BUSYBOX })).await.expect(200).json;
        (answer["imagePresent"] == true).then_some(answer)
    })
    .await;
    assert!(!seen["steps"].as_array().unwrap().is_empty(), "{seen}");
    assert!(seen["memory"]["free"].as_u64().unwrap() > 0, "{seen}");
    let absent =
        admin.post("/api/servers/preview", json!({ "image": "127.0.0.1:1/no/such:image" })).await.expect(200);
    assert_eq!(absent.json["imagePresent"], false);
    assert_eq!(admin.get("/api/servers").await.json, json!([]));
}

#[tokio::test]
async fn a_preview_says_where_a_variable_contradicts_a_setting() {
    let panel = Panel::start().await;
    let mut told = Told::default();
    told.report["imageEnvironment"] = json!({ "SERVER_MEMORY": "99" });
    let (_node, _) = FakeNode::join(&panel, "attic", told).await;
    let ask = async |environment: Value| {
        let body = json!({
            "nodeId": "attic", "image": "x", "environment": environment, "limits": { "memory": 128 << 20 },
            "ports": [{ "internal": 25565, "external": 31901, "protocol": "tcp" }],
        });
        let seen = panel.admin().post("/api/servers/preview", body).await.expect(200).json;
        let warnings = seen["warnings"].as_array().unwrap().clone();
        let conflicts = warnings.iter().filter(|one| one["code"] == "variable_conflict");
        conflicts.map(|one| one["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let said = ask(json!({ "SERVER_PORT": "1", "SERVER_MEMORY": "128" })).await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("SERVER_PORT") && said[0].contains("25565"), "{said:?}");
    let said = ask(json!({ "SERVER_PORT": "25565" })).await;
    assert!(said.len() == 1 && said[0].contains("image") && said[0].contains("99"), "{said:?}");
}

#[tokio::test]
async fn permissions_open_what_they_name_and_nothing_else() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let jo = panel.user("jo").await;
    let user = jo.get("/api/me").await.id();
    let server = made(&admin, json!({ "name": "World", "image": docker::BUSYBOX, "startup": "game" })).await;
    let other = made(&admin, json!({ "name": "Hidden", "image": docker::BUSYBOX, "startup": "game" })).await;
    let path = format!("/api/servers/{}", id(&server));
    settled(&admin, &id(&server)).await;
    assert_eq!(jo.get("/api/servers").await.expect(200).json, json!([]));
    jo.get(&path).await.refused(404, "not_found");
    let grant = format!("{path}/users/{user}");
    admin.put(&grant, json!({ "permissions": ["view"] })).await.expect(204);
    jo.get(&path).await.expect(200);
    assert_eq!(jo.get("/api/servers").await.json.as_array().unwrap().len(), 1);
    jo.get(&format!("/api/servers/{}", id(&other))).await.refused(404, "not_found");
    jo.post(&format!("{path}/power"), json!({ "action": "start" })).await.refused(403, "forbidden");
    jo.post(&format!("{path}/command"), json!({ "command": "x" })).await.refused(403, "forbidden");
    jo.get(&format!("{path}/console")).await.refused(403, "forbidden");
    jo.patch(&path, json!({ "name": "Mine" })).await.refused(403, "forbidden");
    jo.delete(&path).await.refused(403, "forbidden");
    jo.put(&grant, json!({ "permissions": ["view", "edit"] })).await.refused(403, "forbidden");
    admin.put(&grant, json!({ "permissions": ["view", "console", "power", "edit"] })).await.expect(204);
    jo.get(&format!("{path}/console")).await.expect(200);
    jo.patch(&path, json!({ "name": "Ours" })).await.expect(200);
    jo.post(&format!("{path}/power"), json!({ "action": "stop" })).await.refused(409, "not_running");
    let bad = admin.put(&grant, json!({ "permissions": ["root"] })).await.refused(422, "invalid");
    assert!(!bad.json["error"]["fields"].as_object().unwrap().is_empty());
    admin
        .put(&format!("{path}/users/nosuchuser"), json!({ "permissions": ["view"] }))
        .await
        .refused(404, "not_found");
    admin.delete(&grant).await.expect(204);
    jo.get(&path).await.refused(404, "not_found");
    for one in [&server, &other] {
        admin.delete(&format!("/api/servers/{}", id(one))).await.expect(204);
    }
}

#[tokio::test]
async fn servers_outlive_a_restart_of_the_panel() {
    let mut panel = Panel::start().await;
    let body =
        json!({ "name": "World", "image": docker::BUSYBOX, "startup": "game", "environment": { "A": "1" } });
    let server = made(&panel.admin(), body).await;
    let before = settled(&panel.admin(), &id(&server)).await;
    panel.stop().await;
    panel.again().await;
    let path = format!("/api/servers/{}", id(&server));
    let after = until("the agent told its state", seconds(10), async || {
        let server = panel.admin().get(&path).await.expect(200).json;
        (server["status"] == "stopped").then_some(server)
    })
    .await;
    for key in ["name", "image", "startup", "environment", "limits", "ports", "createdAt", "nodeId"] {
        assert_eq!(before[key], after[key], "{key}");
    }
    panel.admin().delete(&path).await.expect(204);
}
