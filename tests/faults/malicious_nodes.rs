//! Ten malicious nodes, with every kind of message: they cost the panel bounded memory, hardly any writes, and no
//! response time; and what is shown of them is clean and short.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::panel;
use crate::docker::beside;
use crate::harness::fake::{FakeAgent, envelope};
use crate::harness::{Live, Panel, long, seconds, until};

/// Most memory that all of them together may cost.
const MOST: u64 = 64 << 20;
/// Largest response of the API, with all their data.
const MOST_ANSWERED: usize = 4 << 20;

/// Frames of a malicious node, some of them valid, as large as allowed and larger.
fn frames(servers: &[String], round: usize) -> Vec<String> {
    let big = "x".repeat(900 << 10);
    let ugly = format!("\\u001b]52;c;AAAA\\u0007\\n\\u001b[31m{}", "\\\"\\u001b[m".repeat(60 << 10));
    let id = &servers[round % servers.len()];
    let of = |kind: &str, data: String| format!(r#"{{"type":"{kind}","data":{data}}}"#);
    let line = |seq: usize, text: &str| {
        format!(r#"{{"seq":{seq},"time":"2026-01-01T00:00:00Z","stream":"stdout","text":"{text}"}}"#)
    };
    let lines = |items: &[String]| {
        of("console_lines", format!(r#"{{"serverId":"{id}","lines":[{}]}}"#, items.join(",")))
    };
    let seq = 100_000 * round;
    let many: Vec<_> = (0..9_000).map(|n| line(seq + n, "short")).collect();
    let long_ones: Vec<_> = (0..50).map(|n| line(seq + 20_000 + n, &"y".repeat(16 << 10))).collect();
    let strangers = (0..4_000).map(|n| {
        format!(r#"{{"serverId":"s{round}-{n}","status":"running","error":"{}"}}"#, "e".repeat(150))
    });
    let own = servers.iter().map(|id| {
        format!(r#"{{"serverId":"{id}","status":"w{}","error":"{}"}}"#, "o".repeat(9_000), "e".repeat(9_000))
    });
    let sync = own.chain(strangers).collect::<Vec<_>>().join(",");
    let words = vec![format!(r#""{}""#, "w".repeat(500)); 1_000].join(",");
    let problem = format!(r#"{{"code":"c","message":"{0}","hint":"{0}"}}"#, "p".repeat(10_000));
    let info = format!(
        r#"{{"nodeId":"n","os":"{0}","arch":"{0}","cpu":"{round} {0}","capabilities":["ack","console","stats",{words}],
            "hostname":"{0}","engine":{{"available":true,"error":"{0}"}},"problems":[{1}]}}"#,
        "i".repeat(30_000),
        vec![problem; 20].join(",")
    );
    let stats = r#"{"cpu":1,"memory":1,"disk":1,"network":{"in":1,"out":1},"players":{"list":["a","b"]}}"#;
    let status = |error: &str| {
        format!(r#"{{"serverId":"{id}","status":"running","error":"{error}","dataDir":"{error}"}}"#)
    };
    vec![
        lines(&[line(seq + 30_000, &ugly)]),
        lines(&[line(seq + 30_001, &big)]),
        lines(&many),
        lines(&long_ones),
        lines(&[r#"{"skipped":18446744073709551615}"#.into(), line(usize::MAX, "last")]),
        of("server_output", format!(r#"{{"serverId":"{id}","output":"{}"}}"#, "a line\\n".repeat(90_000))),
        of("server_status", status(&big[..400 << 10])),
        of("server_status", status("short")),
        of("server_stats", format!(r#"{{"serverId":"{id}","stats":{stats}}}"#)),
        of("stats_history", format!(r#"{{"serverId":"{id}","samples":[{}]}}"#, vec![stats; 5_000].join(","))),
        of(
            "node_stats",
            format!(
                r#"{{"cpu":{round},"memory":{{"used":1,"total":2}},"disk":{{"used":1,"total":2}},"timestamp":"2026-01-01T00:00:00Z"}}"#
            ),
        ),
        of("system_info", info),
        of("sync", format!(r#"{{"servers":[{sync}]}}"#)),
        of(
            "error",
            format!(
                r#"{{"code":"c{round}","message":"{big}","details":{{"a":[{}]}}}}"#,
                vec!["[]"; 9_000].join(",")
            ),
        ),
        of("progress", format!(r#"{{"percent":1e300,"text":"{big}"}}"#)),
        of("ack", format!("[{}]", vec!["0"; 400_000].join(","))),
        of("file_content", format!(r#"{{"serverId":"{id}","path":"{big}","content":"x"}}"#)),
        of("no_such_type", format!("[{}]", vec![r#"{"a":0}"#; 100_000].join(","))),
        of(
            "heartbeat",
            format!("{{{}}}", (0..60_000).map(|n| format!(r#""{n}":[]"#)).collect::<Vec<_>>().join(",")),
        ),
        of("event", format!(r#"{{"data":[{}]}}"#, vec!["[]"; 200_000].join(","))),
        "[".repeat(900 << 10),
    ]
}

struct Liar {
    agent: FakeAgent,
    servers: Vec<String>,
}

impl Liar {
    async fn new(panel: &Panel, number: usize, servers: usize) -> Self {
        let mut agent = FakeAgent::join(panel, &format!("liar-{number}")).await;
        agent.introduce(&[]).await;
        let mut ids = Vec::new();
        for server in 0..servers {
            ids.push(agent.server(panel, &format!("{number} {server}")).await);
        }
        Self { agent, servers: ids }
    }

    /// Sends frames until the time is over, and reconnects when it is closed. Returns the number of frames sent.
    async fn lie(mut self, panel: std::sync::Arc<Panel>, lies: Vec<Vec<String>>, took: Duration) -> usize {
        let began = Instant::now();
        let mut sent = 0;
        for round in 0.. {
            let too_long = (round % 4 == 3).then(|| too_long(&self.servers[0]));
            for frame in lies[round % lies.len()].iter().cloned().chain(too_long) {
                if began.elapsed() > took {
                    return sent;
                }
                // It also reads, so it is not closed for not reading.
                let open = tokio::time::timeout(took, self.agent.peer.text(frame)).await.unwrap_or(false);
                let read = tokio::time::timeout(Duration::from_millis(1), self.agent.peer.closed(took)).await;
                sent += usize::from(open);
                if !open || read.is_ok() {
                    let Ok(again) = self.agent.again(&panel).await else { return sent };
                    self.agent = again;
                    let mine: Vec<_> = self.servers.iter().map(|id| (id.as_str(), "running")).collect();
                    self.agent.introduce(&mine).await;
                }
            }
        }
        sent
    }
}

/// A line of 30 MB, which closes the connection.
fn too_long(id: &str) -> String {
    let line = json!({ "seq": 1, "time": "2026-01-01T00:00:00Z", "stream": "stdout", "text": "z".repeat(30_000_000) });
    envelope("console_lines", &json!({ "serverId": id, "lines": [line] }), None)
}

fn written(panel: &Panel) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{}/io", panel.pid())).unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
    line.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_together_cost_little() {
    let (servers, took) = if long() { (20, seconds(30)) } else { (2, seconds(6)) };
    let panel = std::sync::Arc::new(panel().await);
    let mut liars = Vec::new();
    for number in 0..10 {
        liars.push(Liar::new(&panel, number, servers).await);
    }
    let admin = panel.admin();
    // A client that subscribes to everything and reads it.
    let mut live = Live::open(&admin).await;
    let consoles: Vec<String> =
        liars.iter().flat_map(|liar| &liar.servers).map(|id| format!("console:{id}")).collect();
    let topics: Vec<&str> = consoles.iter().map(String::as_str).chain(["servers", "nodes"]).collect();
    live.subscribe(&topics).await;
    let _reading = beside(async move { while live.next(seconds(60)).await.is_ok() {} });
    // A client that subscribes to everything and does not read.
    let mut deaf = Live::open(&admin).await;
    deaf.subscribe(&topics).await;
    let paths = ["/api/me", "/api/servers", "/api/nodes", "/api/status"];
    let lies: Vec<Vec<Vec<String>>> =
        liars.iter().map(|liar| (0..2).map(|round| frames(&liar.servers, round)).collect()).collect();
    // Response times of this machine without the attack.
    let (began, mut usual) = (Instant::now(), Duration::ZERO);
    while began.elapsed() < took / 3 {
        for path in paths {
            let asked = Instant::now();
            admin.get(path).await;
            usual = usual.max(asked.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (before, wrote, log) = (panel.resident(), written(&panel), panel.log().len());

    let began = Instant::now();
    let lying: Vec<_> =
        liars.into_iter().zip(lies).map(|(liar, lies)| beside(liar.lie(panel.clone(), lies, took))).collect();
    let (mut most, mut sizes) = (0, BTreeMap::new());
    let mut waited = Vec::new();
    while began.elapsed() < took {
        for path in paths {
            let asked = Instant::now();
            let answer = admin.get(path).await;
            waited.push(asked.elapsed());
            let size = sizes.entry(path).or_insert(0);
            *size = answer.text.len().max(*size);
            most = most.max(panel.resident().saturating_sub(before));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut sent = 0;
    for liar in lying {
        sent += liar.await.unwrap();
    }
    waited.sort_unstable();
    let worst = *waited.last().unwrap();
    let grown = written(&panel).saturating_sub(wrote);
    println!(
        "ten lying nodes: {sent} frames; {} MiB more; the owner's worst answer {worst:?} of {}, {usual:?} before; answers of {sizes:?} bytes; {} kB written; {} kB of log",
        most >> 20,
        waited.len(),
        grown / 1000,
        (panel.log().len() - log) / 1000,
    );
    assert!(sent > 50, "{sent}");
    assert!(most < MOST, "{} MiB more", most >> 20);
    // A busy machine is slow anyway.
    assert!(worst < seconds(1) + 3 * usual, "{worst:?}, {usual:?} before");
    assert!(sizes.values().all(|size| *size < MOST_ANSWERED), "{sizes:?}");
    // Each node reports data about itself that is stored once a minute.
    assert!(grown < 10 * 400_000 * (1 + took.as_secs() / 60), "{} kB written", grown / 1000);
    assert!(panel.log().len() - log < 200_000, "{} bytes of log", panel.log().len() - log);
    assert!(!panel.log().contains("panicked"));
}

/// What an agent reports is cleaned, shortened and marked before API clients see it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shown_is_clean_and_short() {
    let panel = panel().await;
    let mut liar = FakeAgent::join(&panel, "liar").await;
    liar.introduce(&[]).await;
    let own = liar.server(&panel, "Own").await;
    let mut live = Live::open(&panel.admin()).await;
    live.subscribe(&[&format!("console:{own}"), "servers", "nodes"]).await;
    let bad = format!("\u{1b}]0;title\u{7}one\ntwo\r\u{1b}[2J\u{202e}{}", "x".repeat(20_000));
    let clean = |text: &str| !text.chars().any(|c| c.is_control() || c == '\u{202e}');
    liar.peer
        .say(
            "server_status",
            json!({ "serverId": own, "status": "running", "error": bad, "dataDir": bad, "containerId": bad,
                "progress": { "percent": 500, "text": bad }, "stats": { "players": { "list": [bad, bad] } } }),
        )
        .await;
    let server = until("its status is shown", seconds(5), async || {
        let server = panel.admin().get(&format!("/api/servers/{own}")).await.expect(200).json;
        server["statusReason"].is_string().then_some(server)
    })
    .await;
    let reason = server["statusReason"].as_str().unwrap();
    assert!(clean(reason) && reason.len() <= 1024 && reason.ends_with('…'), "{reason:?}");
    assert!(reason.starts_with("one two xxx"), "{reason:?}");
    assert!(server.to_string().len() < 8192, "{} bytes", server.to_string().len());
    assert_eq!(server["progress"]["percent"], 100.0);

    let line = |seq: u64, text: &str| json!({ "seq": seq, "time": "2026-01-01T00:00:00Z", "stream": "stdout", "text": text });
    let colours = "\u{1b}[1;31mred\u{1b}[0m\u{1b}]8;;http://evil.test\u{7}link\u{1b}]8;;\u{7}\nnext\u{9b}6n";
    let lines = json!([line(1, colours), line(2, &bad)]);
    liar.peer.say("console_lines", json!({ "serverId": own, "lines": lines })).await;
    let shown = live
        .wait(seconds(5), |message| {
            let lines = message["data"]["lines"].as_array()?;
            (lines.len() == 2).then(|| lines.clone())
        })
        .await;
    assert_eq!(shown[0]["text"], "\u{1b}[1;31mred\u{1b}[0mlink next");
    assert_eq!((shown[1]["text"].as_str().unwrap().len(), &shown[1]["truncated"]), (16 << 10, &json!(true)));

    liar.peer
        .say(
            "system_info",
            json!({ "nodeId": bad, "os": bad, "arch": bad, "cpu": bad, "memory": 1_u64 << 33, "hostname": bad, "kernel": bad,
                "cgroup": bad, "agentVersion": bad, "dataDir": bad, "dockerVersion": bad, "networks": { &bad: bad, "b": bad },
                "capabilities": ["ack", bad], "engine": { "available": true, "version": bad, "error": bad },
                "problems": [{ "code": bad, "message": bad, "hint": bad }], "upgrade": { "from": bad, "reason": bad } }),
        )
        .await;
    let node = until("it is shown", seconds(5), async || {
        let node = panel.admin().get("/api/nodes/liar").await.expect(200).json;
        node["system"]["hostname"].is_string().then_some(node)
    })
    .await;
    assert!(node.to_string().len() < 16_384, "{} bytes", node.to_string().len());
    fn texts(value: &Value, check: &mut impl FnMut(&str)) {
        match value {
            Value::String(text) => check(text),
            Value::Array(items) => items.iter().for_each(|item| texts(item, check)),
            Value::Object(entries) => entries.iter().for_each(|(name, item)| {
                check(name);
                texts(item, check);
            }),
            _ => {}
        }
    }
    texts(&node, &mut |text| assert!(clean(text), "{text:?}"));
    texts(&server, &mut |text| assert!(clean(text), "{text:?}"));
    let log = panel.log();
    assert!(log.lines().all(|line| line.len() < 4096) && clean(&log.replace('\n', "")), "{log}");
}
