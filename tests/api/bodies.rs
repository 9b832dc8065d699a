//! Invalid requests are refused with precise errors, all of the same shape.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Panel, raw, seconds};

#[tokio::test]
async fn every_kind_of_bad_body_has_its_status() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let post = |body: &'static str, kind: &'static str| {
        let request = admin.request(Method::POST, "/api/servers").header("content-type", kind).body(body);
        let admin = admin.clone();
        async move { admin.send(request).await }
    };
    let json_type = "application/json";
    post("{\"name\": ", json_type).await.refused(400, "bad_json");
    post("", json_type).await.refused(400, "bad_json");
    post("{}", "text/plain").await.refused(415, "unsupported_media_type");
    post("<x/>", "application/xml").await.refused(415, "unsupported_media_type");
    post("[]", json_type).await.refused(422, "invalid");
    post("{\"name\": 5, \"image\": \"a\"}", json_type).await.refused(422, "invalid");
    post("{\"name\": \"a\"}{", json_type).await.refused(400, "bad_json");
    let charset = post("{\"nam\": 1}", "application/json; charset=utf-8").await.refused(422, "invalid");
    assert!(!charset.field("nam").is_empty(), "{charset:?}");
}

#[tokio::test]
async fn the_path_of_the_key_is_named() {
    let panel = Panel::start().await;
    let long = "n".repeat(10_000);
    for (body, field) in [
        (json!({ "name": "a", "image": "b", "extra": 1 }), "extra"),
        (json!({ "name": "a", "image": "b", "limits": { "memory": 1 } }), "limits.memory"),
        (json!({ "name": "a", "image": "b", "limits": { "memory": -1 } }), "limits.memory"),
        (json!({ "name": "a", "image": "b", "limits": { "memory": "1G" } }), "limits.memory"),
        (json!({ "name": "a", "image": "b", "limits": { "memory": 1.5 } }), "limits.memory"),
        (json!({ "name": "a", "image": "b", "limits": { "memory": i64::MAX } }), "limits.memory"),
        (json!({ "name": "a", "image": "b", "limits": { "swap": -2 } }), "limits.swap"),
        (json!({ "name": "a", "image": "b", "limits": { "disk": -2 } }), "limits.disk"),
        (json!({ "name": "a", "image": "b", "limits": { "io": 9 } }), "limits.io"),
        (json!({ "name": "a", "image": "b", "limits": { "io": 1001 } }), "limits.io"),
        (json!({ "name": "a", "image": "b", "limits": { "cpu": -1 } }), "limits.cpu"),
        (json!({ "name": "a", "image": "b", "limits": { "processes": 16_385 } }), "limits.processes"),
        (json!({ "name": "a", "image": "b", "limits": { "ram": 1 } }), "limits.ram"),
        (json!({ "name": "", "image": "b" }), "name"),
        (json!({ "name": "a\u{7}b", "image": "b" }), "name"),
        (json!({ "name": long, "image": "b" }), "name"),
        (json!({ "name": "a" }), "image"),
        (json!({ "name": "a", "image": "x --privileged" }), "image"),
        (json!({ "name": "a", "image": "" }), "image"),
        (json!({ "name": "a", "image": "b", "environment": { "1A": "x" } }), "environment.1A"),
        (json!({ "name": "a", "image": "b", "environment": { "A": 1 } }), "environment.A"),
        (json!({ "name": "a", "image": "b", "environment": { "A": "x".repeat(40_000) } }), "environment"),
        (json!({ "name": "a", "image": "b", "templateId": "no-such-template" }), "templateId"),
        (json!({ "name": "a", "image": "b", "nodeId": "no-such-node" }), "nodeId"),
        (json!({ "name": "a", "image": "b", "privileged": true }), "privileged"),
        (json!({ "name": "a", "image": "b", "Binds": ["/:/host"] }), "Binds"),
        (ports(json!(0), json!(80), json!("tcp")), "ports.0.internal"),
        (ports(json!(80), json!(65536), json!("tcp")), "ports.0.external"),
        (ports(json!(80), json!(-1), json!("tcp")), "ports.0.external"),
        (ports(json!(80), json!(0), json!("tcp")), "ports.0.external"),
        (ports(json!(80), json!(80), json!("sctp")), "ports.0.protocol"),
    ] {
        let answer = panel.admin().post("/api/servers", body.clone()).await;
        let said = field.split('.').map(str::to_owned).collect::<Vec<_>>().join(".");
        let shown = body.to_string();
        let shown = &shown[..shown.len().min(200)];
        assert_eq!(answer.status, 422, "{shown}: {answer:#?}");
        let fields = answer.json["error"]["fields"].as_object().cloned().unwrap_or_default();
        let dotted = |key: &String| key.replace('[', ".").replace(']', "");
        assert!(fields.keys().any(|key| dotted(key) == said), "{shown}: {fields:?} lacks {field}");
    }
    assert_eq!(panel.admin().get("/api/servers").await.json, json!([]), "nothing was made");
}

