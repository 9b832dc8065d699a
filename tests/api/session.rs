//! Signing in and out, tokens, cookies, and the origins they are accepted from.

use std::time::Instant;

use reqwest::Method;
use serde_json::json;

use crate::harness::{Client, Live, PASSWORD, Panel, seconds};

fn login(name: &str, password: &str) -> serde_json::Value {
    json!({ "username": name, "password": password })
}

#[tokio::test]
async fn a_session_ends_at_once() {
    let panel = Panel::start().await;
    let mira = panel.user("mira").await;
    mira.get("/api/me").await.expect(200);
    mira.delete("/api/session").await.expect(204);
    mira.get("/api/me").await.refused(401, "unauthenticated");
    mira.delete("/api/session").await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn unknown_and_known_users_fail_alike() {
    let panel = Panel::start().await;
    let nobody = panel.anonymous();
    let known =
        nobody.post("/api/session", login("admin", "wrong password")).await.refused(401, "bad_credentials");
    let unknown =
        nobody.post("/api/session", login("nobody", "wrong password")).await.refused(401, "bad_credentials");
    assert_eq!(known.text, unknown.text);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..4 {
        for (at, name) in ["admin", "nobody2"].iter().enumerate() {
            let began = Instant::now();
            nobody.post("/api/session", login(name, "wrong password")).await;
            times[at].push(began.elapsed().as_secs_f64());
        }
    }
    // Both hash a password. Without that, the unknown username would be answered about twenty times faster.
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let [mut known, mut unknown] = times;
    let ratio = median(&mut known) / median(&mut unknown);
    assert!((0.2..5.0).contains(&ratio), "known/unknown = {ratio}");
}

#[tokio::test]
async fn the_eleventh_bad_login_of_a_minute_waits() {
    let panel = Panel::start().await;
    let nobody = panel.anonymous();
    for n in 0..10 {
        let answer = nobody.post("/api/session", login(&format!("user{n}"), "wrong password")).await;
        answer.refused(401, "bad_credentials");
    }
    let slow = nobody
        .post("/api/session", login("user99", "wrong password"))
        .await
        .refused(429, "too_many_requests");
    assert!(slow.header("retry-after").parse::<u64>().unwrap() >= 1);
    // Users who are already signed in are not affected.
    panel.admin().get("/api/me").await.expect(200);
}

#[tokio::test]
async fn a_flood_of_logins_is_queued_and_bounded() {
    let panel = Panel::start().await;
    let before = panel.resident();
    let logins = futures_util::future::join_all((0..200).map(|n| {
        let client = panel.anonymous();
        async move { client.post("/api/session", login(&format!("u{n}"), "wrong password")).await.status }
    }));
    let health = async {
        let mut worst = 0.0_f64;
        for _ in 0..20 {
            let began = Instant::now();
            panel.anonymous().get("/health").await.expect(200);
            worst = worst.max(began.elapsed().as_secs_f64());
        }
        worst
    };
    let (statuses, worst) = tokio::join!(logins, health);
    assert!(statuses.iter().all(|status| matches!(status, 401 | 429 | 503)), "{statuses:?}");
    assert!(worst < 2.0, "/health took {worst} s under a flood of logins");
    let grown = panel.resident().saturating_sub(before);
    assert!(grown < 96 << 20, "grew by {} MiB", grown >> 20);
}

#[tokio::test]
async fn a_huge_password_is_refused_unhashed() {
    let panel = Panel::start().await;
    let began = Instant::now();
    for (length, right) in [(1_025, 422), (5_000, 413)] {
        let answer = panel.anonymous().post("/api/session", login("admin", &"x".repeat(length))).await;
        assert_eq!(answer.status, right, "{length}: {answer:?}");
    }
    assert!(began.elapsed() < seconds(1));
}

#[tokio::test]
async fn forged_tokens_open_nothing() {
    let panel = Panel::start().await;
    let token = panel.admin().token.unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "a JWT");
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let mut cut = parts[2].to_owned();
    let first = if cut.starts_with('A') { "B" } else { "A" };
    cut.replace_range(0..1, first);
    for forged in [
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{cut}", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        "x".into(),
        String::new(),
        "a".repeat(9000),
    ] {
        Client::new(&panel.address, Some(forged)).get("/api/me").await.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn tokens_of_another_scope_or_time_open_nothing() {
    let secret = "a secret that the test knows, long enough";
    let panel = Panel::builder().env("JWT_SECRET", secret).start().await;
    let good = panel.admin().token.unwrap();
    let payload = decode(good.split('.').nth(1).unwrap());
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(claims["scope"], "session");
    for key in ["sub", "sid", "iat", "exp"] {
        assert!(!claims[key].is_null(), "{claims}");
    }
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(life, 30 * 24 * 3600);
    let sign = |claims: &serde_json::Value| {
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap()
    };
    let open = async |claims: &serde_json::Value| {
        Client::new(&panel.address, Some(sign(claims))).get("/api/me").await.status
    };
    assert_eq!(open(&claims).await, 200, "the test signs as the panel does");
    let change = |key: &str, value: serde_json::Value| {
        let mut changed = claims.clone();
        changed[key] = value;
        changed
    };
    let now = claims["iat"].as_i64().unwrap();
    for bad in [
        change("scope", json!("download")),
        change("scope", json!(null)),
        change("exp", json!(now - 120)),
        change("iat", json!(now + 7200)),
        change("sid", json!("somebodyelse")),
        change("sub", json!("somebodyelse")),
    ] {
        assert_eq!(open(&bad).await, 401, "{bad}");
    }
    let mut without = claims.clone();
    without.as_object_mut().unwrap().remove("exp");
    assert_eq!(open(&without).await, 401);
}

fn decode(text: &str) -> Vec<u8> {
    let table = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bits = 0_u32;
    let mut held = 0;
    let mut out = Vec::new();
    for byte in text.bytes() {
        let value = table.iter().position(|known| *known == byte).unwrap();
        bits = bits << 6 | u32::try_from(value).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xff) as u8);
        }
    }
    out
}

