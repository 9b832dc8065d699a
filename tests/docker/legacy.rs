//! The agent, as a separate process with real games, under a legacy panel that plays golden transcripts.

use std::process::Stdio;

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use crate::harness::golden::{Script, Side};
use crate::harness::{binary, docker, seconds};

/// A panel that knows only the basic messages, and reads the node id from the query.
struct OldPanel {
    listener: TcpListener,
    agent: Child,
    _folder: tempfile::TempDir,
}

impl OldPanel {
    async fn with_an_agent() -> Self {
        docker::image().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let folder = tempfile::Builder::new().prefix("cap-agent-").tempdir().unwrap();
        let agent = Command::new(binary())
            .arg("agent")
            .env("DATA_DIR", folder.path())
            .env("HEALTH_PORT", "off")
            .env("PANEL_URL", format!("ws://{}", listener.local_addr().unwrap()))
            .env("NODE_ID", "attic-pi")
            .env("AGENT_SECRET", "a shared secret of ours")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { listener, agent, _folder: folder }
    }

    #[allow(clippy::result_large_err, reason = "the library's own type")]
    async fn accept(&self) -> WebSocketStream<TcpStream> {
        let (stream, _) = tokio::time::timeout(seconds(20), self.listener.accept()).await.unwrap().unwrap();
        let look = |request: &Request, mut response: Response| {
            assert_eq!(request.uri().to_string(), "/?nodeId=attic-pi");
            assert_eq!(request.headers()["x-node-id"], "attic-pi");
            assert_eq!(request.headers()["authorization"], "Bearer a shared secret of ours");
            // Node's library chooses the first subprotocol of any list.
            if let Some(offered) = request.headers().get("sec-websocket-protocol") {
                let first = offered.to_str().unwrap().split(',').next().unwrap().trim();
                response.headers_mut().insert("sec-websocket-protocol", first.parse().unwrap());
            }
            Ok(response)
        };
        tokio_tungstenite::accept_hdr_async(stream, look).await.unwrap()
    }

    async fn script(&self, server: &Gone) -> Script {
        let socket = self.accept().await;
        Script::new(socket, Side::Panel, None).name("id", &server.0).name("image", docker::BUSYBOX)
    }
}

/// A server's id. Its container is removed when this is dropped.
struct Gone(String);

impl Gone {
    fn new(name: &str) -> Self {
        Self(format!("t{}-{name}", std::process::id()))
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        let name = format!("ctrl-alt-play-{}", self.0);
        let _ = std::process::Command::new("docker").args(["rm", "-f", "-v", &name]).output();
    }
}

#[tokio::test]
async fn the_messages_of_the_tables() {
    let server = Gone::new("tables");
    let panel = OldPanel::with_an_agent().await;
    let mut script = panel.script(&server).await;
    script.play("ts-panel.jsonl").await;
    // Everything else the agent sent are basic messages, which every panel receives.
    for frame in script.backlog() {
        let kind = frame["type"].as_str().unwrap_or_default().to_owned();
        let known = ["system_info", "heartbeat", "server_status", "server_output", "error", "sync"];
        assert!(known.contains(&kind.as_str()), "{frame}");
        assert!(frame.get("messageId").is_none(), "{frame}");
    }
}

#[tokio::test]
async fn the_command_form() {
    let server = Gone::new("commands");
    let panel = OldPanel::with_an_agent().await;
    panel.script(&server).await.play("ts-panel-commands.jsonl").await;
}