#[allow(clippy::needless_pass_by_value, reason = "the rows of the table read better")]
fn ports(internal: Value, external: Value, protocol: Value) -> Value {
    let port = json!({ "internal": internal, "external": external, "protocol": protocol });
    json!({ "name": "a", "image": "b", "ports": [port] })
}

#[tokio::test]
async fn a_body_past_the_limit_is_413() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let body = format!("{{\"name\": \"{}\"}}", "x".repeat(4 << 20));
    let request =
        admin.request(Method::POST, "/api/servers").header("content-type", "application/json").body(body);
    admin.send(request).await.refused(413, "too_large");
}

#[tokio::test]
async fn deep_json_is_refused_quickly() {
    let panel = Panel::start().await;
    let admin = panel.admin();
    let body = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let request =
        admin.request(Method::POST, "/api/servers").header("content-type", "application/json").body(body);
    let answer = admin.send(request).await;
    assert!(matches!(answer.status, 400 | 422), "{answer:?}");
    admin.get("/health").await.expect(200);
}

#[tokio::test]
async fn unknown_paths_and_methods_stay_inside_the_api() {
    let panel = Panel::start().await;
    panel.admin().get("/api/nothing/here").await.refused(404, "not_found");
    panel.admin().get("/api").await.refused(404, "not_found");
    panel.admin().delete("/api/nodes").await.refused(405, "method_not_allowed");
    panel.admin().put("/api/servers", json!({})).await.refused(405, "method_not_allowed");
    let odd = raw::exchange(
        &panel.address,
        format!(
            "GET /api/%ff%00/..%2f..%2fetc HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            panel.address
        )
        .as_bytes(),
        seconds(5),
    )
    .await;
    assert!(matches!(raw::status(&odd.0), 400 | 401 | 404), "{}", odd.0);
}

#[tokio::test]
async fn heads_past_64_kib_are_refused() {
    let panel = Panel::start().await;
    let head = format!("GET /health HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "y".repeat(80_000));
    let (answer, _) = raw::exchange(&panel.address, head.as_bytes(), seconds(5)).await;
    assert!(matches!(raw::status(&answer), 400 | 431 | 0), "{answer}");
    panel.anonymous().get("/health").await.expect(200);
}

#[tokio::test]
async fn odd_ids_are_not_found() {
    let panel = Panel::start().await;
    for id in ["..", "%2e%2e", "A", "a%2fb", "%00", "-", &"a".repeat(300), "<script>"] {
        let answer = panel.admin().get(&format!("/api/servers/{id}")).await;
        assert!(matches!(answer.status, 404 | 400 | 200), "{id}: {answer:?}");
        assert!(!answer.text.contains("<script>"), "{id} came back");
        let answer =
            panel.admin().post(&format!("/api/servers/{id}/power"), json!({ "action": "start" })).await;
        assert!(matches!(answer.status, 404 | 400 | 405), "{id}: {answer:?}");
    }
}
