//! Test peers for both ends of the protocol over a raw WebSocket: an agent and a panel with scripted behaviour.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::{Panel, seconds};

/// One connection, from either end.
pub(crate) struct Peer {
    socket: WebSocketStream<TcpStream>,
}

impl Peer {
    /// Sends text unchanged; false if the connection is closed.
    pub(crate) async fn text(&mut self, text: impl Into<String>) -> bool {
        self.socket.send(Message::text(text.into())).await.is_ok()
    }

    /// Sends a message without an id.
    pub(crate) async fn say(&mut self, kind: &str, data: Value) -> bool {
        self.text(envelope(kind, &data, None)).await
    }

    /// Sends a message with an id.
    pub(crate) async fn say_with(&mut self, id: &str, kind: &str, data: Value) -> bool {
        self.text(envelope(kind, &data, Some(id))).await
    }

    /// The next message; `Err(close code)` at the end, 1006 for an end without a close frame.
    pub(crate) async fn next(&mut self, within: Duration) -> Result<Value, u16> {
        let until = Instant::now() + within;
        loop {
            let Ok(message) = timeout_at(until, self.socket.next()).await else {
                panic!("nothing came within {within:?}");
            };
            match message {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(1005, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// The next message of this type; others are skipped.
    pub(crate) async fn expect(&mut self, kind: &str, within: Duration) -> Value {
        self.find(kind, within, |message| message["type"] == kind).await
    }

    /// The next message that matches; others are skipped.
    pub(crate) async fn find(
        &mut self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let until = Instant::now() + within;
        let mut others = Vec::new();
        while Instant::now() < until {
            match tokio::time::timeout_at(until, self.next(within)).await {
                Ok(Ok(message)) if wanted(&message) => return message,
                Ok(Ok(message)) => others.push(message),
                Ok(Err(code)) => panic!("closed with {code} before {what}; there came {others:#?}"),
                Err(_) => break,
            }
        }
        panic!("not within {within:?}: {what}; there came {others:#?}");
    }

    /// Reads until the connection is closed and returns the close code; `None` if it is still open after the time.
    pub(crate) async fn closed(&mut self, within: Duration) -> Option<u16> {
        let until = Instant::now() + within;
        loop {
            match timeout_at(until, self.next(within + seconds(1))).await {
                Ok(Ok(_)) => {}
                Ok(Err(code)) => return Some(code),
                Err(_) => return None,
            }
        }
    }

    /// The underlying stream, for tests that misbehave.
    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        self.socket.get_mut()
    }
}

/// Formats a message as a frame.
pub(crate) fn envelope(kind: &str, data: &Value, id: Option<&str>) -> String {
    let mut envelope = json!({ "type": kind, "data": data, "timestamp": jiff::Timestamp::now().to_string() });
    if let Some(id) = id {
        envelope["messageId"] = id.into();
    }
    envelope.to_string()
}

/// A fake agent.
pub(crate) struct FakeAgent {
    /// Its connection.
    pub(crate) peer: Peer,
    /// Its node's id.
    pub(crate) id: String,
    /// Its secret.
    pub(crate) secret: String,
}

impl FakeAgent {
    /// Creates a node and connects as its agent, without sending anything.
    pub(crate) async fn join(panel: &Panel, id: &str) -> Self {
        let made = panel.admin().post("/api/nodes", json!({ "id": id })).await.expect(201).json;
        let secret = made["secret"].as_str().expect("a secret").to_owned();
        let peer = connect(&panel.agents_address(), id, &secret, None).await.expect("an upgrade");
        Self { peer, id: id.to_owned(), secret }
    }

    /// Connects again as the same node; the HTTP status if refused.
    pub(crate) async fn again(&self, panel: &Panel) -> Result<Self, u16> {
        let peer = connect(&panel.agents_address(), &self.id, &self.secret, None).await?;
        Ok(Self { peer, id: self.id.clone(), secret: self.secret.clone() })
    }

    /// Sends the introduction of a real agent: the machine, and the servers with their states.
    pub(crate) async fn introduce(&mut self, servers: &[(&str, &str)]) {
        self.peer.say("system_info", self.system_info()).await;
        let servers: Vec<Value> =
            servers.iter().map(|(id, status)| json!({ "serverId": id, "status": status })).collect();
        self.peer.say("sync", json!({ "servers": servers })).await;
    }

    fn system_info(&self) -> Value {
        json!({
            "nodeId": self.id, "os": "linux", "arch": "amd64", "memory": 4_u64 << 30, "cpu": "4 cores",
            "dockerVersion": "20.10", "networks": {}, "engine": { "available": true, "version": "20.10" },
            "capabilities": ["docker", "monitoring", "ack", "sync", "console", "stats", "install", "host-check"],
        })
    }

    /// Answers one request successfully. Requests without an answer get none.
    pub(crate) async fn oblige(&mut self, message: &Value) {
        let Some(id) = message["messageId"].as_str() else { return };
        match message["type"].as_str().unwrap_or_default() {
            "host_check" => {
                let room = json!({ "used": 1, "total": 1_u64 << 40 });
                let report = json!({ "imagePresent": true, "portsTaken": [], "memory": room, "disk": room });
                self.peer.say_with(id, "host_report", report).await;
            }
            "server_create" => {
                self.peer.say_with(id, "ack", json!({})).await;
                let server = message["data"]["serverId"].clone();
                self.peer.say("server_status", json!({ "serverId": server, "status": "stopped" })).await;
            }
            _ => drop(self.peer.say_with(id, "ack", json!({})).await),
        }
    }

    /// Creates a server on it, answering its requests.
    pub(crate) async fn server(&mut self, panel: &Panel, name: &str) -> String {
        let admin = panel.admin();
        let body = json!({ "name": name, "nodeId": self.id, "image": "example/none", "startup": "x" });
        let mut made = Box::pin(admin.post("/api/servers", body));
        let mut answer = None;
        let until = Instant::now() + seconds(15);
        loop {
            tokio::select! {
                given = &mut made, if answer.is_none() => answer = Some(given.expect(201)),
                message = self.peer.next(seconds(15)) => {
                    let message = message.expect("open");
                    self.oblige(&message).await;
                    if message["type"] == "server_create" {
                        break;
                    }
                }
            }
            assert!(Instant::now() < until, "no server_create came");
        }
        match answer {
            Some(answer) => answer.id(),
            None => made.await.expect(201).id(),
        }
    }
}

/// Connects as an agent; the HTTP status if refused. `receives` is the size of the receive buffer.
pub(crate) async fn connect(
    address: &str,
    node: &str,
    secret: &str,
    receives: Option<u32>,
) -> Result<Peer, u16> {
    let mut request = format!("ws://{address}/?nodeId={node}").into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
    request.headers_mut().insert("x-node-id", node.parse().unwrap());
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(bytes) = receives {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    let stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let _ = stream.set_nodelay(true);
    match client_async_with_config(request, stream, Some(limits())).await {
        Ok((socket, _)) => Ok(Peer { socket }),
        Err(Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(64 << 20)).max_frame_size(Some(64 << 20))
}

/// A fake panel: agents connect to it, it sends requests.
pub(crate) struct FakePanel {
    listener: TcpListener,
    /// The address agents connect to.
    pub(crate) address: String,
}

impl FakePanel {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Self { listener, address }
    }

    /// Accepts the next connection and closes it at once.
    pub(crate) async fn hang_up(&self, within: Duration) {
        drop(tokio::time::timeout(within, self.listener.accept()).await.expect("somebody dialled"));
    }

    /// Accepts the next agent, identifies as a current panel, and reads until the agent has introduced itself. An agent
    /// that offers an unsupported subprotocol connects again without it.
    pub(crate) async fn agent(&self, within: Duration) -> Peer {
        let until = Instant::now() + within;
        loop {
            let accepted = timeout_at(until, self.listener.accept()).await;
            let (stream, _) = accepted.expect("an agent came").unwrap();
            let _ = stream.set_nodelay(true);
            let socket = tokio_tungstenite::accept_async_with_config(stream, Some(limits())).await;
            let mut peer = Peer { socket: socket.expect("an upgrade") };
            let mut shown = false;
            while let Ok(message) = peer.next(seconds(20)).await {
                if message["type"] == "sync" {
                    return peer;
                }
                if message["type"] == "system_info" && !std::mem::replace(&mut shown, true) {
                    peer.say("stats_subscribe", json!({ "serverIds": [] })).await;
                }
            }
        }
    }
}
