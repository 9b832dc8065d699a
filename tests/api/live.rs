//! `GET /api/live`: authentication, messages, and limits.

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Live, Panel, docker, seconds};

fn topic<'a>(name: &'a str) -> impl FnMut(&Value) -> Option<Value> + 'a {
    move |message| (message["topic"] == name).then(|| message.clone())
}

#[tokio::test]
async fn the_door_asks_who_and_from_where() {
    let panel = Panel::start().await;
    let bearer = format!("Bearer {}", panel.admin().token.unwrap());
    let cookie = panel.browser("admin").await.cookie;
    let ours = format!("http://{}", panel.address);
    let open = async |headers: &[(&str, &str)]| Live::with(&panel.address, headers).await.map(|_| ());
    assert_eq!(open(&[]).await, Err(401));
    assert_eq!(open(&[("authorization", "Bearer nonsense")]).await, Err(401));
    assert_eq!(open(&[("cookie", &cookie)]).await, Err(403), "a cookie without an Origin");
    for origin in ["http://evil.test", "null", "http://127.0.0.1:1", "https://127.0.0.1"] {
        assert_eq!(open(&[("cookie", &cookie), ("origin", origin)]).await, Err(403), "{origin}");
    }
    assert_eq!(open(&[("cookie", &cookie), ("origin", &ours)]).await, Ok(()));
    assert_eq!(open(&[("authorization", &bearer), ("origin", "http://evil.test")]).await, Ok(()));
    panel.admin().get("/api/live").await.refused(426, "upgrade_required");
}

#[tokio::test]
async fn topics_answer_at_once_and_then_as_things_change() {
    docker::image().await;
    let panel = Panel::start().await;
    let admin = panel.admin();
    let mut live = Live::open(&admin).await;
    live.subscribe(&["servers", "nodes", "status"]).await;
    let servers = live.wait(seconds(5), topic("servers")).await;
    assert_eq!(servers["data"]["all"], json!([]));
    let body = json!({ "name": "World", "image": docker::BUSYBOX, "startup": "game" });
    let id = admin.post("/api/servers", body).await.expect(201).id();
    live.wait(seconds(10), |message| {
        let changed = &message["data"]["changed"];
        (message["topic"] == "servers" && changed["id"] == id.as_str() && changed["status"] == "stopped")
            .then_some(())
    })
    .await;
    admin.patch(&format!("/api/servers/{id}"), json!({ "name": "Renamed" })).await.expect(200);
    live.wait(seconds(5), |message| (message["data"]["changed"]["name"] == "Renamed").then_some(())).await;
    admin.delete(&format!("/api/servers/{id}")).await.expect(204);
    live.wait(seconds(5), |message| (message["data"]["removed"] == id.as_str()).then_some(())).await;
}

#[tokio::test]
async fn topics_that_are_not_there_or_not_allowed_say_so() {
    docker::image().await;
    let panel = Panel::start().await;
    let admin = panel.admin();
    let jo = panel.user("jo").await;
    let user = jo.get("/api/me").await.id();
    let body = json!({ "name": "World", "image": docker::BUSYBOX, "startup": "game" });
    let id = admin.post("/api/servers", body).await.expect(201).id();
    let mut live = Live::open(&jo).await;
    let console = format!("console:{id}");
    for name in ["nonsense", "console:doesnotexist", &console, "stats:../../etc"] {
        live.subscribe(&[name]).await;
        let answer = live.wait(seconds(5), topic(name)).await;
        assert!(answer["error"]["code"].is_string() && answer["error"]["message"].is_string(), "{answer}");
    }
    // The permission is granted, and revoked while the socket is open.
    let grant = format!("/api/servers/{id}/users/{user}");
    admin.put(&grant, json!({ "permissions": ["view", "console"] })).await.expect(204);
    live.subscribe(&[&console]).await;
    let lines = live.wait(seconds(5), topic(&console)).await;
    assert!(lines["data"]["lines"].is_array(), "{lines}");
    admin.delete(&grant).await.expect(204);
    let ended = live.wait(seconds(2), |message| {
        (message["topic"] == console.as_str() && !message["error"].is_null()).then(|| message.clone())
    });
    ended.await;
    admin.delete(&format!("/api/servers/{id}")).await.expect(204);
}

