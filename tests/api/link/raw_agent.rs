//! A hand-written agent, whose messages the test controls.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::harness::Panel;

/// The agent's connection.
pub(crate) struct RawAgent {
    pub(crate) socket: WebSocketStream<TcpStream>,
    /// Subprotocol that the panel chose.
    pub(crate) chosen: Option<String>,
}

/// Creates a node. Returns its secret.
pub(crate) async fn node(panel: &Panel, id: &str) -> String {
    let made = panel.admin().post("/api/nodes", json!({ "id": id })).await.expect(201).json;
    made["secret"].as_str().unwrap().to_owned()
}

impl RawAgent {
    /// Connects. The error is the HTTP status of the refusal.
    pub(crate) async fn connect(
        address: &str,
        node: &str,
        secret: &str,
        offer: Option<&str>,
    ) -> Result<Self, u16> {
        let mut request = format!("ws://{address}/").into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {secret}")).unwrap());
        headers.insert("x-node-id", HeaderValue::from_str(node).unwrap());
        if let Some(offer) = offer {
            headers.insert("sec-websocket-protocol", HeaderValue::from_str(offer).unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, answer)) => {
                let chosen = answer.headers().get("sec-websocket-protocol");
                Ok(Self { socket, chosen: chosen.map(|name| name.to_str().unwrap().to_owned()) })
            }
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    /// Connects, introduces itself with all capabilities, and waits until the node is online.
    pub(crate) async fn join(panel: &Panel, id: &str, secret: &str) -> Self {
        let mut agent = Self::connect(&panel.agents_address(), id, secret, None).await.expect("let in");
        agent.hello(id).await;
        agent.say(&json!({ "type": "hear me", "messageId": "join" })).await;
        while agent.wait_for("error", Duration::from_secs(20)).await["messageId"] != "join" {}
        agent
    }

    /// Sends `system_info` and an empty `sync`.
    pub(crate) async fn hello(&mut self, id: &str) {
        self.say(&hello(id)).await;
        self.say(&json!({ "type": "sync", "data": { "servers": [] } })).await;
    }

    /// Sends text. A closed connection is only noticed when reading.
    pub(crate) async fn say(&mut self, message: &Value) {
        let _ = self.socket.send(Message::text(message.to_string())).await;
    }

    /// The next frame of any kind.
    pub(crate) async fn frame(&mut self, within: Duration) -> Option<Message> {
        match tokio::time::timeout(within, self.socket.next()).await {
            Ok(Some(Ok(message))) => Some(message),
            Ok(_) => None,
            Err(_) => panic!("nothing came within {within:?}"),
        }
    }

    /// The next text message of this type.
    pub(crate) async fn wait_for(&mut self, kind: &str, within: Duration) -> Value {
        let until = tokio::time::Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            match self.frame(left).await {
                Some(Message::Text(text)) => {
                    let message: Value = serde_json::from_str(&text).unwrap();
                    if message["type"] == kind {
                        return message;
                    }
                }
                Some(Message::Close(frame)) => panic!("closed before {kind}: {frame:?}"),
                Some(_) => {}
                None => panic!("ended before {kind}"),
            }
        }
    }

    /// Reads to the end. Returns the close code, or 1006 if there is none.
    pub(crate) async fn closed(&mut self, within: Duration) -> u16 {
        let until = tokio::time::Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            match self.frame(left).await {
                Some(Message::Close(frame)) => return frame.map_or(1005, |frame| frame.code.into()),
                Some(_) => {}
                None => return 1006,
            }
        }
    }
}

/// `system_info` of an agent with all capabilities.
pub(crate) fn hello(id: &str) -> Value {
    json!({ "type": "system_info", "data": {
        "nodeId": id, "os": "linux", "arch": "amd64", "memory": 1_u64 << 30, "cpu": "1 core",
        "capabilities": ["docker", "monitoring", "ack", "sync", "console", "stats"], "networks": {},
    } })
}
