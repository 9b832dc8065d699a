//! Concurrent changes: with `If-Match` the second client gets an error, without it calls work as before.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Client, Panel, docker};

/// A call with `If-Match`.
async fn seen(client: &Client, method: Method, path: &str, body: Value, tag: &str) -> crate::harness::Answer {
    client.send(client.request(method, path).header("if-match", tag).json(&body)).await
}

#[tokio::test]
async fn a_change_of_a_server_that_somebody_changed_meanwhile_is_refused() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    docker::image().await;
    let body = json!({ "name": "World", "image": docker::BUSYBOX, "startup": "game" });
    let made = admin.post("/api/servers", body).await.expect(201);
    let path = format!("/api/servers/{}", made.id());
    let before = admin.get(&path).await.expect(200);
    let tag = before.header("etag").to_owned();
    assert_eq!(format!("\"{}\"", before.json["revision"].as_str().unwrap()), tag);
    let listed = admin.get("/api/servers").await.json;
    assert_eq!(listed[0]["revision"], before.json["revision"], "the list says the same");

    // One client renames, and the other has not seen it.
    let renamed = seen(&admin, Method::PATCH, &path, json!({ "name": "Renamed" }), &tag).await.expect(200);
    let newer = renamed.header("etag").to_owned();
    assert_ne!(newer, tag);
    let late = json!({ "name": "World", "limits": { "memory": 64 << 20 } });
    seen(&admin, Method::PATCH, &path, late.clone(), &tag).await.refused(412, "precondition_failed");
    let after = admin.get(&path).await.json;
    assert_eq!((&after["name"], &after["limits"]["memory"]), (&json!("Renamed"), &json!(0)), "nothing of it");

    // Tags as changed by a proxy, a list of tags, and `*`.
    let several = format!("\"other\", W/{newer}");
    let changed = seen(&admin, Method::PATCH, &path, json!({ "name": "Third" }), &several).await.expect(200);
    assert_ne!(changed.header("etag"), newer);
    let same = seen(&admin, Method::PATCH, &path, json!({ "name": "Third" }), "*").await.expect(200);
    assert_eq!(same.header("etag"), changed.header("etag"), "nothing was changed");
    for bad in ["", "abc", "\"open", "\"a\" \"b\""] {
        seen(&admin, Method::PATCH, &path, json!({ "name": "x" }), bad).await.refused(400, "bad_request");
    }
    // Scripts without `If-Match`.
    admin.patch(&path, late).await.expect(200);
    admin.delete(&path).await.expect(204);
}

#[tokio::test]
async fn fast_changes_have_revisions_of_their_own() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    docker::image().await;
    let body = json!({ "name": "World", "image": docker::BUSYBOX });
    let path = format!("/api/servers/{}", admin.post("/api/servers", body).await.expect(201).id());
    let mut tags = std::collections::BTreeSet::new();
    for round in 0..20 {
        let answer = admin.patch(&path, json!({ "name": format!("World {round}") })).await.expect(200);
        assert!(tags.insert(answer.header("etag").to_owned()), "round {round}");
    }
    admin.delete(&path).await.expect(204);
}

#[tokio::test]
async fn names_of_nodes_and_roles_of_users_have_revisions_too() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    admin.post("/api/nodes", json!({ "id": "attic" })).await.expect(201);
    let node = admin.get("/api/nodes/attic").await.expect(200);
    let tag = node.header("etag").to_owned();
    seen(&admin, Method::PATCH, "/api/nodes/attic", json!({ "name": "Attic" }), &tag).await.expect(200);
    let late = json!({ "name": "Roof" });
    seen(&admin, Method::PATCH, "/api/nodes/attic", late.clone(), &tag)
        .await
        .refused(412, "precondition_failed");
    assert_eq!(admin.get("/api/nodes/attic").await.json["name"], "Attic");
    admin.patch("/api/nodes/attic", late).await.expect(200);

    panel.user("jo").await;
    let users = admin.get("/api/users").await.json;
    let jo = users.as_array().unwrap().iter().find(|user| user["username"] == "jo").unwrap();
    let (path, tag) = (
        format!("/api/users/{}", jo["id"].as_str().unwrap()),
        format!("\"{}\"", jo["revision"].as_str().unwrap()),
    );
    let renamed = seen(&admin, Method::PATCH, &path, json!({ "username": "joe" }), &tag).await.expect(200);
    assert_eq!(renamed.header("etag"), format!("\"{}\"", renamed.json["revision"].as_str().unwrap()));
    seen(&admin, Method::PATCH, &path, json!({ "role": "admin" }), &tag)
        .await
        .refused(412, "precondition_failed");
    admin.patch(&path, json!({ "role": "admin" })).await.expect(200);
}

#[tokio::test]
async fn permissions_are_given_upon_those_that_were_seen() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    docker::image().await;
    let server = admin
        .post("/api/servers", json!({ "name": "World", "image": docker::BUSYBOX }))
        .await
        .expect(201)
        .id();
    let jo = panel.user("jo").await.get("/api/me").await.id();
    let (list, path) = (format!("/api/servers/{server}/users"), format!("/api/servers/{server}/users/{jo}"));
    let give = |permissions: Value| json!({ "permissions": permissions });
    let first =
        |body: Value| admin.send(admin.request(Method::PUT, &path).header("if-none-match", "*").json(&body));
    let given = first(give(json!(["view", "console"]))).await.expect(204);
    let tag = given.header("etag").to_owned();
    let listed = admin.get(&list).await.json;
    assert_eq!(format!("\"{}\"", listed[0]["revision"].as_str().unwrap()), tag);
    first(give(json!(["view", "power"]))).await.refused(412, "precondition_failed");
    let more =
        seen(&admin, Method::PUT, &path, give(json!(["view", "console", "power"])), &tag).await.expect(204);
    seen(&admin, Method::PUT, &path, give(json!(["view"])), &tag).await.refused(412, "precondition_failed");
    seen(&admin, Method::DELETE, &path, Value::Null, &tag).await.refused(412, "precondition_failed");
    seen(&admin, Method::DELETE, &path, Value::Null, more.header("etag")).await.expect(204);
    // A missing resource has no revision.
    seen(&admin, Method::PUT, &path, give(json!(["view"])), more.header("etag"))
        .await
        .refused(412, "precondition_failed");
    admin.put(&path, give(json!(["view"]))).await.expect(204);
    admin.delete(&format!("/api/servers/{server}")).await.expect(204);
}
