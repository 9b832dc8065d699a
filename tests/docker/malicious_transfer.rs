//! A node that sends invalid data when a server is transferred from it.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::beside;
use crate::harness::{Panel, docker, free_port, seconds, until};

type Socket = WebSocketStream<TcpStream>;

/// Connects as the node `evil`.
async fn dial(panel: &str, path: &str, secret: &str, token: Option<&str>) -> Result<Socket, u16> {
    let mut request = format!("ws://{panel}{path}?nodeId=evil").into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
    if let Some(token) = token {
        request.headers_mut().insert("x-transfer-token", token.parse().unwrap());
    }
    let stream = TcpStream::connect(panel).await.unwrap();
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

/// Name of the case, the frames, and the reported end of the transfer.
type Told = (&'static str, Vec<Vec<u8>>, Option<Value>);

/// What the malicious node sends when it is asked for a server's folder.
#[derive(Clone, Debug)]
struct Lie {
    /// Frames of the stream.
    frames: Vec<Vec<u8>>,
    /// What it reports about them at the end.
    done: Option<Value>,
}

/// Behaves like an agent in every other respect.
async fn liar(panel: String, secret: String, lie: Lie) {
    let mut socket = dial(&panel, "/", &secret, None).await.unwrap();
    let say = |kind: &str, id: Option<&Value>, data: Value| {
        let mut envelope = json!({ "type": kind, "data": data, "timestamp": "2026-01-01T00:00:00Z" });
        if let Some(id) = id {
            envelope["messageId"] = id.clone();
        }
        Message::text(envelope.to_string())
    };
    let info = json!({ "nodeId": "evil", "os": "linux", "arch": "amd64", "engine": { "available": true },
                       "capabilities": ["docker", "ack", "sync", "transfer", "host-check"] });
    socket.send(say("system_info", None, info)).await.unwrap();
    socket.send(say("sync", None, json!({ "servers": [] }))).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let asked: Value = serde_json::from_str(&text).unwrap();
        let (id, data) = (&asked["messageId"], &asked["data"]);
        let answer = match asked["type"].as_str().unwrap() {
            "transfer_measure" => say("transfer_size", Some(id), json!({ "bytes": 100_000, "entries": 50 })),
            "host_check" => say(
                "host_report",
                Some(id),
                json!({ "imagePresent": true, "portsTaken": [],
                "memory": { "used": 0, "total": 1 }, "disk": { "used": 0, "total": 1_u64 << 40 } }),
            ),
            "server_create" => {
                let status = json!({ "serverId": data["serverId"], "status": "stopped" });
                socket.send(say("server_status", None, status)).await.unwrap();
                say("ack", Some(id), json!({}))
            }
            "server_power" => {
                let refusal = json!({ "code": "not_running", "message": "It is not running." });
                say("error", Some(id), refusal)
            }
            "transfer_send" => {
                let (panel, secret, lie, ticket) = (panel.clone(), secret.clone(), lie.clone(), data.clone());
                drop(beside(async move { send(&panel, &secret, &ticket, lie).await }));
                say("ack", Some(id), json!({}))
            }
            _ if id.is_string() => say("ack", Some(id), json!({})),
            _ => continue,
        };
        if socket.send(answer).await.is_err() {
            return;
        }
    }
}

async fn send(panel: &str, secret: &str, ticket: &Value, lie: Lie) {
    let path = format!("/transfer/{}", ticket["transferId"].as_str().unwrap());
    let token = ticket["token"].as_str().unwrap();
    for (path, token, status) in [
        (path.as_str(), None, 401),
        (path.as_str(), Some("0000"), 401),
        (path.as_str(), Some(secret), 401),
        ("/transfer/abcdefgh", Some(token), 404),
    ] {
        assert_eq!(dial(panel, path, secret, token).await.err(), Some(status), "{path}");
    }
    assert_eq!(dial(panel, &path, "wrong", Some(token)).await.err(), Some(401));
    let mut socket = dial(panel, &path, secret, Some(token)).await.unwrap();
    assert_eq!(dial(panel, &path, secret, Some(token)).await.err(), Some(404), "a token opens once");
    for frame in lie.frames {
        if socket.send(Message::binary(frame)).await.is_err() {
            return;
        }
    }
    if let Some(done) = lie.done {
        let _ = socket.send(Message::text(json!({ "type": "done", "data": done }).to_string())).await;
    }
    while let Some(Ok(_)) = socket.next().await {}
}

/// An entry of a tar stream.
fn entry(kind: u8, name: &str, link: &str, mode: u32, data: &[u8]) -> Vec<u8> {
    let mut head = vec![0_u8; 512];
    head[..name.len()].copy_from_slice(name.as_bytes());
    head[100..108].copy_from_slice(format!("{mode:07o}\0").as_bytes());
    head[108..124].copy_from_slice(b"0000000\x000000000\x00");
    head[124..136].copy_from_slice(format!("{:011o}\0", data.len()).as_bytes());
    head[136..148].copy_from_slice(b"00000000001\0");
    head[156] = kind;
    head[157..157 + link.len()].copy_from_slice(link.as_bytes());
    head[257..265].copy_from_slice(b"ustar  \0");
    head[148..156].copy_from_slice(b"        ");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    head.extend_from_slice(data);
    head.resize(head.len().div_ceil(512) * 512, 0);
    head
}

#[tokio::test]
async fn a_liars_folder_is_refused_and_nothing_else_is_touched() {
    docker::image().await;
    let panel = Panel::builder().env("WEBSOCKET_PORT", free_port().to_string()).start().await;
    let admin = panel.admin();
    let secret = admin.post("/api/nodes", json!({ "id": "evil" })).await.expect(201).json["secret"].clone();
    let secret = secret.as_str().unwrap().to_owned();
    let canary = panel.folder().join("servers/canary");
    std::fs::create_dir_all(&canary).unwrap();
    std::fs::write(canary.join("world"), "alive").unwrap();
    let end = vec![0_u8; 1024];
    let honest = json!({ "bytes": 4, "entries": 1, "sha256": "0".repeat(64) });
    let lies: Vec<Told> = vec![
        ("up", vec![entry(b'0', "../canary/world", "", 0o644, b"evil"), end.clone()], Some(honest.clone())),
        (
            "absolute",
            vec![entry(b'0', "/tmp/cap-evil", "", 0o644, b"evil"), end.clone()],
            Some(honest.clone()),
        ),
        (
            "through a link",
            vec![
                entry(b'2', "a", "../canary", 0o777, b""),
                entry(b'0', "a/world", "", 0o644, b"evil"),
                end.clone(),
            ],
            Some(honest.clone()),
        ),
        (
            "second name",
            vec![entry(b'1', "a", "../canary/world", 0o644, b""), end.clone()],
            Some(honest.clone()),
        ),
        ("device", vec![entry(b'3', "a", "", 0o666, b""), end.clone()], Some(honest.clone())),
        ("setuid", vec![entry(b'0', "a", "", 0o4755, b"evil"), end.clone()], Some(honest.clone())),
        ("another hash", vec![entry(b'0', "a", "", 0o644, b"evil"), end.clone()], Some(honest.clone())),
        ("too much", vec![entry(b'0', "a", "", 0o644, &vec![7; 200_000])], None),
        ("a frame too large", vec![vec![0; 300_000]], None),
        ("no end", vec![entry(b'0', "a", "", 0o644, b"evil")], Some(honest)),
    ];
    for (case, frames, done) in lies {
        let lying = beside(liar(panel.agents_address(), secret.clone(), Lie { frames, done }));
        until("the liar is online", seconds(10), async || {
            (admin.get("/api/nodes/evil").await.json["online"] == true).then_some(())
        })
        .await;
        let body = json!({ "name": case, "nodeId": "evil", "image": docker::BUSYBOX });
        let id = admin.post("/api/servers", body).await.expect(201).id();
        let path = format!("/api/servers/{id}");
        until("it is stopped", seconds(10), async || {
            (admin.get(&path).await.json["status"] == "stopped").then_some(())
        })
        .await;
        admin.post(&format!("{path}/move"), json!({ "nodeId": "local" })).await.expect(202);
        let failed = until(case, seconds(30), async || {
            let moving = admin.get(&format!("{path}/move")).await.expect(200).json;
            assert_ne!(moving["step"], "done", "{case}: {moving}");
            (moving["step"] == "failed").then_some(moving)
        })
        .await;
        assert!(failed["error"].as_str().is_some_and(|why| why.len() > 20), "{case}: {failed}");
        assert_eq!(admin.get(&path).await.json["nodeId"], "evil", "{case}");
        until("nothing is left of it", seconds(10), async || {
            let names = std::fs::read_dir(panel.folder().join("servers")).unwrap();
            (names.count() == 1).then_some(())
        })
        .await;
        assert_eq!(std::fs::read_to_string(canary.join("world")).unwrap(), "alive", "{case}");
        assert_eq!(std::fs::read_dir(&canary).unwrap().count(), 1, "{case}");
        assert!(!std::path::Path::new("/tmp/cap-evil").exists(), "{case}");
        admin.delete(&format!("{path}?force=true")).await.expect(204);
        lying.abort();
        until("the liar is offline", seconds(10), async || {
            (admin.get("/api/nodes/evil").await.json["online"] == false).then_some(())
        })
        .await;
    }
}
