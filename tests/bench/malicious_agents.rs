//! Ten malicious nodes that send as much as they can: the panel's resource usage, and the owner's response times
//! meanwhile.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_util::sync::CancellationToken;

use crate::idle::field;
use crate::panel::Panel;
use crate::report::Report;
use crate::{Result, spawn, thorough};

const NODES: usize = 10;
const SERVERS: usize = 5;
const SECRET: &str = "the liars of the benchmark";

fn resident(panel: &Panel) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", panel.pid()))?;
    Ok(field(&status, "VmRSS") / 1024.0)
}

/// The messages of one of them, each as large as allowed.
fn lies(servers: &[String], round: usize) -> Vec<String> {
    let line = |seq: usize, text: &str| {
        format!(r#"{{"seq":{seq},"time":"2026-01-01T00:00:00Z","stream":"stdout","text":"{text}"}}"#)
    };
    let mut all = Vec::new();
    for (number, id) in servers.iter().enumerate() {
        let seq = 20_000 * round;
        let long = "\\u001b[31m\\\"x".repeat(1_300);
        let lines: Vec<_> = (0..48)
            .map(|n| line(seq + n, &long))
            .chain((0..1_000).map(|n| line(seq + 48 + n, "x")))
            .collect();
        all.push(format!(
            r#"{{"type":"console_lines","data":{{"serverId":"{id}","lines":[{}]}}}}"#,
            lines.join(",")
        ));
        all.push(format!(
            r#"{{"type":"server_status","data":{{"serverId":"{id}","status":"running","error":"{number}{}"}}}}"#,
            "e".repeat(900_000)
        ));
    }
    let strangers: Vec<_> =
        (0..8_000).map(|n| format!(r#"{{"serverId":"s{round}-{n}","status":"running"}}"#)).collect();
    let own = servers.iter().map(|id| format!(r#"{{"serverId":"{id}","status":"running"}}"#));
    let sync = own.chain(strangers).collect::<Vec<_>>().join(",");
    all.push(format!(r#"{{"type":"sync","data":{{"servers":[{sync}]}}}}"#));
    all.push(format!(r#"{{"type":"ack","data":[{}]}}"#, vec![r#"{"a":[]}"#; 90_000].join(",")));
    all.push(format!(
        r#"{{"type":"system_info","data":{{"cpu":"{round}","hostname":"{}","capabilities":["ack","console","stats"]}}}}"#,
        "h".repeat(900_000)
    ));
    all
}

async fn connect(agents: &str, node: &str) -> Result<tokio_tungstenite::WebSocketStream<TcpStream>> {
    let mut request = format!("ws://{agents}/?nodeId={node}").into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {SECRET}").parse()?);
    let stream = TcpStream::connect(agents).await?;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    let info = json!({ "type": "system_info", "data": { "nodeId": node, "capabilities": ["ack", "console", "stats"] } });
    socket.send(Message::text(info.to_string())).await?;
    Ok(socket)
}

/// Sends until it is told to stop. An occasional line of 30 MB closes its connection, and it reconnects.
async fn lie(agents: String, node: String, servers: Vec<String>, stop: CancellationToken) {
    for round in 0.. {
        let Ok(socket) = connect(&agents, &node).await else { return };
        let (mut sink, mut stream) = socket.split();
        let reading = async { while let Some(Ok(_)) = stream.next().await {} };
        let talking = async {
            for part in 0..20 {
                for frame in lies(&servers, 20 * round + part) {
                    if sink.send(Message::text(frame)).await.is_err() {
                        return;
                    }
                }
            }
            let long = format!(r#"{{"type":"console_lines","data":"{}"}}"#, "x".repeat(30_000_000));
            let _ = sink.send(Message::text(long)).await;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = reading => {}
            () = talking => {}
        }
    }
}

pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let panel =
        Panel::start_with(&[("AGENT_SECRET", SECRET.to_owned()), ("WEBSOCKET_PORT", port.to_string())])
            .await?;
    let agents = format!("127.0.0.1:{port}");
    let mut nodes = Vec::new();
    for number in 0..NODES {
        let node = format!("liar-{number}");
        drop(connect(&agents, &node).await?);
        let until = Instant::now() + Duration::from_secs(10);
        while panel.call(Method::GET, &format!("/api/nodes/{node}"), None).await.is_err() {
            if Instant::now() > until {
                return Err(format!("{node} did not join").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut servers = Vec::new();
        for server in 0..SERVERS {
            let body = json!({ "name": format!("{node} {server}"), "nodeId": node, "image": "no/game", "startup": "x" });
            let made = panel.call(Method::POST, "/api/servers", Some(body)).await?;
            servers.push(made["id"].as_str().ok_or("no id")?.to_owned());
        }
        nodes.push((node, servers));
    }
    // A client that subscribes to everything.
    let mut request = format!("ws://{}/api/live", panel.address).into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {}", panel.token).parse()?);
    let stream = TcpStream::connect(&panel.address).await?;
    let (mut browser, _) = tokio_tungstenite::client_async(request, stream).await?;
    let mut topics: Vec<String> =
        nodes.iter().flat_map(|(_, ids)| ids.iter().map(|id| format!("console:{id}"))).collect();
    topics.extend(["servers".to_owned(), "nodes".to_owned()]);
    browser.send(Message::text(json!({ "subscribe": topics }).to_string())).await?;
    spawn(async move { while let Some(Ok(_)) = browser.next().await {} });
    let before = resident(&panel)?;

    let stop = CancellationToken::new();
    for (node, servers) in nodes {
        spawn(lie(agents.clone(), node, servers, stop.clone()));
    }
    let took = Duration::from_secs(if thorough() { 60 } else { 10 });
    let (began, mut worst, mut most) = (Instant::now(), Duration::ZERO, 0.0);
    while began.elapsed() < took {
        for path in ["/api/me", "/api/servers", "/api/nodes"] {
            let asked = Instant::now();
            panel.call(Method::GET, path, None).await?;
            worst = worst.max(asked.elapsed());
            most = f64::max(most, resident(&panel)? - before);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.cancel();
    report.row("ten lying nodes: memory more", "MB", most, 64.0, None);
    report.row("ten lying nodes: the owner's worst answer", "ms", worst.as_secs_f64() * 1e3, 1000.0, None);
    panel.stop().await
}