#[tokio::test]
async fn a_user_sees_only_what_is_granted() {
    docker::image().await;
    let panel = Panel::start().await;
    let admin = panel.admin();
    let jo = panel.user("jo").await;
    let user = jo.get("/api/me").await.id();
    let mut live = Live::open(&jo).await;
    live.subscribe(&["servers"]).await;
    live.wait(seconds(5), topic("servers")).await;
    let body = json!({ "name": "Secret world", "image": docker::BUSYBOX, "startup": "game" });
    let id = admin.post("/api/servers", body.clone()).await.expect(201).id();
    let seen = admin
        .post("/api/servers", json!({ "name": "Shared world", "image": docker::BUSYBOX }))
        .await
        .expect(201)
        .id();
    admin
        .put(&format!("/api/servers/{seen}/users/{user}"), json!({ "permissions": ["view"] }))
        .await
        .expect(204);
    let shared = live.wait(seconds(5), |message| {
        assert!(!message.to_string().contains("Secret world"), "{message}");
        message.to_string().contains("Shared world").then_some(())
    });
    shared.await;
    for id in [id, seen] {
        admin.delete(&format!("/api/servers/{id}")).await.expect(204);
    }
}

#[tokio::test]
async fn a_socket_has_limits() {
    let panel = Panel::start().await;
    let mut big = Live::open(&panel.admin()).await;
    big.send("x".repeat(20_000)).await;
    assert_eq!(big.closed(seconds(5)).await, 1009);

    let mut flood = Live::open(&panel.admin()).await;
    for _ in 0..10_000 {
        if flood.stream().feed(Message::text(r#"{"subscribe":[]}"#)).await.is_err() {
            break;
        }
    }
    let _ = flood.stream().flush().await;
    assert_eq!(flood.closed(seconds(10)).await, 1008);

    let mut garbage = Live::open(&panel.admin()).await;
    for text in ["", "[]", "null", "{\"subscribe\": 5}", "{\"x\":", "{\"subscribe\":[5]}"] {
        garbage.send(text).await;
    }
    garbage.subscribe(&["servers"]).await;
    let survived = garbage.next(seconds(5)).await;
    assert!(survived.is_ok() || matches!(survived, Err(1007 | 1008)), "{survived:?}");
    panel.admin().get("/api/me").await.expect(200);
}

#[tokio::test]
async fn two_hundred_sockets_are_cheap_and_the_257th_is_refused() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let before = panel.resident();
    let mut open = Vec::new();
    for _ in 0..200 {
        let mut live = Live::open(&admin).await;
        live.subscribe(&["servers"]).await;
        open.push(live);
    }
    for live in &mut open {
        live.wait(seconds(10), topic("servers")).await;
    }
    let each = panel.resident().saturating_sub(before) / 200;
    assert!(each < 64 << 10, "{each} bytes per socket");
    let bearer = format!("Bearer {}", admin.token.clone().unwrap());
    let mut refused = None;
    for n in 200..300 {
        match Live::with(&panel.address, &[("authorization", &bearer)]).await {
            Ok(live) => open.push(live),
            Err(status) => {
                refused = Some((n, status));
                break;
            }
        }
    }
    assert_eq!(refused, Some((256, 429)));
    // Another account can still connect.
    let jo = panel.user("jo").await;
    let mut live = Live::open(&jo).await;
    live.subscribe(&["servers"]).await;
    live.wait(seconds(5), topic("servers")).await;
}

#[tokio::test]
async fn the_513th_topic_is_refused() {
    docker::image().await;
    let panel = Panel::start().await;
    let made = futures_util::future::join_all((0..257).map(|n| {
        let admin = panel.admin();
        let body = json!({ "name": format!("Number {n}"), "image": docker::BUSYBOX, "startup": "game" });
        async move { admin.post("/api/servers", body).await.expect(201).id() }
    }))
    .await;
    let mut live = Live::open(&panel.admin()).await;
    let topics: Vec<String> =
        made.iter().flat_map(|id| [format!("console:{id}"), format!("stats:{id}")]).take(513).collect();
    for chunk in topics.chunks(50) {
        live.send(json!({ "subscribe": chunk }).to_string()).await;
    }
    let last = topics[512].clone();
    let refused = live.wait(seconds(20), |message| {
        (message["topic"] == last.as_str()).then(|| message["error"]["code"].as_str().map(str::to_owned))
    });
    assert_eq!(refused.await.as_deref(), Some("too_many_requests"));
}
