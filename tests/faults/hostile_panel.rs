//! A compromised panel: excessive requests are refused, cost the agent bounded memory, and do not affect that machine.

use std::time::Instant;

use serde_json::json;

use crate::harness::fake::{FakePanel, Peer, envelope};
use crate::harness::node::Node;
use crate::harness::{long, seconds};

/// Most memory that it may cost.
const MOST: u64 = 96 << 20;

fn resident(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

async fn answered(peer: &mut Peer, id: &str) -> serde_json::Value {
    peer.find(&format!("the answer to {id}"), seconds(20), |message| message["messageId"] == id).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_asks_without_measure_is_refused() {
    let panel = FakePanel::new().await;
    let node = Node::builder().start(&panel.address, "prey", "secret");
    let mut peer = panel.agent(seconds(30)).await;
    let before = resident(&node);
    let mut most = 0;
    let deep = format!("{}{}", "[".repeat(400_000), "]".repeat(400_000));
    let variables = (0..200_000).map(|n| format!(r#""V{n}":"x""#)).collect::<Vec<_>>().join(",");
    let ports = vec![r#"{"internal":1,"external":1,"protocol":"tcp"}"#; 300_000].join(",");
    let wide = vec!["[]"; 3_000_000].join(",");
    let create = |more: &str| format!(r#"{{"serverId":"a","image":"busybox",{more}}}"#);
    let asks = [
        ("server_create", create(&format!(r#""environment":{{{variables}}}"#))),
        ("server_create", create(&format!(r#""environment":{{"A":"{}"}}"#, "x".repeat(20_000_000)))),
        ("server_create", create(&format!(r#""environment":{{"A":"{}"}}"#, "x".repeat(300_000)))),
        ("server_create", create(&format!(r#""ports":[{ports}]"#))),
        ("server_create", create(&format!(r#""startup":"{}""#, "x".repeat(900_000)))),
        ("server_create", create(&format!(r#""unknown":[{wide}]"#))),
        ("server_update", create(&format!(r#""ports":[{ports}]"#))),
        ("server_command", format!(r#"{{"serverId":"a","command":"{}"}}"#, "x".repeat(900_000))),
        ("file_write", format!(r#"{{"serverId":"a","path":"x","content":"{}"}}"#, "x".repeat(20_000_000))),
        ("file_read", format!(r#"{{"serverId":"a","path":"{}"}}"#, "x".repeat(900_000))),
        ("stats_subscribe", format!(r#"{{"serverIds":[{}]}}"#, vec![r#""a""#; 30_000].join(","))),
        ("host_check", format!(r#"{{"ports":[{ports}]}}"#)),
        ("console_tail", format!(r#"{{"serverId":"{}","tail":4294967295}}"#, "a".repeat(500_000))),
        (
            "upgrade_receive",
            format!(
                r#"{{"version":"{0}","size":1,"sha256":"{0}","transferId":"x","token":"x"}}"#,
                "x".repeat(90_000)
            ),
        ),
    ];
    for (number, (kind, data)) in asks.iter().enumerate() {
        for (order, text) in [
            format!(r#"{{"type":"{kind}","messageId":"{number}-0","data":{data}}}"#),
            format!(r#"{{"data":{data},"messageId":"{number}-1","type":"{kind}"}}"#),
        ]
        .into_iter()
        .enumerate()
        {
            assert!(peer.text(text).await, "{kind} ended the connection");
            let answer = answered(&mut peer, &format!("{number}-{order}")).await;
            assert_eq!(answer["type"], "error", "{kind} {number}: {answer}");
            assert!(answer.to_string().len() < 2048, "{answer}");
            most = most.max(resident(&node).saturating_sub(before));
        }
    }
    // Nested deeper than any message: no reply has an id, and the link stays open.
    for kind in ["server_create", "command", "no_such_type"] {
        peer.text(format!(r#"{{"type":"{kind}","data":{deep}}}"#)).await;
        peer.text(format!(r#"{{"type":"{kind}","id":"x","action":"create_server","serverId":"a","payload":{{"environment":{{{variables}}}}}}}"#))
            .await;
    }
    peer.say_with("fine", "system_info_request", json!({})).await;
    let answer = answered(&mut peer, "fine").await;
    assert_eq!(answer["type"], "system_info", "{answer}");
    most = most.max(resident(&node).saturating_sub(before));
    println!("a hostile panel: {} MiB more", most >> 20);
    assert!(most < MOST, "{} MiB", most >> 20);
    assert!(!node.log().contains("panicked"));
    assert!(node.log().len() < 400_000, "{} bytes of log", node.log().len());
}

/// Endless requests, whose replies are read slowly or never.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_without_end_are_taken_as_fast_as_they_are_answered() {
    let panel = FakePanel::new().await;
    let node = Node::builder().start(&panel.address, "prey", "secret");
    let mut peer = panel.agent(seconds(30)).await;
    let before = resident(&node);
    let text = "x".repeat(3 << 20);
    let took = if long() { seconds(20) } else { seconds(4) };
    let (began, mut sent, mut most) = (Instant::now(), 0, 0);
    let check = json!({ "image": "busybox", "ports": [] });
    while began.elapsed() < took {
        for n in 0..20 {
            let id = format!("{sent}-{n}");
            let (kind, data) = match n % 5 {
                0 => ("host_check", check.clone()),
                1 => ("file_write", json!({ "serverId": "a", "path": "x", "content": text })),
                2 => ("console_subscribe", json!({ "serverId": id, "after": 5, "last": [1, 2, 3] })),
                3 => ("system_info_request", json!({})),
                _ => ("server_start", json!({ "serverId": id })),
            };
            let frame = envelope(kind, &data, Some(&id));
            // The test does not read meanwhile.
            if tokio::time::timeout(seconds(1), peer.text(frame)).await != Ok(true) {
                break;
            }
        }
        sent += 1;
        most = most.max(resident(&node).saturating_sub(before));
    }
    println!("requests without end: {sent} rounds, {} MiB more", most >> 20);
    assert!(sent > 2);
    assert!(most < MOST, "{} MiB", most >> 20);
    assert!(node.log().len() < 4_000_000, "{} bytes of log", node.log().len());
    // The agent reconnects and works normally.
    drop(peer);
    let mut peer = panel.agent(seconds(60)).await;
    peer.say_with("fine", "system_info_request", json!({})).await;
    answered(&mut peer, "fine").await;
}
