//! A fake remote agent: it sends what the test tells it to, and acknowledges every request.

use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::harness::{Panel, seconds, until};

/// A connected fake agent. Disconnects when dropped.
pub(super) struct FakeNode {
    say: mpsc::UnboundedSender<Value>,
    asked: Arc<Mutex<Vec<Value>>>,
    closed: Arc<Mutex<Option<u16>>>,
    task: JoinHandle<()>,
}

/// What the agent reports.
#[derive(Clone)]
pub(super) struct Told {
    /// Data of `system_info`.
    pub(super) system: Value,
    /// Data of `sync`.
    pub(super) servers: Value,
    /// Data of the answers to `host_check` and `server_describe`; every other request gets an empty `ack`.
    pub(super) report: Value,
    pub(super) description: Value,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            system: json!({
                "os": "linux", "arch": "amd64", "memory": 8_u64 << 30, "cpu": "4 cores", "dockerVersion": "20.10",
                "networks": {}, "engine": { "available": true },
                "capabilities": ["docker", "monitoring", "ack", "sync", "host-check", "describe"],
            }),
            servers: json!([]),
            report: json!({
                "imagePresent": true, "portsTaken": [],
                "memory": { "used": 0, "total": 8_u64 << 30 }, "disk": { "used": 0, "total": 100_u64 << 30 },
            }),
            description: Value::Null,
        }
    }
}

impl Told {
    /// A node with this much memory.
    pub(super) fn memory(gibibytes: u64) -> Self {
        let mut told = Self::default();
        told.system["memory"] = (gibibytes << 30).into();
        told.report["memory"]["total"] = (gibibytes << 30).into();
        told
    }
}

impl FakeNode {
    /// Connects and sends `system_info`. The error is the HTTP status of the refusal.
    pub(super) async fn connect(panel: &Panel, id: &str, secret: &str, told: Told) -> Result<Self, u16> {
        let address = panel.agents_address();
        let mut request = format!("ws://{address}/").into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
        request.headers_mut().insert("x-node-id", id.parse().unwrap());
        let stream = TcpStream::connect(&address).await.unwrap();
        let socket = match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => socket,
            Err(Error::Http(answer)) => return Err(answer.status().as_u16()),
            Err(other) => panic!("{other}"),
        };
        let (say, mut said) = mpsc::unbounded_channel::<Value>();
        let (asked, closed) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(None)));
        let _ = say.send(json!({ "type": "system_info", "data": told.system }));
        let _ = say.send(json!({ "type": "sync", "data": { "servers": told.servers } }));
        let (heard, end) = (Arc::clone(&asked), Arc::clone(&closed));
        let work = async move {
            let (mut sink, mut stream) = socket.split();
            loop {
                let out = tokio::select! {
                    message = said.recv() => match message { Some(message) => message, None => return },
                    message = stream.next() => match message {
                        Some(Ok(Message::Text(text))) => {
                            let message: Value = serde_json::from_str(&text).unwrap();
                            let answer = answer(&message, &told);
                            heard.lock().unwrap().push(message);
                            match answer { Some(answer) => answer, None => continue }
                        }
                        Some(Ok(Message::Close(frame))) => {
                            *end.lock().unwrap() = Some(frame.map_or(1005, |frame| frame.code.into()));
                            continue;
                        }
                        Some(Ok(_)) => continue,
                        Some(Err(_)) | None => {
                            end.lock().unwrap().get_or_insert(1006);
                            return;
                        }
                    },
                };
                let _ = sink.send(Message::text(out.to_string())).await;
            }
        };
        #[allow(clippy::disallowed_methods, reason = "a test's own, ends with the test")]
        let task = tokio::spawn(work);
        Ok(Self { say, asked, closed, task })
    }

    /// Creates the node and connects.
    pub(super) async fn join(panel: &Panel, id: &str, told: Told) -> (Self, String) {
        let made = panel.admin().post("/api/nodes", json!({ "id": id })).await.expect(201).json;
        let secret = made["secret"].as_str().unwrap().to_owned();
        let node = Self::connect(panel, id, &secret, told).await.expect("an upgrade");
        node_is(panel, id, "online", |node| node["online"] == true && !node["system"].is_null()).await;
        (node, secret)
    }

    /// Sends a message.
    pub(super) fn say(&self, kind: &str, data: &Value) {
        let _ = self.say.send(json!({ "type": kind, "data": data }));
    }

    /// Requests of this type received so far.
    pub(super) fn asked(&self, kind: &str) -> Vec<Value> {
        self.asked.lock().unwrap().iter().filter(|message| message["type"] == kind).cloned().collect()
    }

    /// Close code of the connection; `None` while it is open.
    pub(super) fn closed(&self) -> Option<u16> {
        *self.closed.lock().unwrap()
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(message: &Value, told: &Told) -> Option<Value> {
    let id = message["messageId"].as_str()?;
    let (kind, data) = match message["type"].as_str()? {
        "host_check" => ("host_report", told.report.clone()),
        "server_describe" => ("server_description", told.description.clone()),
        _ => ("ack", json!({})),
    };
    Some(json!({ "type": kind, "data": data, "messageId": id }))
}

/// Waits until a node meets the condition.
pub(super) async fn node_is(panel: &Panel, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    until(&format!("{id}: {what}"), seconds(10), async || {
        let node = panel.admin().get(&format!("/api/nodes/{id}")).await.expect(200).json;
        wanted(&node).then_some(node)
    })
    .await
}
