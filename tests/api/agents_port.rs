//! The agents' port: who is turned away, and with what.

use crate::harness::{Panel, raw, seconds};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

async fn ask(address: &str, path: &str, headers: &str) -> u16 {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    raw::status(&raw::exchange_head(address, request.as_bytes(), seconds(5)).await)
}

#[tokio::test]
async fn it_asks_in_the_protocols_order() {
    let panel = Panel::builder().env("AGENT_SECRET", "a shared secret of ours").start().await;
    let address = panel.agents_address();
    let made = panel.admin().post("/api/nodes", serde_json::json!({ "id": "attic" })).await.expect(201);
    let own = made.json["secret"].as_str().unwrap().to_owned();
    let shared = "Authorization: Bearer a shared secret of ours\r\n";
    let own = format!("Authorization: Bearer {own}\r\n");
    let node = |id: &str| format!("X-Node-Id: {id}\r\n");
    let a = address.as_str();
    assert_eq!(ask(a, "/api/servers", &format!("{UPGRADE}{shared}")).await, 404);
    assert_eq!(ask(a, "/health", "").await, 404);
    assert_eq!(ask(a, "/", &format!("{shared}{}", node("pi"))).await, 426);
    assert_eq!(ask(a, "/", &format!("{UPGRADE}Origin: http://{a}\r\n{shared}{}", node("pi"))).await, 403);
    assert_eq!(ask(a, "/", &format!("{UPGRADE}{}", node("pi"))).await, 401);
    assert_eq!(ask(a, "/", UPGRADE).await, 401);
    for wrong in [
        "Authorization: Bearer agent-secret\r\n",
        "Authorization: Basic YTpi\r\n",
        "Authorization: Bearer \r\n",
    ] {
        assert_eq!(ask(a, "/", &format!("{UPGRADE}{wrong}{}", node("pi"))).await, 401, "{wrong}");
    }
    let session = format!("Authorization: Bearer {}\r\n", panel.admin().token.unwrap());
    assert_eq!(ask(a, "/", &format!("{UPGRADE}{session}{}", node("pi"))).await, 401, "a session is no agent");
    assert_eq!(ask(a, "/", &format!("{UPGRADE}{shared}")).await, 400);
    assert_eq!(ask(a, "/", &format!("{UPGRADE}{own}")).await, 400);
    for bad in ["local", "../x", "-x", "a%20b"] {
        assert_eq!(ask(a, "/", &format!("{UPGRADE}{shared}{}", node(bad))).await, 400, "{bad}");
    }
    assert_eq!(ask(a, "/?nodeId=other", &format!("{UPGRADE}{shared}{}", node("pi"))).await, 400);
    // A node with a secret of its own refuses the shared one, and its secret opens no other.
    assert_eq!(ask(a, "/", &format!("{UPGRADE}{shared}{}", node("attic"))).await, 401);
    assert_eq!(ask(a, "/", &format!("{UPGRADE}{own}{}", node("pi"))).await, 401);
    let log = panel.log();
    assert!(
        !log.contains("a shared secret of ours")
            && !log.contains(own.trim_start_matches("Authorization: Bearer ").trim())
    );
}

#[tokio::test]
async fn without_a_shared_secret_none_opens() {
    let panel = Panel::start().await;
    let address = panel.agents_address();
    for secret in ["", "agent-secret", "undefined", "null"] {
        let headers = format!("{UPGRADE}Authorization: Bearer {secret}\r\nX-Node-Id: pi\r\n");
        assert_eq!(ask(&address, "/", &headers).await, 401, "{secret:?}");
    }
}
