//! A browser's session has two halves: the cookie, which every port of the host receives, and the key, which only the
//! page's origin has.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Browser, Client, Live, PASSWORD, Panel, raw, seconds};

async fn status(panel: &Panel, cookie: &str, key: Option<&str>) -> u16 {
    let client = panel.anonymous();
    let mut request = client.request(Method::GET, "/api/me").header("cookie", cookie);
    if let Some(key) = key {
        request = request.header("x-session-key", key);
    }
    client.send(request).await.status
}

#[tokio::test]
async fn neither_half_opens_anything_alone_and_none_stands_for_another() {
    let panel = Panel::start().await;
    let body = json!({ "username": "admin", "password": PASSWORD });
    let answer = panel.anonymous().post("/api/session", body).await.expect(200);
    let token = answer.json["token"].as_str().unwrap().to_owned();
    let browser = Browser::of(&panel.address, &answer);
    let other = panel.browser("admin").await;
    let value = browser.cookie.strip_prefix("session=").unwrap().to_owned();
    assert!(value != token && value != browser.key && browser.key != token);

    browser.get("/api/me").await.expect(200);
    for half in [&value, &browser.key] {
        let bearer = Client::new(&panel.address, Some(half.clone()));
        bearer.get("/api/me").await.refused(401, "unauthenticated");
    }
    let session = |value: &str| format!("session={value}");
    for (cookie, key) in [
        (browser.cookie.clone(), None),
        (browser.cookie.clone(), Some(value.as_str())),
        (browser.cookie.clone(), Some(token.as_str())),
        (browser.cookie.clone(), Some(other.key.as_str())),
        (browser.cookie.clone(), Some("")),
        (browser.cookie.clone(), Some("a.b")),
        (session(&token), None),
        (session(&token), Some(browser.key.as_str())),
        (session(&browser.key), Some(browser.key.as_str())),
        (other.cookie.clone(), Some(browser.key.as_str())),
        (String::new(), Some(browser.key.as_str())),
        (session(""), Some(browser.key.as_str())),
    ] {
        assert_eq!(status(&panel, &cookie, key).await, 401, "{cookie:?} {key:?}");
    }
    // A browser of an earlier version has the token as cookie. It gets a clear error, and the token itself stays valid.
    let client = panel.anonymous();
    let request = client.request(Method::GET, "/api/me").header("cookie", session(&token));
    let told = client.send(request).await.refused(401, "unauthenticated");
    assert!(told.json["error"]["message"].as_str().unwrap().contains("Sign in again"), "{told:?}");
    Client::new(&panel.address, Some(token)).get("/api/me").await.expect(200);
    let log = panel.log();
    assert!(!log.contains(&value) && !log.contains(&browser.key), "a half in the log");
}

#[tokio::test]
async fn what_others_set_beside_our_cookie_does_no_harm() {
    let panel = Panel::start().await;
    let browser = panel.browser("admin").await;
    let session = browser.cookie.split_once('=').unwrap().1.split_once('.').unwrap().0.to_owned();
    let many: String = (0..600).map(|n| format!("session=a{n}.b; ")).collect();
    let alike: String = (0..300).map(|n| format!("session={session}.x{n}; ")).collect();
    let foreign = [
        "session=x; ",
        "session=; ",
        "session; session==; ",
        "=;; ",
        "session=a.b.c; session=\"q\"; ",
        &many,
        &alike,
    ];
    for before in foreign {
        let cookie = format!("{before}{}; session=late", browser.cookie);
        assert_eq!(status(&panel, &cookie, Some(&browser.key)).await, 200, "{before:.60}");
    }
    // Bytes that are not UTF-8, in one header and in two.
    for cookies in [
        [b"Cookie: session=\xff\xfe; \x80=\x81; ".as_slice(), browser.cookie.as_bytes()].concat(),
        [b"Cookie: session=\xff\xfe\r\nCookie: ".as_slice(), browser.cookie.as_bytes()].concat(),
    ] {
        let mut request = format!(
            "GET /api/me HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nX-Session-Key: {}\r\n",
            panel.address, browser.key
        )
        .into_bytes();
        request.extend(&cookies);
        request.extend(b"\r\n\r\n");
        let (answer, _) = raw::exchange(&panel.address, &request, seconds(10)).await;
        assert_eq!(raw::status(&answer), 200, "{answer}");
    }
}