/// Numbers printed by a game, over a link that breaks in between: none twice, none lost.
#[tokio::test]
async fn output_goes_on_where_it_stopped() {
    let server = Gone::new("goes-on");
    let panel = OldPanel::with_an_agent().await;
    let mut script = panel.script(&server).await;
    let create = json!({"type": "server_create", "data": {
        "serverId": server.0, "image": docker::BUSYBOX, "startup": "count 0.02", "environment": {},
        "limits": {"memory": 67_108_864, "disk": 0, "cpu": 0},
    }});
    let say = async |script: &mut Script, frame: &serde_json::Value| {
        use futures_util::SinkExt;
        script.socket.send(tokio_tungstenite::tungstenite::Message::text(frame.to_string())).await.unwrap();
    };
    say(&mut script, &create).await;
    let stopped = json!({"type": "server_status", "data": {"status": "stopped", "...": true}, "...": true});
    script.wait(&stopped, "made").await;
    say(&mut script, &json!({"type": "server_start", "data": {"serverId": server.0}})).await;
    let mut numbers = Vec::new();
    let until = async |script: &mut Script, numbers: &mut Vec<u64>, count: usize| {
        let end = tokio::time::Instant::now() + seconds(20);
        while numbers.len() < count {
            let frame = tokio::time::timeout_at(end, script.next()).await.unwrap().unwrap();
            if frame["type"] == "server_output" {
                let output = frame["data"]["output"].as_str().unwrap();
                assert!(!output.ends_with('\n') && !output.starts_with('\n'), "{frame}");
                numbers.extend(output.split('\n').filter_map(|line| line.trim().parse::<u64>().ok()));
            }
        }
    };
    until(&mut script, &mut numbers, 50).await;
    drop(script);
    let mut script = panel.script(&server).await;
    let count = numbers.len() + 50;
    until(&mut script, &mut numbers, count).await;
    // Lines in flight when the link broke may be lost or repeated. Later lines arrive in order, and a gap is no larger
    // than what was in flight.
    let jumps: Vec<_> = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
    assert!(jumps.len() <= 1, "{numbers:?}");
    assert!(jumps.iter().all(|pair| pair[1] > pair[0] && pair[1] - pair[0] < 100), "{jumps:?}");
    say(&mut script, &json!({"type": "server_delete", "data": {"serverId": server.0}})).await;
    let deleted = json!({"type": "server_status", "data": {"status": "deleted", "...": true}, "...": true});
    script.wait(&deleted, "deleted").await;
}

/// A game that floods the console, under a panel that does not read: memory is bounded, and skipped lines are counted.
#[tokio::test]
async fn a_flood_gives_way_and_is_counted() {
    let server = Gone::new("flood");
    let panel = OldPanel::with_an_agent().await;
    let mut script = panel.script(&server).await;
    let create = json!({"type": "server_create", "data": {
        "serverId": server.0, "image": docker::BUSYBOX, "startup": "flood", "environment": {},
        "limits": {"memory": 67_108_864, "disk": 0, "cpu": 0},
    }});
    let say = async |script: &mut Script, frame: serde_json::Value| {
        use futures_util::SinkExt;
        script.socket.send(tokio_tungstenite::tungstenite::Message::text(frame.to_string())).await.unwrap();
    };
    say(&mut script, create).await;
    let status = |word: &str| json!({"type": "server_status", "data": {"serverId": server.0, "status": word, "...": true}, "...": true});
    script.wait(&status("stopped"), "made").await;
    let pid = panel.agent.id().unwrap();
    let resident = || {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = text.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    };
    let before = resident();
    say(&mut script, json!({"type": "server_start", "data": {"serverId": server.0}})).await;
    tokio::time::sleep(seconds(4)).await;
    let skipped = json!({"type": "server_output", "data": {"output": "<has> lines skipped]", "...": true}, "...": true});
    script.wait(&skipped, "what gave way").await;
    script.backlog().clear();
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "the agent grew by {grown} bytes");
    // The flood does not delay answers.
    say(&mut script, json!({"type": "server_power", "data": {"serverId": server.0, "action": "kill"}})).await;
    script.wait(&status("stopped"), "the kill").await;
    say(&mut script, json!({"type": "server_delete", "data": {"serverId": server.0}})).await;
    script.wait(&json!({"type": "server_status", "data": {"serverId": server.0, "status": "deleted"}, "...": true}), "deleted").await;
}
