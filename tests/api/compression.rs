//! Larger JSON responses are compressed for clients that accept it, except for those with secrets.

use std::io::Read;

use flate2::read::GzDecoder;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Client, Panel, docker};

/// Content encoding, raw bytes, and decoded text of a response.
async fn asked(client: &Client, method: Method, path: &str, body: Option<Value>) -> (String, usize, Value) {
    let mut request = client.request(method, path).header("accept-encoding", "br, gzip");
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let encoding =
        answer.headers().get("content-encoding").map_or("", |value| value.to_str().unwrap()).to_owned();
    let bytes = answer.bytes().await.unwrap();
    let mut plain = Vec::new();
    if encoding == "gzip" {
        GzDecoder::new(&bytes[..]).read_to_end(&mut plain).unwrap();
    } else {
        plain = bytes.to_vec();
    }
    (encoding, bytes.len(), serde_json::from_slice(&plain).unwrap())
}

#[tokio::test]
async fn lists_are_packed_and_secrets_are_not() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    docker::image().await;
    let secret = "x".repeat(2_000);
    let mut ids = Vec::new();
    for number in 0..5 {
        let body = json!({ "name": format!("World {number}"), "image": docker::BUSYBOX, "environment": { "PASSWORD": secret } });
        let (encoding, _, made) = asked(&admin, Method::POST, "/api/servers", Some(body)).await;
        assert_eq!(encoding, "", "it holds what its environment does");
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    let (encoding, packed, list) = asked(&admin, Method::GET, "/api/servers", None).await;
    assert_eq!((encoding.as_str(), list.as_array().unwrap().len()), ("gzip", 5));
    let plain = admin.get("/api/servers").await.expect(200);
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"));
    assert!(packed * 5 < plain.text.len(), "{packed} of {}", plain.text.len());
    assert_eq!(asked(&admin, Method::GET, &format!("/api/servers/{}", ids[0]), None).await.0, "");
    assert_eq!(asked(&admin, Method::GET, "/api/me", None).await.0, "", "small");
    let (encoding, _, node) = asked(&admin, Method::POST, "/api/nodes", Some(json!({ "id": "attic" }))).await;
    assert_eq!((encoding.as_str(), node["id"].as_str()), ("", Some("attic")));
    for id in ids {
        admin.delete(&format!("/api/servers/{id}")).await.expect(204);
    }
}
