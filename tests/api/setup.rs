//! The first account.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::harness::{PASSWORD, Panel, seconds, until};

fn claim(token: &str, name: &str) -> serde_json::Value {
    json!({ "setupToken": token, "username": name, "password": PASSWORD })
}

#[tokio::test]
async fn the_link_is_printed_and_the_token_is_for_its_owner_only() {
    let panel = Panel::builder().fresh().await;
    let token = panel.setup_token();
    assert!(token.len() >= 20, "{token}");
    until("the link", seconds(5), async || {
        panel.log().contains(&format!("/setup#token={token}")).then_some(())
    })
    .await;
    let mode = panel.folder().join("setup-token").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(panel.folder().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(panel.anonymous().get("/api/setup").await.expect(200).json, json!({ "needed": true }));
}

#[tokio::test]
async fn the_first_account_is_made_once() {
    let panel = Panel::builder().fresh().await;
    let nobody = panel.anonymous();
    let token = panel.setup_token();
    let made = nobody.post("/api/setup", claim(&token, "mira")).await.expect(201);
    assert_eq!(made.json["user"]["username"], "mira");
    assert_eq!(made.json["user"]["role"], "admin");
    let cookie = made.header("set-cookie");
    for part in ["session=", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!panel.folder().join("setup-token").exists());
    assert_eq!(nobody.get("/api/setup").await.json, json!({ "needed": false }));
    nobody.post("/api/setup", claim(&token, "eve")).await.refused(409, "already_set_up");
    let bearer = crate::harness::Client::new(&panel.address, made.json["token"].as_str().map(Into::into));
    assert_eq!(bearer.get("/api/me").await.expect(200).json["username"], "mira");
}

#[tokio::test]
async fn wrong_tokens_are_counted() {
    let panel = Panel::builder().fresh().await;
    let nobody = panel.anonymous();
    for _ in 0..10 {
        nobody.post("/api/setup", claim("wrong", "eve")).await.refused(401, "bad_setup_token");
    }
    let slow = nobody.post("/api/setup", claim("wrong", "eve")).await.refused(429, "too_many_requests");
    assert!(slow.header("retry-after").parse::<u64>().unwrap() <= 60);
}

#[tokio::test]
async fn of_a_hundred_right_ones_at_once_one_wins() {
    let panel = Panel::builder().fresh().await;
    let token = panel.setup_token();
    let all = futures_util::future::join_all((0..100).map(|n| {
        let (client, body) = (panel.anonymous(), claim(&token, &format!("user{n}")));
        async move { client.post("/api/setup", body).await.status }
    }))
    .await;
    assert_eq!(all.iter().filter(|status| **status == 201).count(), 1, "{all:?}");
    assert!(all.iter().all(|status| matches!(status, 201 | 409 | 429 | 503)), "{all:?}");
}

#[tokio::test]
async fn passwords_have_bounds() {
    let panel = Panel::builder().fresh().await;
    let token = panel.setup_token();
    for password in ["short", &"x".repeat(1025)] {
        let body = json!({ "setupToken": token, "username": "mira", "password": password });
        let answer = panel.anonymous().post("/api/setup", body).await.refused(422, "invalid");
        assert!(!answer.field("password").is_empty(), "{answer:?}");
    }
    assert_eq!(panel.anonymous().get("/api/setup").await.json, json!({ "needed": true }));
}

#[tokio::test]
async fn a_claimed_panel_stays_claimed_over_restarts_and_without_its_database_it_refuses() {
    let mut panel = Panel::start().await;
    panel.stop().await;
    panel.again().await;
    assert_eq!(panel.anonymous().get("/api/setup").await.json, json!({ "needed": false }));
    assert!(!panel.folder().join("setup-token").exists());
    panel.stop().await;
    std::fs::remove_file(panel.folder().join("panel.redb")).unwrap();
    let out = std::process::Command::new(crate::harness::binary())
        .arg("serve")
        .env("DATA_DIR", panel.folder())
        .env("PORT", "0")
        .env("WEBSOCKET_PORT", "0")
        .env("HEALTH_PORT", "off")
        .output()
        .unwrap();
    assert!(!out.status.success());
    let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
    assert!(said.contains("panel.redb"), "{said}");
    assert!(!panel.folder().join("panel.redb").exists(), "an empty database was made");
}
