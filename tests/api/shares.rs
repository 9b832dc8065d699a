//! Public links of servers, and the public address that stands on their page.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Client, Panel, docker, seconds, until};

async fn server(admin: &Client, startup: &str) -> String {
    docker::image().await;
    let port = json!([{ "internal": 25565, "external": crate::harness::free_port(), "protocol": "tcp" }]);
    let body = json!({ "name": "World <b>", "image": docker::BUSYBOX, "startup": startup, "ports": port });
    admin.post("/api/servers", body).await.expect(201).id()
}

async fn wake(anyone: &Client, path: &str) -> Answer {
    anyone.call(Method::POST, &format!("{path}/wake"), None).await
}

/// Shares a server, and gives the address of what its page asks for.
async fn shared(admin: &Client, id: &str, wake: bool) -> String {
    let body = json!({ "wake": wake, "note": "Install version 1.21" });
    let share = admin.put(&format!("/api/servers/{id}/share"), body).await.expect(200).json;
    let token = share["path"].as_str().unwrap().strip_prefix("/s/").unwrap().to_owned();
    assert!(token.len() >= 26, "128 bits: {token}");
    format!("/api/shared/{token}")
}

#[tokio::test]
async fn a_link_shows_a_server_and_nothing_else_until_it_is_revoked() {
    let panel = Panel::start().await;
    let (admin, anyone) = (panel.admin(), panel.anonymous());
    let id = server(&admin, "game").await;
    let share = format!("/api/servers/{id}/share");
    assert_eq!(admin.get(&share).await.expect(200).json, json!({ "share": null }), "off until shared");
    let path = shared(&admin, &id, false).await;
    admin.put("/api/nodes/local/public-address", json!({ "address": "Play.Example.org" })).await.expect(204);
    let seen = anyone.get(&path).await.expect(200).json;
    let external =
        admin.get(&format!("/api/servers/{id}")).await.expect(200).json["ports"][0]["external"].clone();
    let mut expected = json!({
        "name": "World <b>", "game": null, "status": seen["status"], "host": "play.example.org", "sameMachine": true,
        "port": external, "online": null, "max": null, "wake": false, "note": "Install version 1.21",
    });
    assert_eq!(seen, expected, "this and nothing else");
    let reach = admin.get(&format!("/api/servers/{id}/reach")).await.expect(200).json;
    assert_eq!(reach["publicHost"], "play.example.org");
    wake(&anyone, &path).await.refused(403, "forbidden");

    // The same link after a change, which counts at once.
    assert_eq!(shared(&admin, &id, true).await, path);
    expected["wake"] = json!(true);
    admin.put("/api/nodes/local/public-address", json!({ "address": null })).await.expect(204);
    expected["host"] = Value::Null;
    let seen = anyone.get(&path).await.expect(200).json;
    expected["status"] = seen["status"].clone();
    assert_eq!(seen, expected);

    let unknown = anyone.get("/api/shared/abcdefghjkmnpqrstuvwxyz234").await.refused(404, "not_found");
    admin.delete(&share).await.expect(204);
    admin.delete(&share).await.expect(204);
    let revoked = anyone.get(&path).await.refused(404, "not_found");
    assert_eq!(revoked.text, unknown.text, "nobody can tell them apart");
    wake(&anyone, &path).await.refused(404, "not_found");
    assert_ne!(shared(&admin, &id, true).await, path, "a revoked link does not come back");
    admin.delete(&format!("/api/servers/{id}")).await.expect(204);
}

#[tokio::test]
async fn a_link_outlives_a_kill_and_goes_with_its_server() {
    let mut panel = Panel::start().await;
    let id = server(&panel.admin(), "game").await;
    let path = shared(&panel.admin(), &id, true).await;
    panel.kill().await;
    panel.again().await;
    panel.anonymous().get(&path).await.expect(200);
    panel.admin().delete(&format!("/api/servers/{id}")).await.expect(204);
    panel.anonymous().get(&path).await.refused(404, "not_found");
}

#[tokio::test]
async fn whoever_has_the_link_starts_the_server_but_not_all_the_time() {
    let panel = Panel::start().await;
    let (admin, anyone) = (panel.admin(), panel.anonymous());
    let id = server(&admin, "game").await;
    let path = shared(&admin, &id, true).await;
    let installed = async || {
        let now = anyone.get(&path).await.expect(200).json;
        (now["status"] == "stopped").then_some(())
    };
    until("the server is installed", seconds(60), installed).await;
    wake(&anyone, &path).await.expect(204);
    let running = async || {
        let now = anyone.get(&path).await.expect(200).json;
        (now["status"] == "running").then_some(())
    };
    until("the server runs", seconds(30), running).await;
    wake(&anyone, &path).await.expect(204);
    let refused = wake(&anyone, &path).await.refused(429, "too_many_requests");
    assert!(refused.headers.contains_key("retry-after"), "{refused:?}");
    admin.delete(&format!("/api/servers/{id}")).await.expect(204);
}

#[tokio::test]
async fn guessing_links_is_slowed_down() {
    let panel = Panel::start().await;
    let anyone = panel.anonymous();
    let mut statuses = Vec::new();
    for attempt in 0..12 {
        statuses.push(anyone.get(&format!("/api/shared/guess{attempt}")).await.status);
    }
    assert_eq!(statuses[..10], [404; 10]);
    assert_eq!(statuses[10..], [429; 2]);
    let long = panel.anonymous().get(&format!("/api/shared/{}", "x".repeat(3000))).await;
    assert!(matches!(long.status, 404 | 414 | 429), "{long:?}");
}

#[tokio::test]
async fn the_page_of_a_link_is_kept_from_search_engines_and_from_the_log() {
    let panel = Panel::builder().env("LOG_LEVEL", "debug").start().await;
    let answer = panel.anonymous().get("/s/abcdefghjkmnpqrstuvwxyz234").await.expect(200);
    assert_eq!(answer.headers["x-robots-tag"], "noindex, nofollow");
    assert_eq!(answer.headers["referrer-policy"], "no-referrer");
    assert!(answer.headers.contains_key("content-security-policy"));
    panel.anonymous().get("/api/shared/abcdefghjkmnpqrstuvwxyz234").await.refused(404, "not_found");
    assert!(panel.log().contains("/s/…") && panel.log().contains("/api/shared/…"), "{}", panel.log());
    assert!(!panel.log().contains("abcdefghjkmnpqrstuvwxyz234"), "{}", panel.log());
}

#[tokio::test]
async fn notes_and_addresses_are_checked() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let id = server(&admin, "game").await;
    let share = format!("/api/servers/{id}/share");
    for note in ["x".repeat(1001), "a\u{7}b".to_owned()] {
        admin.put(&share, json!({ "note": note })).await.refused(422, "invalid");
    }
    for address in ["a b", "http://x", "1.2.3.4:5", "127.0.0.1"] {
        let body = json!({ "address": address });
        admin.put("/api/nodes/local/public-address", body).await.refused(422, "invalid");
    }
    let body = json!({ "address": "203.0.113.7" });
    admin.put("/api/nodes/nowhere/public-address", body).await.refused(404, "not_found");
    admin.delete(&format!("/api/servers/{id}")).await.expect(204);
}
