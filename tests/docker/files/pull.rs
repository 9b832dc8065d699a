//! What is fetched from elsewhere.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::super::game::Game;
use super::world;
use crate::harness::Panel;
use crate::harness::download_host::Downloads;

#[tokio::test]
async fn a_link_becomes_a_file() {
    let (_panel, game) = world().await;
    let host = Downloads::start();
    host.put("server.jar", vec![42; 3_000_000]);
    let url = format!("{}/server.jar", host.base);
    let job = game.act("pull", json!({ "url": url, "to": "/plugins/" })).await.expect(200).json;
    assert_eq!(
        (&job["kind"], &job["state"], &job["bytes"]),
        (&json!("pull"), &json!("done"), &json!(3_000_000))
    );
    let listed = game.listed("/plugins").await;
    assert_eq!((&listed[0]["name"], &listed[0]["size"]), (&json!("server.jar"), &json!(3_000_000)));
    game.act("pull", json!({ "url": url, "to": "/plugins/server.jar" })).await.refused(409, "exists");
    let none = json!({ "url": format!("{}/none", host.base), "to": "/x" });
    assert!(!game.act("pull", none).await.refused(422, "invalid").field("url").is_empty());
    assert_eq!(game.names("/").await, ["plugins"]);
}

#[tokio::test]
async fn addresses_within_are_never_dialled() {
    let panel = Panel::start().await;
    let game = Game::new(&panel, "game").await;
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let dialled = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&dialled);
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    for address in [
        "http://127.0.0.1:PORT/x",
        "http://127.1:PORT/x",
        "http://2130706433:PORT/x",
        "http://0x7f.1:PORT/x",
        "http://localhost:PORT/x",
        "http://127.0.0.1.:PORT/x",
        "http://[::1]:PORT/x",
        "http://[::]:PORT/x",
        "http://0.0.0.0:PORT/x",
        "http://[::ffff:127.0.0.1]:PORT/x",
        "http://[64:ff9b::7f00:1]:PORT/x",
        "http://169.254.169.254/latest",
        "http://100.64.0.1:PORT/x",
        "http://224.0.0.1:PORT/x",
        "http://172.17.0.1:PORT/x",
        "http://ok@127.0.0.1:PORT/x",
        "file:///etc/passwd",
        "gopher://127.0.0.1:PORT/x",
        "ftp://127.0.0.1:PORT/x",
        "unix:///var/run/docker.sock",
        "",
    ] {
        let url = address.replace("PORT", &port.to_string());
        let answer = game.act("pull", json!({ "url": url, "to": "/x" })).await;
        let fine =
            answer.code() == "blocked_address" || (answer.status == 422 && !answer.field("url").is_empty());
        assert!(fine, "{url}: {answer:?}");
    }
    assert_eq!(dialled.load(Ordering::Relaxed), 0);
    assert_eq!(game.names("/").await, Vec::<String>::new());
}
