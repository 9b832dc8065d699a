//! Hostile request headers, and the security headers of every response.

use reqwest::Method;
use serde_json::json;

use super::{endpoints, filled};
use crate::harness::{PASSWORD, Panel, raw, seconds};

#[tokio::test]
async fn only_the_socket_says_where_a_request_came_from() {
    let panel = Panel::start().await;
    let body = json!({ "username": "admin", "password": PASSWORD }).to_string();
    // Sent four times in one request, whose headers may have 16 KiB.
    let long = "9".repeat(2_000);
    for (number, forwarded) in ["<script>alert(1)</script>", "203.0.113.9", &long].into_iter().enumerate() {
        // Tabs and bytes above ASCII are the only unusual ones that a header may contain.
        let agent =
            format!("agent {number}\t<img src=x onerror=alert(1)>\u{9b}2J\u{85}{}", "ü".repeat(2_000));
        let request = format!(
            "POST /api/session HTTP/1.1\r\nHost: {0}\r\nContent-Type: application/json\r\nContent-Length: {1}\r\n\
             X-Forwarded-For: {forwarded}\r\nX-Real-IP: {forwarded}\r\nForwarded: for={forwarded}\r\n\
             CF-Connecting-IP: {forwarded}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n{body}",
            panel.address,
            body.len()
        );
        let (answer, _) = raw::exchange(&panel.address, request.as_bytes(), seconds(10)).await;
        assert_eq!(raw::status(&answer), 200, "{answer}");
    }
    let sessions = panel.admin().get("/api/me/sessions").await.expect(200).json;
    let sessions = sessions.as_array().unwrap();
    assert_eq!(sessions.len(), 4, "{sessions:#?}");
    for session in sessions {
        assert_eq!(session["address"], "127.0.0.1");
        let agent = session["userAgent"].as_str().unwrap();
        assert!(agent.len() <= 256 && !agent.chars().any(char::is_control), "{agent:?}");
    }
    assert_eq!(sessions.iter().filter(|one| one["userAgent"].as_str().unwrap().contains("<img")).count(), 3);
    let log = panel.log();
    assert!(!log.contains("203.0.113.9") && !log.contains("<script>") && !log.contains("onerror"), "{log}");
}

#[tokio::test]
async fn nobody_escapes_the_throttle_by_a_header() {
    let panel = Panel::start().await;
    let nobody = panel.anonymous();
    let mut statuses = Vec::new();
    for n in 0..12 {
        let request = nobody
            .request(Method::POST, "/api/session")
            .header("x-forwarded-for", format!("198.51.100.{n}"))
            .header("x-real-ip", format!("198.51.100.{n}"))
            .json(&json!({ "username": format!("user{n}"), "password": "wrong password" }));
        statuses.push(nobody.send(request).await.status);
    }
    assert_eq!(statuses[..10], [401; 10]);
    assert_eq!(statuses[10..], [429; 2]);
}

#[tokio::test]
async fn every_answer_is_guarded() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let mut paths: Vec<(Method, String)> = endpoints(&panel).await;
    for path in
        ["/", "/servers/x", "/sign-in?next=%2F%2Fevil.test", "/_app/none.js", "/../etc/passwd", "/api/nope"]
    {
        paths.push((Method::GET, path.to_owned()));
    }
    paths.push((Method::PUT, "/".to_owned()));
    paths.push((Method::DELETE, "/api/docs".to_owned()));
    let mut pages = 0;
    for (method, path) in paths {
        // Anonymously, and with a session where the endpoint needs one.
        let clients = if method == Method::GET {
            vec![panel.anonymous(), admin.clone()]
        } else {
            vec![panel.anonymous()]
        };
        for client in clients {
            let answer = client.call(method.clone(), &filled(&path, "<b>x<b>"), None).await;
            let of = format!("{method} {path}: {} {:#?}", answer.status, answer.headers);
            assert!(answer.status < 500, "{of}");
            assert_eq!(answer.header("x-frame-options"), "DENY", "{of}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{of}");
            assert_eq!(answer.header("referrer-policy"), "no-referrer", "{of}");
            assert!(answer.header("server").is_empty() && answer.header("x-powered-by").is_empty(), "{of}");
            let policy = answer.header("content-security-policy").to_owned();
            assert!(policy.contains("frame-ancestors 'none'"), "{of}");
            if answer.header("content-type").starts_with("text/html") {
                pages += 1;
                let part = |name: &str| policy.split(';').map(str::trim).find(|part| part.starts_with(name));
                assert_eq!(part("object-src"), Some("object-src 'none'"), "{of}");
                assert_eq!(part("base-uri"), Some("base-uri 'none'"), "{of}");
                let scripts = part("script-src").or_else(|| part("default-src")).expect("scripts are ruled");
                assert!(!scripts.contains("unsafe") && !scripts.contains('*'), "{of}");
            } else {
                assert!(!answer.header("content-type").contains("html"), "{of}");
            }
            assert!(!answer.text.contains("<b>x<b>"), "{of}: {}", answer.text);
        }
    }
    assert!(pages >= 6, "pages were seen: {pages}");
}

#[tokio::test]
async fn strangers_see_no_version_and_no_names() {
    let panel = Panel::start().await;
    panel.user("somebody-secret").await;
    panel.admin().post("/api/nodes", json!({ "id": "attic-secret" })).await.expect(201);
    let version = env!("CARGO_PKG_VERSION");
    let mut all = endpoints(&panel).await;
    all.push((Method::GET, "/nope".into()));
    all.push((Method::GET, "/api/nope".into()));
    let folder = panel.folder().display().to_string();
    for (method, path) in all {
        let answer = panel.anonymous().call(method.clone(), &filled(&path, "attic-secret"), None).await;
        let shown = format!("{:?} {}", answer.headers, answer.text);
        for secret in ["somebody-secret", folder.as_str()] {
            assert!(!shown.contains(secret), "{method} {path}: {shown}");
        }
        let documents = path == "/api/openapi.json" || answer.header("content-type").starts_with("text/html");
        if path != "/health" && !documents {
            assert!(!shown.contains(&format!("\"{version}\"")), "{method} {path}: {shown}");
        }
        if path == "/api/openapi.json" {
            assert_ne!(answer.json["info"]["version"], version);
        }
    }
}