#[tokio::test]
async fn a_socket_by_cookie_serves_nothing_before_the_key() {
    let panel = Panel::start().await;
    let browser = panel.browser("admin").await;
    let ours = format!("http://{}", panel.address);
    let open =
        async |cookie: &str| Live::with(&panel.address, &[("cookie", cookie), ("origin", &ours)]).await;
    let end = async |first: &str| {
        let mut live = open(&browser.cookie).await.unwrap_or_else(|status| panic!("{status}"));
        live.send(first).await;
        live.send(browser.introduction()).await;
        live.next(seconds(5)).await
    };
    for first in [
        r#"{"subscribe":["servers"]}"#,
        r#"{"sessionKey":"","subscribe":["servers"]}"#,
        r#"{"sessionKey":"a.b"}"#,
        r#"{"sessionKey":7}"#,
        r#"{"sessionKey":null}"#,
        "{}",
        "garbage",
    ] {
        assert_eq!(end(first).await, Err(4401), "{first}");
    }
    // Halves of two different sessions are refused.
    let other = panel.browser("admin").await;
    assert_eq!(end(&other.introduction()).await, Err(4401));

    let mut live = open(&browser.cookie).await.unwrap_or_else(|status| panic!("{status}"));
    live.send(json!({ "sessionKey": browser.key, "subscribe": ["status"] }).to_string()).await;
    live.wait(seconds(5), |message| (message["topic"] == "status").then_some(())).await;
    live.subscribe(&["servers"]).await;
    live.wait(seconds(5), |message| (message["topic"] == "servers").then_some(())).await;

    // The cookie is found next to foreign ones, and a cookie without a valid session is refused.
    let mut beside = open(&format!("session=x; session=a.b; {}", browser.cookie)).await.ok().unwrap();
    beside.send(browser.introduction()).await;
    beside.subscribe(&["servers"]).await;
    beside.wait(seconds(5), |message| (message["topic"] == "servers").then_some(())).await;
    let token = panel.admin().token.unwrap();
    for cookie in ["session=a.b", "session=x", "session=", &format!("session={token}")] {
        assert_eq!(open(cookie).await.map(|_| ()).err(), Some(401), "{cookie}");
    }
    // After signing out, the socket is closed and the cookie is refused.
    let request = browser.request(Method::DELETE, "/api/session");
    browser.send(request).await.expect(204);
    assert_eq!(live.closed(seconds(5)).await, 4401);
    assert_eq!(open(&browser.cookie).await.map(|_| ()).err(), Some(401));
}

#[tokio::test]
async fn a_socket_that_never_shows_its_key_is_closed() {
    let panel = Panel::start().await;
    let browser = panel.browser("admin").await;
    let headers = [("cookie", browser.cookie.clone()), ("origin", format!("http://{}", panel.address))];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut live = Live::with(&panel.address, &headers).await.ok().unwrap();
    assert_eq!(live.closed(seconds(14)).await, 4401);
}

/// Other pages on the same host, such as a game's, receive the cookie. A socket opened with it does not count against
/// the limits until it has sent the key.
#[tokio::test]
async fn sockets_without_a_key_take_nobodys_places() {
    let panel = Panel::start().await;
    let browser = panel.browser("admin").await;
    let headers = [("cookie", browser.cookie.clone()), ("origin", format!("http://{}", panel.address))];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut held = Vec::new();
    // As many as one address may hold.
    for _ in 0..300 {
        match Live::with(&panel.address, &headers).await {
            Ok(live) => held.push(live),
            Err(_) => break,
        }
    }
    drop(held.split_off(held.len().saturating_sub(20)));
    let mut live = Live::with(&panel.address, &headers).await.ok().unwrap();
    live.send(browser.introduction()).await;
    live.subscribe(&["servers"]).await;
    live.wait(seconds(5), |message| (message["topic"] == "servers").then_some(())).await;
}

#[tokio::test]
async fn a_proxys_own_authorization_is_not_ours() {
    let panel = Panel::start().await;
    let browser = panel.browser("admin").await;
    for own in ["Basic YTpi", "Basic", "Digest username=\"a\"", "Negotiate abc", "bearertoken"] {
        let request = browser.request(Method::GET, "/api/me").header("authorization", own);
        browser.send(request).await.expect(200);
        let client = panel.anonymous();
        let request = client.request(Method::GET, "/api/me").header("authorization", own);
        client.send(request).await.refused(401, "unauthenticated");
    }
    let mut bearer = panel.admin().request(Method::GET, "/api/me");
    bearer = bearer.header("authorization", "Basic YTpi");
    panel.admin().send(bearer).await.expect(200);
    // It does not exempt a foreign page's request from the origin check.
    let request = browser.request(Method::DELETE, "/api/session").header("authorization", "Basic YTpi");
    browser.send(request.header("origin", "http://evil.test")).await.refused(403, "bad_origin");
}

/// Content written by users or games is only served as API data, never as a page, script or image of the panel's
/// origin.
#[tokio::test]
async fn nothing_that_others_wrote_is_a_page_of_ours() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let hostile = "<!doctype html><script>alert(1)</script>";
    let body = json!({
        "name": hostile, "image": "127.0.0.1:9/absent", "startup": hostile, "environment": { "A": hostile }
    });
    let id = admin.post("/api/servers", body).await.expect(201).id();
    admin.post("/api/nodes", json!({ "id": "attic", "name": hostile })).await.expect(201);
    let document = admin.get("/api/openapi.json").await.expect(200).json;
    let mut seen = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        if methods["get"].is_null() || path == "/api/docs" {
            continue;
        }
        for of in [id.as_str(), "local", "attic"] {
            let path = path.split('/').map(|part| if part.starts_with('{') { of } else { part });
            let path = path.collect::<Vec<_>>().join("/");
            let request = admin.request(Method::GET, &path).header("accept", "text/html,image/svg+xml,*/*");
            let answer = admin.send(request).await;
            seen += usize::from(answer.text.contains("alert(1)"));
            let kind = answer.header("content-type");
            // Plain text is only saved: with `nosniff` no browser shows it as anything else.
            let saved = answer.header("content-disposition").starts_with("attachment");
            assert!(
                ["application/json", "application/octet-stream", ""].contains(&kind)
                    || (saved && kind == "text/plain; charset=utf-8"),
                "{path} is {kind:?}: {answer:#?}"
            );
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(
                answer.header("content-security-policy"),
                "default-src 'none'; frame-ancestors 'none'; sandbox",
                "{path}"
            );
        }
    }
    assert!(seen >= 3, "what was written is among the answers: {seen}");
}
