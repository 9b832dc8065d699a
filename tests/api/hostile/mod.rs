//! Published vulnerabilities of similar systems, tried here: each test is an attack that must fail.

mod door;
mod fields;
mod headers;
mod local;
mod others;
mod secrets;
mod sockets;
mod tokens;

use reqwest::Method;
use serde_json::Value;

use crate::harness::{Client, Panel, docker};

/// Every endpoint of the OpenAPI document: method, and path with its parameters in braces.
async fn endpoints(panel: &Panel) -> Vec<(Method, String)> {
    let document = panel.anonymous().get("/api/openapi.json").await.expect(200).json;
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            all.push((method.to_uppercase().parse().unwrap(), path.clone()));
        }
    }
    assert!(all.len() > 30, "the document lists the endpoints: {all:?}");
    all
}

/// Whether the endpoint is public. `who_may_call` checks this against the router.
fn is_open(method: &Method, path: &str) -> bool {
    matches!(
        (method.as_str(), path),
        ("GET", "/health" | "/api/setup" | "/api/openapi.json" | "/api/docs")
            | ("POST", "/api/setup" | "/api/session")
            // With the secret of a server's public link in the path.
            | ("GET", "/api/shared/{token}")
            | ("POST", "/api/shared/{token}/wake")
            // With the setup token in the body, and only while there is no account.
            | ("POST", "/api/setup/restore" | "/api/setup/restore/look" | "/api/setup/restore/progress")
    )
}

/// Replaces each parameter of a path by this value.
fn filled(path: &str, value: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { value } else { part }).collect::<Vec<_>>().join("/")
}

/// Creates a stopped server.
async fn server(admin: &Client, name: &str) -> String {
    docker::image().await;
    let body = serde_json::json!({ "name": name, "image": docker::BUSYBOX, "startup": "game" });
    admin.post("/api/servers", body).await.expect(201).id()
}

/// Everything that a write could have changed, as an administrator sees it.
async fn state(admin: &Client) -> Vec<Value> {
    let mut all = Vec::new();
    for path in ["/api/users", "/api/servers", "/api/nodes", "/api/me/sessions"] {
        let mut seen = admin.get(path).await.expect(200).json;
        for one in seen.as_array_mut().unwrap() {
            let one = one.as_object_mut().unwrap();
            // These change by themselves, with time and as the engine is reached.
            for moving in [
                "dataDir",
                "lastSeen",
                "lastUsed",
                "usage",
                "system",
                "stats",
                "engine",
                "problems",
                "online",
                "status",
                "statusSince",
                "progress",
                "capabilities",
            ] {
                one.remove(moving);
            }
        }
        all.push(seen);
    }
    all
}
