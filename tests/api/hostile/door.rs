//! Cross-site requests, forms and links cannot make a signed-in browser do anything.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use super::{endpoints, filled, server, state};
use crate::harness::{Panel, free_port, raw, seconds, until};

#[tokio::test]
async fn no_changing_call_works_from_another_site() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let browser = panel.browser("admin").await;
    let before = state(&admin).await;
    let mut wrong = Vec::new();
    let from: [&[(&str, &str)]; 4] = [
        &[("origin", "http://evil.test")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("origin", "http://evil.test"), ("sec-fetch-site", "same-origin")],
    ];
    for (method, path) in endpoints(&panel).await {
        if matches!(method, Method::GET | Method::HEAD) {
            continue;
        }
        for headers in from {
            let path = filled(&path, "local");
            let mut request = browser.request(method.clone(), &path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = browser.send(request.json(&json!({}))).await;
            if (answer.status, answer.code()) != (403, "bad_origin") {
                wrong.push(format!("{method} {path} from {headers:?}: {} {}", answer.status, answer.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(state(&admin).await, before);
}

#[tokio::test]
async fn what_a_form_can_send_is_no_call() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let browser = panel.browser("admin").await;
    let before = state(&admin).await;
    let text = r#"{"username": "eve", "password": "correct horse battery", "role": "admin"}"#;
    for kind in [
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ] {
        for headers in [&[][..], &[("origin", "http://evil.test")], &[("sec-fetch-site", "cross-site")]] {
            let mut request = browser.request(Method::POST, "/api/users");
            if !kind.is_empty() {
                request = request.header("content-type", kind);
            }
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer = browser.send(request.body(text)).await;
            let right = if headers.is_empty() { 415 } else { 403 };
            assert_eq!(answer.status, right, "{kind:?} {headers:?} {answer:?}");
        }
    }
    // A form of another site cannot sign a user in either.
    let client = panel.anonymous();
    let login = json!({ "username": "admin", "password": crate::harness::PASSWORD });
    let request = client.request(Method::POST, "/api/session").header("origin", "http://evil.test");
    let answer = client.send(request.json(&login)).await.refused(403, "bad_origin");
    assert_eq!(answer.header("set-cookie"), "");
    assert_eq!(state(&admin).await, before);
}

#[tokio::test]
async fn reading_changes_nothing() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    server(&admin, "World").await;
    let id = admin.get("/api/servers").await.json[0]["id"].as_str().unwrap().to_owned();
    let me = admin.get("/api/me").await.id();
    // What the agent reports a moment later is not a change made by a request.
    until("the agent has it", seconds(20), async || {
        admin.get(&format!("/api/servers/{id}")).await.json["dataDir"].is_string().then_some(())
    })
    .await;
    let before = state(&admin).await;
    let paths: BTreeSet<String> = endpoints(&panel)
        .await
        .into_iter()
        .flat_map(|(_, path)| {
            let of = if path.starts_with("/api/users") { &me } else { &id };
            [filled(&path, of), filled(&path, "local")]
        })
        .collect();
    for path in &paths {
        for method in [Method::GET, Method::HEAD] {
            let plain = admin.call(method.clone(), path, None).await;
            assert!(plain.status < 500, "{method} {path}: {plain:?}");
            let asked = format!("{path}?_method=DELETE&method=DELETE&action=start&logout=1");
            let mut request = admin.request(method, &asked);
            for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
                request = request.header(name, "DELETE");
            }
            assert!(admin.send(request).await.status < 500, "{asked}");
        }
    }
    admin.get("/api/session").await.refused(405, "method_not_allowed");
    assert_eq!(state(&admin).await, before);
    assert_eq!(admin.get(&format!("/api/servers/{id}")).await.expect(200).json["id"], id.as_str());
}

#[tokio::test]
async fn one_host_and_no_other_protocol() {
    let health = free_port();
    let panel = Panel::builder().env("HEALTH_PORT", health.to_string()).start().await;
    for address in [panel.address.clone(), panel.agents_address(), format!("127.0.0.1:{health}")] {
        // HTTP/2 with prior knowledge: no frame is sent back, and the connection is closed.
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let (answer, closed) = raw::exchange(&address, preface, seconds(14)).await;
        assert!(closed.is_some(), "{address} keeps an HTTP/2 connection");
        assert!(answer.is_empty() || matches!(raw::status(&answer), 400 | 505), "{address}: {answer:?}");
        // HTTP/2 by upgrade is refused too.
        let upgrade = format!(
            "GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        );
        let answer = raw::exchange_head(&address, upgrade.as_bytes(), seconds(5)).await;
        assert!(answer.starts_with("HTTP/1.1 ") && raw::status(&answer) != 101, "{address}: {answer}");
        // Endless headers.
        let long = format!("GET / HTTP/1.1\r\nHost: {address}\r\nX-Long: {}\r\n\r\n", "y".repeat(80_000));
        let (answer, _) = raw::exchange(&address, long.as_bytes(), seconds(5)).await;
        assert!(matches!(raw::status(&answer), 400 | 431 | 0), "{address}: {answer}");
        let many = "X-A: b\r\n".repeat(5_000);
        let many = format!("GET / HTTP/1.1\r\nHost: {address}\r\n{many}\r\n");
        let (answer, _) = raw::exchange(&address, many.as_bytes(), seconds(5)).await;
        assert!(matches!(raw::status(&answer), 400 | 431 | 0), "{address}: {answer}");
    }
    let two = format!("GET /api/setup HTTP/1.1\r\nHost: {}\r\nHost: evil.test\r\n\r\n", panel.address);
    let answer = raw::exchange_head(&panel.address, two.as_bytes(), seconds(5)).await;
    assert_eq!(raw::status(&answer), 400, "{answer}");
    panel.admin().get("/api/me").await.expect(200);
}
