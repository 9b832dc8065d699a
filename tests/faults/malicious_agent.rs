//! An authenticated but malicious agent: it can only affect its own servers, and what it sends is bounded.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::panel;
use crate::docker::beside;
use crate::harness::fake::FakeAgent;
use crate::harness::{Panel, seconds, until};

/// Most memory that the panel may use because of one of them.
const MOST: u64 = 64 << 20;

async fn shown(panel: &Panel, server: &str) -> Value {
    panel.admin().get(&format!("/api/servers/{server}")).await.expect(200).json
}

async fn still_online(panel: &Panel, id: &str) -> bool {
    panel.admin().get(&format!("/api/nodes/{id}")).await.expect(200).json["online"] == true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_word_counts_for_its_own_servers_only() {
    let panel = panel().await;
    let mut honest = FakeAgent::join(&panel, "honest").await;
    honest.introduce(&[]).await;
    let theirs = honest.server(&panel, "Theirs").await;
    honest.peer.say("server_status", json!({ "serverId": theirs, "status": "running" })).await;
    let mut liar = FakeAgent::join(&panel, "liar").await;
    liar.introduce(&[]).await;
    let own = liar.server(&panel, "Own").await;
    until("it runs", seconds(5), async || {
        (shown(&panel, &theirs).await["status"] == "running").then_some(())
    })
    .await;

    let mut live = crate::harness::Live::open(&panel.admin()).await;
    live.subscribe(&[&format!("console:{theirs}"), &format!("stats:{theirs}")]).await;
    // A request to the honest agent. The malicious one knows the request's id, and replies first.
    let tail = beside({
        let (admin, path) = (panel.admin(), format!("/api/servers/{theirs}/console?tail=7"));
        async move { admin.get(&path).await }
    });
    let question = honest
        .peer
        .find("the question", seconds(10), |message| {
            message["type"] == "console_tail" && message["data"]["tail"] == 7
        })
        .await;
    let id = question["messageId"].as_str().unwrap().to_owned();
    let line = |text: &str| {
        let line = json!({ "seq": 9, "time": "2026-01-01T00:00:00Z", "stream": "stdout", "text": text });
        json!({ "serverId": theirs, "lines": [line] })
    };
    let stats = json!({ "cpu": 1.0, "memory": 666, "disk": 1, "network": { "in": 1, "out": 1 },
        "timestamp": "2026-01-01T00:00:00Z" });
    let (t, l) = (theirs.as_str(), &mut liar.peer);
    l.say_with(&id, "console_lines", line("a lie")).await;
    l.say_with(&id, "ack", json!({ "status": "crashed" })).await;
    l.say_with(&id, "error", json!({ "code": "not_found", "message": "a lie", "serverId": t })).await;
    for status in ["crashed", "stopped", "deleted", "suspended", "install_failed"] {
        l.say("server_status", json!({ "serverId": t, "status": status, "error": "a lie", "stats": stats }))
            .await;
        l.say_with(&id, "server_status", json!({ "serverId": t, "status": status })).await;
    }
    l.say("console_lines", line("a lie")).await;
    let mut reset = line("a lie");
    reset["reset"] = true.into();
    l.say("console_lines", reset).await;
    l.say("server_output", json!({ "serverId": t, "output": "a lie", "stream": "stdout" })).await;
    l.say(
        "server_stats",
        json!({ "serverId": t, "stats": stats, "cpu": 1.0, "memory": 666, "disk": 1,
        "network": { "in": 1, "out": 1 }, "timestamp": "2026-01-01T00:00:00Z" }),
    )
    .await;
    l.say("file_content", json!({ "serverId": t, "path": "a", "content": "a lie" })).await;
    l.say("sync", json!({ "servers": [{ "serverId": t, "status": "crashed" }, { "serverId": own, "status": "stopped" }] }))
        .await;
    for odd in ["../../etc", "", ".", "a/b", &"x".repeat(300), "\0"] {
        l.say("server_status", json!({ "serverId": odd, "status": "running" })).await;
        l.say("sync", json!({ "servers": [{ "serverId": odd, "status": "running" }] })).await;
    }
    // Messages about its own server are processed, so all earlier messages were too.
    l.say("server_status", json!({ "serverId": own, "status": "running" })).await;
    until("its own server is shown", seconds(5), async || {
        (shown(&panel, &own).await["status"] == "running").then_some(())
    })
    .await;
    honest.peer.say_with(&id, "console_lines", line("the truth")).await;
    let answer = tail.await.unwrap().expect(200);
    assert!(!answer.text.contains("a lie") && answer.text.contains("the truth"), "{}", answer.text);
    let server = shown(&panel, &theirs).await;
    assert_eq!((&server["status"], &server["nodeId"]), (&json!("running"), &json!("honest")), "{server}");
    assert!(!server.to_string().contains("a lie") && !server.to_string().contains("666"), "{server}");
    assert!(still_online(&panel, "honest").await);
    honest.peer.say("console_lines", line("the truth, live")).await;
    let heard = live
        .wait(seconds(5), |message| {
            assert!(
                !message.to_string().contains("a lie") && !message.to_string().contains("666"),
                "{message}"
            );
            message.to_string().contains("the truth, live").then_some(())
        })
        .await;
    assert_eq!(heard, ());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_costs_it_nothing_but_our_patience() {
    let panel = panel().await;
    let mut liar = FakeAgent::join(&panel, "liar").await;
    liar.introduce(&[]).await;
    let own = liar.server(&panel, "Own").await;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let before = panel.resident();
    let frames = [
        String::new(),
        "garbage".into(),
        "null".into(),
        "[]".into(),
        "{}".into(),
        r#"{"type":7}"#.into(),
        r#"{"type":"no_such_type","data":{}}"#.into(),
        r#"{"type":"server_status","data":7,"messageId":{"a":1},"timestamp":[]}"#.into(),
        r#"{"type":"system_info","data":"#.into(),
        deep("[", "]"),
        deep(r#"{"a":"#, "}").replace("}}", "}"),
        format!(r#"{{"type":"heartbeat","data":{}}}"#, deep("[", "]")),
        format!(r#"{{"type":"error","data":{{"code":"a","message":"b","details":{}}}}}"#, deep("[", "]")),
        format!(r#"{{"type":"{}"}}"#, "x".repeat(1 << 20)),
    ];
    for _ in 0..20 {
        for frame in &frames {
            liar.peer.text(frame.as_str()).await;
        }
    }
    liar.peer.say("server_status", json!({ "serverId": own, "status": "running" })).await;
    until("it is still heard", seconds(10), async || {
        (shown(&panel, &own).await["status"] == "running").then_some(())
    })
    .await;
    let grown = panel.resident().saturating_sub(before);
    assert!(grown < MOST, "{} MiB", grown >> 20);
    let log = panel.log();
    assert!(!log.contains("panicked") && log.len() < 100_000, "{} bytes of log", log.len());
}

/// Few bytes on the wire that would use much more in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn millions_of_small_values_are_not_taken_in() {
    let panel = panel().await;
    let mut liar = FakeAgent::join(&panel, "liar").await;
    liar.introduce(&[]).await;
    let own = liar.server(&panel, "Own").await;
    let before = panel.resident();
    for _ in 0..3 {
        for data in [format!("[{}0]", "0,".repeat(4 << 20)), format!("[{}[]]", "[],".repeat(2 << 20))] {
            liar.peer.text(format!(r#"{{"type":"heartbeat","data":{data}}}"#)).await;
            let grown = panel.resident().saturating_sub(before);
            assert!(grown < MOST, "{} MiB", grown >> 20);
        }
    }
    liar.peer.say("server_status", json!({ "serverId": own, "status": "running" })).await;
    until("it is still heard", seconds(20), async || {
        let grown = panel.resident().saturating_sub(before);
        assert!(grown < MOST, "{} MiB", grown >> 20);
        (shown(&panel, &own).await["status"] == "running").then_some(())
    })
    .await;
}

/// The header of a client's text frame of this length, masked with zeros.
fn head(length: u64) -> Vec<u8> {
    let mut head = vec![0x81, 0x80 | 127];
    head.extend(length.to_be_bytes());
    head.extend([0; 4]);
    head
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gigabyte_is_not_taken_in() {
    let panel = panel().await;
    let mut honest = FakeAgent::join(&panel, "honest").await;
    honest.introduce(&[]).await;
    let before = panel.resident();
    for (round, length) in [1_u64 << 30, 33 << 20, u64::MAX >> 1].into_iter().enumerate() {
        let id = format!("liar-{round}");
        let mut liar = FakeAgent::join(&panel, &id).await;
        liar.introduce(&[]).await;
        liar.peer.say("heartbeat", json!({ "nodeId": id })).await;
        let stream = liar.peer.stream();
        stream.write_all(&head(length)).await.unwrap();
        let part = vec![b'x'; 64 << 10];
        let mut sent = 0_u64;
        while sent < length && sent < 1 << 30 && stream.write_all(&part).await.is_ok() {
            sent += part.len() as u64;
            let grown = panel.resident().saturating_sub(before);
            assert!(grown < MOST, "{} MiB after {} MiB", grown >> 20, sent >> 20);
        }
        assert!(sent < 64 << 20, "{} MiB of {length} bytes were taken", sent >> 20);
        let mut last = Vec::new();
        let _ = tokio::time::timeout(seconds(5), stream.read_to_end(&mut last)).await;
        let close = [0x03, 0xf1];
        assert!(last.windows(2).any(|two| two == close), "closed with 1009: {last:?}");
        until("it is offline", seconds(5), async || (!still_online(&panel, &id).await).then_some(())).await;
    }
    assert!(still_online(&panel, "honest").await);
}
