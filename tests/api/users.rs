//! Accounts and roles.

use serde_json::json;

use crate::harness::{Live, PASSWORD, Panel, seconds};

fn account(name: &str, role: &str) -> serde_json::Value {
    json!({ "username": name, "password": PASSWORD, "role": role })
}

#[tokio::test]
async fn accounts_are_made_changed_and_removed() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let made = admin.post("/api/users", account("jo", "user")).await.expect(201);
    assert_eq!(made.json["role"], "user");
    assert!(!made.text.contains("argon2"), "a hash in an answer");
    admin.post("/api/users", account("JO", "user")).await.refused(409, "username_taken");
    let list = admin.get("/api/users").await.expect(200).json;
    assert_eq!(list.as_array().unwrap().len(), 2);
    let id = made.id();
    let changed =
        admin.patch(&format!("/api/users/{id}"), json!({ "role": "admin", "username": "joanna" })).await;
    assert_eq!(changed.expect(200).json["role"], "admin");
    panel.sign_in("joanna").await.get("/api/users").await.expect(200);
    admin.delete(&format!("/api/users/{id}")).await.expect(204);
    admin.delete(&format!("/api/users/{id}")).await.refused(404, "not_found");
    panel
        .anonymous()
        .post("/api/session", json!({ "username": "joanna", "password": PASSWORD }))
        .await
        .expect(401);
}

#[tokio::test]
async fn the_last_admin_stays() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let id = admin.get("/api/me").await.id();
    admin.delete(&format!("/api/users/{id}")).await.refused(409, "last_admin");
    admin.patch(&format!("/api/users/{id}"), json!({ "role": "user" })).await.refused(409, "last_admin");
}

#[tokio::test]
async fn names_have_rules() {
    let panel = Panel::start().await;
    let long = "x".repeat(33);
    let endless = "x".repeat(10_000);
    for name in ["", " ", "a b", "a\nb", "ü", "<b>", &long, &endless] {
        let answer = panel.admin().post("/api/users", account(name, "user")).await.refused(422, "invalid");
        assert!(!answer.field("username").is_empty(), "{answer:?}");
    }
    let answer = panel.admin().post("/api/users", account("fine", "owner")).await.refused(422, "invalid");
    assert!(!answer.field("role").is_empty(), "{answer:?}");
}

#[tokio::test]
async fn a_removed_account_is_out_within_two_seconds() {
    let panel = Panel::start().await;
    let jo = panel.user("jo").await;
    let id = jo.get("/api/me").await.id();
    let mut socket = Live::open(&jo).await;
    socket.subscribe(&["servers"]).await;
    socket.wait(seconds(5), |message| (message["topic"] == "servers").then_some(())).await;
    panel.admin().delete(&format!("/api/users/{id}")).await.expect(204);
    assert_eq!(socket.closed(seconds(2)).await, 4401);
    jo.get("/api/me").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_password_set_by_an_admin_ends_all_sessions() {
    let panel = Panel::start().await;
    let jo = panel.user("jo").await;
    let id = jo.get("/api/me").await.id();
    panel
        .admin()
        .patch(&format!("/api/users/{id}"), json!({ "password": "set by an admin" }))
        .await
        .expect(200);
    jo.get("/api/me").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_lost_password_is_set_over_the_local_socket() {
    use std::io::Write;
    let panel = Panel::start().await;
    let mut child = std::process::Command::new(crate::harness::binary())
        .args(["user", "password", "admin"])
        .env("DATA_DIR", panel.folder())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"found again at last\n").unwrap();
    let out = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
    assert!(out.status.success(), "{out:?}");
    panel.admin().get("/api/me").await.refused(401, "unauthenticated");
    let login = json!({ "username": "admin", "password": "found again at last" });
    panel.anonymous().post("/api/session", login).await.expect(200);
    let socket = panel.folder().join("admin.sock").metadata().unwrap();
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
}
