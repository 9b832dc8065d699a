//! An agent that sends far too much: others are not affected, and memory does not grow.

use std::time::{Duration, Instant};

use futures_util::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::node_where;
use super::raw_agent::{self, RawAgent};
use crate::harness::{Panel, seconds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::disallowed_methods, reason = "the flood must not hold up those who measure it")]
async fn a_flood_of_statuses_delays_nobody_and_takes_no_memory() {
    let panel = Panel::builder().env("LOG_LEVEL", "info").start().await;
    let (loud, calm) = (raw_agent::node(&panel, "loud").await, raw_agent::node(&panel, "calm").await);
    let mut loud = RawAgent::join(&panel, "loud", &loud).await;
    let mut calm = RawAgent::join(&panel, "calm", &calm).await;
    node_where(&panel, "calm", "both are here", |node| node["online"] == true).await;
    let (before, lines) = (panel.resident(), panel.log().lines().count());
    let kinds = ["server_status", "tea", "error"];
    let flood = tokio::spawn(async move {
        let mut sent = 0_u64;
        loop {
            let kind = kinds[usize::try_from(sent % 3).unwrap()];
            let id = sent % 7;
            let data =
                json!({ "serverId": format!("s{id}"), "status": "running", "code": "x", "message": "y" });
            let frame = Message::text(json!({ "type": kind, "data": data }).to_string());
            if loud.socket.feed(frame).await.is_err() {
                panic!("closed, where slowing down was enough");
            }
            sent += 1;
        }
    });
    let others = async {
        let mut slowest = Duration::ZERO;
        let end = Instant::now() + seconds(4);
        while Instant::now() < end {
            let began = Instant::now();
            calm.say(&json!({ "type": "coffee", "messageId": "1" })).await;
            calm.wait_for("error", seconds(10)).await;
            panel.anonymous().get("/health").await.expect(200);
            slowest = slowest.max(began.elapsed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        slowest
    };
    let slowest = tokio::select! {
        ended = flood => panic!("{ended:?}"),
        slowest = others => slowest,
    };
    assert!(slowest < seconds(2), "{slowest:?}");
    let grown = panel.resident().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes");
    let said = panel.log().lines().count() - lines;
    assert!(said < 20, "{said} lines in the log:\n{}", panel.log());
}

#[tokio::test]
async fn depth_and_garbage_are_survived() {
    const LEVELS: usize = 30_000;
    let panel = Panel::start().await;
    let secret = raw_agent::node(&panel, "attic").await;
    let offer = Some("ctrl-alt-play.msgpack");
    let mut agent = RawAgent::connect(&panel.agents_address(), "attic", &secret, offer).await.unwrap();
    // Before `system_info`, a message may be nested as deep as 64 KiB allow.
    let json = format!(r#"{{"type":"sync","data":{}{}}}"#, "[".repeat(LEVELS), "]".repeat(LEVELS));
    let mut packed = b"\x82\xa4type\xa4sync\xa4data".to_vec();
    packed.extend(std::iter::repeat_n(0x91, LEVELS));
    let odd = [
        Message::text(json),
        Message::binary(packed),
        Message::text("not json"),
        Message::text("[]"),
        Message::binary(vec![0xc1; 100]),
        Message::binary(b"\xdd\xff\xff\xff\xff".to_vec()),
        Message::text(r#"{"type":5}"#),
        Message::binary(Vec::new()),
    ];
    for message in odd.clone() {
        agent.socket.send(message).await.unwrap();
    }
    let hello = rmp_serde::to_vec_named(&raw_agent::hello("attic")).unwrap();
    agent.socket.send(Message::binary(hello)).await.unwrap();
    node_where(&panel, "attic", "it is heard all the same", |node| node["encoding"] == "msgpack").await;
    let deep = format!(r#"{{"type":"sync","data":{}}}"#, "[".repeat(1 << 20));
    let wide = format!(r#"{{"type":"sync","data":[0{}]}}"#, ",0".repeat(4 << 20));
    let before = panel.resident();
    for message in odd.into_iter().chain([Message::text(deep), Message::text(wide)]) {
        agent.socket.send(message).await.unwrap();
    }
    let mut answers = 0;
    while answers < 10 {
        if let Some(Message::Binary(bytes)) = agent.frame(seconds(20)).await {
            let message: serde_json::Value = rmp_serde::from_slice(&bytes).unwrap();
            if message["type"] == "error" {
                assert_eq!(message["data"]["code"], "BAD_MESSAGE");
                assert!(message["data"]["message"].as_str().unwrap().len() < 1024);
                answers += 1;
            }
        }
    }
    let grown = panel.resident().saturating_sub(before);
    assert!(grown < 48 << 20, "{grown} bytes");
    panel.anonymous().get("/health").await.expect(200);
}
