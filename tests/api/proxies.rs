//! Reverse proxies in front of the panel: their headers count only if they are trusted.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, Browser, Live, PASSWORD, Panel};

async fn sign_in(panel: &Panel, headers: &[(&str, &str)], name: &str, password: &str) -> Answer {
    let client = panel.anonymous();
    let mut request = client.request(Method::POST, "/api/session");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request.json(&json!({ "username": name, "password": password }))).await
}

async fn addresses(panel: &Panel) -> Vec<String> {
    let sessions = panel.admin().get("/api/me/sessions").await.expect(200).json;
    let sessions = sessions.as_array().unwrap().iter();
    sessions.map(|session| session["address"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn each_client_behind_a_trusted_proxy_has_a_limit_of_its_own() {
    let panel = Panel::builder().env("TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8").start().await;
    let wrong = async |from: &str, n: usize| {
        sign_in(&panel, &[("x-forwarded-for", from)], &format!("user{n}"), "wrong password").await.status
    };
    for n in 0..10 {
        assert_eq!(wrong("6.6.6.6, 203.0.113.9, 10.0.0.7", n).await, 401);
    }
    assert_eq!(wrong("203.0.113.9", 10).await, 429);
    assert_eq!(wrong("1.2.3.4, 203.0.113.9", 11).await, 429, "what a client puts in front changes nothing");
    assert_eq!(wrong("203.0.113.10", 12).await, 401);
    assert_eq!(
        sign_in(&panel, &[("forwarded", "for=\"[2001:db8::7]:99\"")], "admin", PASSWORD).await.status,
        200
    );
    assert_eq!(sign_in(&panel, &[("x-forwarded-for", "203.0.113.11")], "admin", PASSWORD).await.status, 200);
    let seen = addresses(&panel).await;
    assert!(
        seen.contains(&"2001:db8::7".to_owned()) && seen.contains(&"203.0.113.11".to_owned()),
        "{seen:?}"
    );
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let panel = Panel::builder().env("TRUSTED_PROXIES", "192.0.2.1").start().await;
    let headers = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.test"),
        ("forwarded", "for=203.0.113.9;proto=https;host=evil.test"),
    ];
    let answer = sign_in(&panel, &headers, "admin", PASSWORD).await.expect(200);
    assert!(answer.header("set-cookie").starts_with("session="), "{answer:?}");
    assert!(!answer.header("set-cookie").contains("Secure"));
    assert!(addresses(&panel).await.iter().all(|address| address == "127.0.0.1"));
}

#[tokio::test]
async fn a_proxy_says_by_which_scheme_and_name_it_was_asked() {
    let panel = Panel::builder()
        .env("TRUSTED_PROXIES", "127.0.0.1")
        .env("ALLOWED_HOSTS", "panel.example.org")
        .start()
        .await;
    let through = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "panel.example.org:443"),
        ("host", "panel:3000"),
    ];
    let answer = sign_in(&panel, &through, "admin", PASSWORD).await.expect(200);
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-session=") && cookie.contains("; Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let key = answer.json["sessionKey"].as_str().unwrap();
    let change = async |origin: &str, host: &str| {
        let client = panel.anonymous();
        let request = client
            .request(Method::PUT, "/api/me/password")
            .header("cookie", cookie)
            .header("x-session-key", key)
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", host)
            .header("origin", origin)
            .json(&json!({ "current": "not the password", "new": "another long one" }));
        client.send(request).await.status
    };
    assert_eq!(
        change("https://panel.example.org", "panel.example.org:443").await,
        401,
        "the password is wrong"
    );
    assert_eq!(change("https://panel.example.org", "panel.example.org").await, 401);
    assert_eq!(change("http://panel.example.org", "panel.example.org").await, 403);
    assert_eq!(change("https://evil.test", "panel.example.org").await, 403);
    assert_eq!(change("https://evil.test", "evil.test").await, 421);
    // Its WebSocket too.
    let headers = [
        ("cookie", cookie),
        ("x-session-key", key),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "panel.example.org"),
        ("origin", "https://panel.example.org"),
    ];
    assert!(Live::with(&panel.address, &headers).await.is_ok());
}

#[tokio::test]
async fn the_port_of_the_scheme_may_stand_in_the_host() {
    let panel = Panel::builder().env("ALLOWED_HOSTS", "panel.example.org").start().await;
    let browser: Browser = panel.browser("admin").await;
    let change = async |origin: &str, host: &str| {
        let request =
            browser.request(Method::PUT, "/api/me/password").header("host", host).header("origin", origin);
        let body = json!({ "current": "not the password", "new": "another long one" });
        browser.send(request.json(&body)).await.status
    };
    assert_eq!(
        change("https://panel.example.org", "panel.example.org:443").await,
        401,
        "the password is wrong"
    );
    assert_eq!(change("http://panel.example.org", "panel.example.org:80").await, 401);
    assert_eq!(change("https://panel.example.org", "panel.example.org:80").await, 403);
    assert_eq!(change("https://panel.example.org:8443", "panel.example.org:443").await, 403);
}
