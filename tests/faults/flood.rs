//! An agent that sends too much, and one that does not read: others are not affected.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::{game_on, pace, paced, panel};
use crate::docker::beside;
use crate::harness::fake::{self, FakeAgent, envelope};
use crate::harness::node::{Node, online};
use crate::harness::{long, seconds};

/// Most memory that the panel may use because of one of them.
const MOST: u64 = 64 << 20;

/// A client's text frame, masked with zeros.
fn frame(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short one");
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend(length.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_costs_neither_memory_nor_others_their_time() {
    let panel = panel().await;
    let node = Node::joined(&panel, "honest").await;
    let game = game_on(&panel, &node.id, "game").await;
    // A browser that subscribes to all servers receives the flood too.
    let mut live = crate::harness::Live::open(&panel.admin()).await;
    live.subscribe(&["servers", "nodes"]).await;
    let _reading = beside(async move { while live.next(seconds(60)).await.is_ok() {} });
    let before = panel.resident();
    let words = ["running", "stopping", "stopped", "starting"];
    // The agent does not read the error replies to unknown messages. It is closed for that in the end, and others are
    // not affected.
    let other = ["server_status", "sync", "server_output", "no_such_type"];
    let took = if long() { seconds(20) } else { seconds(3) };
    for kind in other {
        let mut liar = FakeAgent::join(&panel, &format!("loud-{kind}").replace('_', "-")).await;
        liar.introduce(&[]).await;
        let own = liar.server(&panel, "Own").await;
        let mut burst = Vec::new();
        for n in 0..1_000 {
            let status = json!({ "serverId": own, "status": words[n % 4] });
            let data = match kind {
                "sync" => json!({ "servers": [status] }),
                "server_output" => json!({ "serverId": own, "output": "another line\nand one more" }),
                _ => status,
            };
            burst.extend(frame(&envelope(kind, &data, None)));
        }
        let began = Instant::now();
        let mut sent = 0;
        let mut worst = Duration::ZERO;
        let mut most = 0;
        let stream = liar.peer.stream();
        let flood = async {
            while began.elapsed() < took {
                if stream.write_all(&burst).await.is_err() {
                    return;
                }
                sent += 1_000;
            }
        };
        let others = async {
            while began.elapsed() < took {
                let asked = Instant::now();
                game.command("are you there").await;
                worst = worst.max(asked.elapsed());
                most = most.max(panel.resident().saturating_sub(before));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::join!(flood, others);
        let rate = sent as f64 / began.elapsed().as_secs_f64();
        println!("{kind}: {rate:.0}/s taken; others' commands within {worst:?}; {} MiB more", most >> 20);
        assert!(sent > 0 && worst < seconds(2), "{kind}: a command took {worst:?}");
        assert!(most < MOST, "{kind}: {} MiB more", most >> 20);
    }
    let log = panel.log();
    assert!(log.len() < 200_000, "{} bytes of log", log.len());
    online(&panel, &node.id, true, seconds(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_never_reads_is_closed_within_its_time() {
    let panel = panel().await;
    let made = panel.admin().post("/api/nodes", json!({ "id": "deaf" })).await.expect(201).json;
    let secret = made["secret"].as_str().unwrap().to_owned();
    let peer = fake::connect(&panel.agents_address(), "deaf", &secret, Some(4 << 10)).await.unwrap();
    let mut deaf = FakeAgent { peer, id: "deaf".into(), secret };
    deaf.introduce(&[]).await;
    let own = deaf.server(&panel, "Own").await;
    deaf.peer.say("server_status", json!({ "serverId": own, "status": "running" })).await;
    let before = panel.resident();
    // It keeps sending heartbeats but does not read, so requests to it queue up.
    let line = "x".repeat(4_000);
    let callers: Vec<_> = (0..1_000)
        .map(|_| {
            let (admin, path) = (panel.admin(), format!("/api/servers/{own}/command"));
            let body = json!({ "command": line });
            beside(async move { admin.post(&path, body).await.status })
        })
        .collect();
    let began = Instant::now();
    let closed = loop {
        if !deaf.peer.say("heartbeat", json!({ "nodeId": "deaf", "status": "online" })).await {
            break true;
        }
        if began.elapsed() > paced(45) {
            break false;
        }
        tokio::time::sleep(Duration::from_millis(500) / pace()).await;
    };
    println!("closed after {:?}", began.elapsed());
    assert!(closed, "still there after {:?}", began.elapsed());
    for caller in callers {
        let status = caller.await.unwrap();
        assert!(matches!(status, 503 | 504), "{status}");
    }
    let grown = panel.resident().saturating_sub(before);
    assert!(grown < MOST, "{} MiB", grown >> 20);
}
