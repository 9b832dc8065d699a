//! JSON and MessagePack: negotiation, and what the panel shows about the link.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::process::AgentProcess;
use super::raw_agent::{self, RawAgent};
use super::{has_problem, node_where};
use crate::harness::{Panel, raw, seconds};

const OFFER: &str = "ctrl-alt-play.json, ctrl-alt-play.msgpack";

#[tokio::test]
async fn the_panel_chooses_what_is_offered() {
    let panel = Panel::start().await;
    let secret = raw_agent::node(&panel, "attic").await;
    let address = panel.agents_address();
    for (offer, chosen) in [
        (Some(OFFER), Some("ctrl-alt-play.msgpack")),
        (Some("ctrl-alt-play.json"), Some("ctrl-alt-play.json")),
        (None, None),
    ] {
        let mut request = RawAgent::connect(&address, "attic", &secret, offer).await;
        let Ok(agent) = &mut request else { panic!("{offer:?}") };
        assert_eq!(agent.chosen.as_deref(), chosen, "{offer:?}");
        if chosen == Some("ctrl-alt-play.msgpack") {
            let hello = rmp_serde::to_vec_named(&raw_agent::hello("attic")).unwrap();
            agent.socket.send(Message::binary(hello)).await.unwrap();
            let odd = rmp_serde::to_vec_named(&json!({ "type": "tea", "messageId": "7" })).unwrap();
            agent.socket.send(Message::binary(odd)).await.unwrap();
            // Text frames are JSON on every link.
            agent.say(&json!({ "type": "coffee", "messageId": "8" })).await;
            let mut answers = Vec::new();
            while answers.len() < 2 {
                if let Some(Message::Binary(bytes)) = agent.frame(seconds(10)).await {
                    let message: Value = rmp_serde::from_slice(&bytes).unwrap();
                    if message["type"] == "error" {
                        assert_eq!(message["data"]["code"], "UNKNOWN_TYPE");
                        answers.push(message["messageId"].clone());
                    }
                }
            }
            assert_eq!(answers, ["7", "8"]);
            let node = node_where(&panel, "attic", "it is told", |node| node["encoding"] == "msgpack").await;
            assert_eq!((&node["secure"], &node["system"]["memory"]), (&json!(false), &json!(1_u64 << 30)));
        }
        drop(request);
    }
    // No known subprotocol is offered: the panel names none, and the agent decides whether to go on.
    let upgrade = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\nX-Node-Id: attic\r\nAuthorization: Bearer {secret}\r\n\r\n"
    );
    let head = raw::exchange_head(&address, upgrade.as_bytes(), seconds(5)).await.to_ascii_lowercase();
    assert!(
        raw::status(&head) == 101 && !head.contains("websocket-protocol") && !head.contains("extensions"),
        "{head}"
    );
}

#[tokio::test]
async fn the_agent_does_without_where_a_panel_names_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let env = [
        ("PANEL_URL", url.as_str()),
        ("AGENT_SECRET", "a shared secret of ours"),
        ("LINK_TIMES", "first_wait=50"),
    ];
    let _agent = AgentProcess::start(&env);
    let mut offers = Vec::new();
    // The client library refuses the answer. The agent retries at once without a subprotocol, and after a pause without
    // one again.
    for round in 0..3 {
        let accepted = tokio::time::timeout(seconds(10), listener.accept()).await.expect("it dials").unwrap();
        let mut offer = None;
        #[allow(clippy::result_large_err, reason = "the library's own type")]
        let look = |request: &Request, answer: Response| {
            offer =
                request.headers().get("sec-websocket-protocol").map(|name| name.to_str().unwrap().to_owned());
            assert_eq!(request.uri().to_string(), "/?nodeId=node-1");
            Ok(answer)
        };
        let socket = tokio_tungstenite::accept_hdr_async(accepted.0, look).await;
        offers.push(offer);
        if round > 0 {
            let mut socket = socket.unwrap();
            let first = tokio::time::timeout(seconds(10), socket.next()).await.unwrap().unwrap().unwrap();
            let message: Value = serde_json::from_str(first.to_text().unwrap()).unwrap();
            assert_eq!(message["type"], "system_info");
            assert_eq!(message["data"]["nodeId"], "node-1");
        }
    }
    assert_eq!(offers, [Some(OFFER.to_owned()), None, None]);
}

#[tokio::test]
async fn a_link_tells_how_it_does() {
    let panel = Panel::builder().env("LINK_TIMES", "ping=100").start().await;
    let secret = raw_agent::node(&panel, "attic").await;
    let env = [
        ("PANEL_URL", format!("ws://{}", panel.agents_address())),
        ("NODE_ID", "attic".to_owned()),
        ("AGENT_SECRET", secret),
    ];
    let env: Vec<_> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let _agent = AgentProcess::start(&env);
    let node = node_where(&panel, "attic", "a ping came back", |node| node["latencyMs"].is_number()).await;
    assert!(node["latencyMs"].as_f64().unwrap() < 2000.0, "{node}");
    assert!(node["clockSkewMs"].as_i64().unwrap().abs() < 2000, "{node}");
    assert_eq!((&node["encoding"], &node["secure"]), (&json!("msgpack"), &json!(false)));
    assert!(!has_problem(&node, "clock_skew"));
    let jo = panel.user("jo").await;
    let seen = jo.get("/api/nodes/attic").await.expect(200).json;
    assert!(seen.get("latencyMs").is_none() && seen.get("encoding").is_none(), "{seen}");
}

#[tokio::test]
async fn a_clock_that_is_two_hours_off_is_told_and_changes_nothing_else() {
    let panel = Panel::builder().env("LINK_TIMES", "ping=100").start().await;
    let secret = raw_agent::node(&panel, "attic").await;
    let address = panel.agents_address();
    let mut agent = RawAgent::connect(&address, "attic", &secret, None).await.unwrap();
    let then = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(2);
    let mut hello = raw_agent::hello("attic");
    hello["timestamp"] = json!(then.to_string());
    agent.say(&hello).await;
    let node = node_where(&panel, "attic", "it is told", |node| has_problem(node, "clock_skew")).await;
    let skew = node["clockSkewMs"].as_i64().unwrap();
    assert!((skew + 7_200_000).abs() < 5000, "{skew}");
    assert_eq!(node["online"], true);
    let heard: jiff::Timestamp = node["lastSeen"].as_str().unwrap().parse().unwrap();
    assert!(heard.duration_since(then) > jiff::SignedDuration::from_hours(1), "our clock counts");
    // A minute later, someone has set it.
    for _ in 0..3 {
        let now = jiff::Timestamp::now().to_string();
        agent.say(&json!({ "type": "heartbeat", "data": { "nodeId": "attic" }, "timestamp": now })).await;
    }
    node_where(&panel, "attic", "it is right again", |node| !has_problem(node, "clock_skew")).await;
}
