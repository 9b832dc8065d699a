//! Limits for agents: too much before `system_info`, too much at once, silence, and not reading.

use std::time::Duration;

use futures_util::SinkExt;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::node_where;
use super::raw_agent::{self, RawAgent};
use crate::harness::{Panel, seconds};

#[tokio::test]
async fn too_long_is_1009_and_takes_no_memory() {
    let panel = Panel::start().await;
    let secret = raw_agent::node(&panel, "attic").await;
    let address = panel.agents_address();
    let long =
        |bytes: usize| Message::text(format!("{{\"type\":\"heartbeat\",\"x\":\"{}\"}}", "x".repeat(bytes)));
    let before = panel.resident();
    // Before `system_info`: slightly too large, and far too large.
    for bytes in [65 << 10, 20 << 20] {
        let mut agent = RawAgent::connect(&address, "attic", &secret, None).await.unwrap();
        let _ = agent.socket.send(long(bytes)).await;
        let code = agent.closed(seconds(15)).await;
        // A client that is still sending when the close arrives may get a reset instead.
        assert!(code == 1009 || (bytes > 1 << 20 && code == 1006), "{bytes}: {code}");
        node_where(&panel, "attic", "it is gone", |node| node["online"] == false).await;
    }
    let grown = panel.resident().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes for a message that nobody may send");
    // Many small messages before `system_info` are allowed, and large ones after it.
    let mut agent = RawAgent::connect(&address, "attic", &secret, None).await.unwrap();
    for _ in 0..100 {
        agent.socket.send(long(2000)).await.unwrap();
    }
    agent.hello("attic").await;
    agent.socket.send(long(20 << 20)).await.unwrap();
    agent.say(&json!({ "type": "tea", "messageId": "1" })).await;
    agent.wait_for("error", seconds(20)).await;
    let _ = agent.socket.send(long(33 << 20)).await;
    let code = agent.closed(seconds(20)).await;
    assert!(matches!(code, 1009 | 1006), "{code}");
    panel.anonymous().get("/health").await.expect(200);
}

#[tokio::test]
async fn silence_ends_a_link_and_a_quiet_elder_is_offline_but_not_closed() {
    let panel = Panel::builder().env("LINK_TIMES", "ping=200,silence=1000,quiet=700").start().await;
    let (ours, legacy) = (raw_agent::node(&panel, "ours").await, raw_agent::node(&panel, "legacy").await);
    let mut silent = RawAgent::join(&panel, "ours", &ours).await;
    node_where(&panel, "ours", "it is online", |node| node["online"] == true).await;
    // The test does not read, so the agent sends no pongs.
    node_where(&panel, "ours", "it is gone", |node| node["online"] == false).await;
    silent.closed(seconds(10)).await;
    // An agent that reads and answers pings stays connected.
    let mut lively = RawAgent::join(&panel, "ours", &ours).await;
    let until = tokio::time::Instant::now() + Duration::from_millis(2500);
    while let Ok(message) =
        tokio::time::timeout_at(until, futures_util::StreamExt::next(&mut lively.socket)).await
    {
        assert!(matches!(message, Some(Ok(_))), "{message:?}");
    }
    node_where(&panel, "ours", "it is online still", |node| node["online"] == true).await;
    // A legacy agent: offline when it is silent, and online with its next message on the same connection.
    let mut agent = RawAgent::connect(&panel.agents_address(), "legacy", &legacy, None).await.unwrap();
    agent
        .say(&json!({ "type": "system_info", "data": { "nodeId": "legacy", "capabilities": ["docker"] } }))
        .await;
    node_where(&panel, "legacy", "it is online", |node| node["online"] == true).await;
    node_where(&panel, "legacy", "it is quiet", |node| node["online"] == false).await;
    agent.say(&json!({ "type": "heartbeat", "data": { "nodeId": "legacy" } })).await;
    node_where(&panel, "legacy", "it is back", |node| node["online"] == true).await;
}

/// An agent that keeps sending and never reads, so the pongs for the panel's pings never come.
#[tokio::test]
async fn whoever_never_reads_is_closed() {
    let panel = Panel::builder().env("LINK_TIMES", "ping=200,silence=1500,blocked=1000").start().await;
    let secret = raw_agent::node(&panel, "attic").await;
    let mut agent = RawAgent::join(&panel, "attic", &secret).await;
    let speaking = async {
        loop {
            agent.say(&json!({ "type": "heartbeat", "data": { "nodeId": "attic" } })).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = speaking => {}
        _ = node_where(&panel, "attic", "it is closed", |node| node["online"] == false) => {}
    }
}

#[tokio::test]
async fn a_thousand_half_open_connections_keep_no_agent_out() {
    raise_file_limit();
    let panel = Panel::start().await;
    let secret = raw_agent::node(&panel, "attic").await;
    let address = panel.agents_address();
    let mut held = Vec::new();
    for number in 0..1000 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        // Silent, half a TLS hello, half a request.
        let bytes: &[u8] = [&b""[..], b"\x16\x03\x01", b"GET / HT"][number % 3];
        stream.write_all(bytes).await.unwrap();
        held.push(stream);
    }
    let began = std::time::Instant::now();
    let mut agent = RawAgent::join(&panel, "attic", &secret).await;
    assert!(began.elapsed() < seconds(5), "{:?}", began.elapsed());
    // More than the limit: the oldest connections are closed, but not the agent's.
    for _ in 0..1500 {
        held.push(TcpStream::connect(&address).await.unwrap());
    }
    let other = raw_agent::node(&panel, "barn").await;
    RawAgent::join(&panel, "barn", &other).await;
    agent.say(&json!({ "type": "tea", "messageId": "1" })).await;
    agent.wait_for("error", seconds(10)).await;
    // All of them are closed after their timeout.
    for stream in &mut held {
        let end = tokio::time::timeout(seconds(20), async {
            let mut buffer = [0; 256];
            while tokio::io::AsyncReadExt::read(stream, &mut buffer).await.unwrap_or(0) > 0 {}
        });
        end.await.expect("dropped by its deadline");
    }
}

fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum.map_or(Some(16_384), |maximum| Some(maximum.min(16_384)));
    setrlimit(Resource::Nofile, limit).unwrap();
}