#[tokio::test]
async fn a_token_in_the_url_is_no_token_and_none_reaches_the_log() {
    let panel = Panel::start().await;
    let token = panel.admin().token.unwrap();
    panel.anonymous().get(&format!("/api/me?token={token}")).await.refused(401, "unauthenticated");
    panel
        .anonymous()
        .get(&format!("/api/servers?access_token={token}"))
        .await
        .refused(401, "unauthenticated");
    let log = panel.log();
    assert!(!log.contains(&token) && !log.contains(PASSWORD), "a secret in the log");
}

#[tokio::test]
async fn a_changing_call_by_cookie_needs_our_origin() {
    let panel = Panel::start().await;
    let browser = panel.browser("admin").await;
    let ask = async |headers: &[(&str, &str)]| {
        let mut request = browser.request(Method::PUT, "/api/me/password");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = json!({ "current": "not the password", "new": "another long one" });
        browser.send(request.json(&body)).await
    };
    let ours = format!("http://{}", panel.address);
    for good in [
        &[("origin", ours.as_str())][..],
        &[],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
    ] {
        let answer = ask(good).await;
        assert_ne!(answer.status, 403, "{good:?} {answer:?}");
    }
    for bad in [
        &[("origin", "http://evil.test")][..],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "http://evil.test"), ("sec-fetch-site", "same-origin")],
    ] {
        ask(bad).await.refused(403, "bad_origin");
    }
    // Reading needs no origin.
    let read = browser.request(Method::GET, "/api/me").header("origin", "http://evil.test");
    browser.send(read).await.expect(200);
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_and_their_sockets() {
    let panel = Panel::start().await;
    let here = panel.user("mira").await;
    let there = panel.sign_in("mira").await;
    let mut socket = Live::open(&there).await;
    socket.subscribe(&["servers"]).await;
    socket.wait(seconds(5), |message| (message["topic"] == "servers").then_some(())).await;
    here.put("/api/me/password", json!({ "current": "not it at all", "new": "a new password" }))
        .await
        .expect(401);
    here.put("/api/me/password", json!({ "current": PASSWORD, "new": "a new password" })).await.expect(204);
    assert_eq!(socket.closed(seconds(2)).await, 4401);
    there.get("/api/me").await.refused(401, "unauthenticated");
    here.get("/api/me").await.expect(200);
    panel.anonymous().post("/api/session", login("mira", PASSWORD)).await.refused(401, "bad_credentials");
    panel.anonymous().post("/api/session", login("mira", "a new password")).await.expect(200);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one() {
    let panel = Panel::start().await;
    let here = panel.user("mira").await;
    let there = panel.sign_in("mira").await;
    let list = here.get("/api/me/sessions").await.expect(200).json;
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list.iter().filter(|one| one["current"] == true).count(), 1);
    let other = list.iter().find(|one| one["current"] == false).unwrap()["id"].as_str().unwrap().to_owned();
    // The sessions of other users do not exist for the caller.
    panel.admin().delete(&format!("/api/me/sessions/{other}")).await.refused(404, "not_found");
    here.delete(&format!("/api/me/sessions/{other}")).await.expect(204);
    there.get("/api/me").await.refused(401, "unauthenticated");
    here.delete("/api/me/sessions/doesnotexist").await.refused(404, "not_found");
}

#[tokio::test]
async fn sessions_outlive_a_restart() {
    let mut panel = Panel::start().await;
    panel.stop().await;
    panel.again().await;
    panel.admin().get("/api/me").await.expect(200);
}

#[tokio::test]
async fn headers_of_a_stranger_change_nothing_in_the_log() {
    let panel = Panel::start().await;
    let client = panel.anonymous();
    let name = "a\n2026-01-01 INFO login ok user=admin\u{1b}[2J";
    let request = client
        .request(Method::POST, "/api/session")
        .header("x-forwarded-for", "<script>alert(1)</script>")
        .header("user-agent", "evil\u{7f}".replace('\u{7f}', "agent"))
        .json(&login(name, "wrong password"));
    let answer = client.send(request).await;
    assert!(matches!(answer.status, 401 | 422));
    let log = panel.log();
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01 INFO login ok")), "{log}");
    assert!(!log.contains('\u{1b}') || !log.contains("\u{1b}[2J"), "an escape of a stranger in the log");
    assert!(!log.contains("<script>"));
}
