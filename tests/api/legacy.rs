//! Legacy agents, played from golden transcripts against the real panel.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::harness::golden::{Script, Side};
use crate::harness::{Live, Panel, seconds, until};

const SECRET: &str = "a shared secret of ours";

async fn panel() -> Panel {
    Panel::builder().env("AGENT_SECRET", SECRET).start().await
}

/// A panel with a fifth of the real timeouts for legacy agents.
async fn hurried() -> Panel {
    Panel::builder()
        .env("AGENT_SECRET", SECRET)
        .env("LINK_TIMES", "answer=2000,answer_stop=8000,answer_file=1000,quiet=12000")
        .start()
        .await
}

/// Connects like the Go agent: with two headers and nothing else.
async fn connect(panel: &Panel, node: &str, more: &[(&'static str, &str)]) -> WebSocketStream<TcpStream> {
    let address = panel.agents_address();
    let mut request = format!("ws://{address}/").into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {SECRET}").parse().unwrap());
    headers.insert("x-node-id", node.parse().unwrap());
    for (name, value) in more {
        headers.insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(&address).await.unwrap();
    let (socket, answer) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    assert!(answer.headers().get("sec-websocket-extensions").is_none(), "{answer:?}");
    socket
}

async fn script(panel: &Panel, node: &str) -> Script {
    Script::new(connect(panel, node, &[]).await, Side::Agent, Some(panel.admin()))
}

#[tokio::test]
async fn the_go_agent() {
    let panel = panel().await;
    let mut agent = script(&panel, "go-1").await;
    // A user watches everything meanwhile, which changes nothing for the agent.
    let mut live = Live::open(&panel.admin()).await;
    live.subscribe(&["servers", "nodes"]).await;
    agent.play("go-agent.jsonl").await;
    assert!(panel.log().contains("Agent connected for node: go-1"));
    drop(agent);
    until("it is offline", seconds(5), async || {
        let node = panel.admin().get("/api/nodes/go-1").await.json;
        let lost = node["problems"][0]["hint"].as_str().unwrap().starts_with("Restart the agent");
        (node["online"] == false && node["limited"] == true && lost).then_some(())
    })
    .await;
    assert!(panel.log().contains("Agent disconnected for node: go-1"));
}

#[tokio::test]
async fn the_go_agent_where_it_fails() {
    let panel = panel().await;
    script(&panel, "go-1").await.play("go-agent-failures.jsonl").await;
}

#[tokio::test]
async fn the_older_test_agent() {
    let panel = panel().await;
    let offers = [("sec-websocket-extensions", "permessage-deflate; client_max_window_bits")];
    let socket = connect(&panel, "test-1", &offers).await;
    Script::new(socket, Side::Agent, Some(panel.admin())).play("ts-test-agent.jsonl").await;
}

async fn say(agent: &mut Script, frame: Value) {
    agent.socket.send(Message::text(frame.to_string())).await.unwrap();
}

/// A connected Go agent with one server.
async fn with_a_server(panel: &Panel) -> Script {
    let mut agent = script(panel, "go-1").await;
    say(
        &mut agent,
        json!({"type": "system_info", "data": {"nodeId": "go-1", "capabilities": ["docker", "monitoring"]}}),
    )
    .await;
    until("it is there", seconds(5), async || {
        (panel.admin().get("/api/nodes/go-1").await.json["limited"] == true).then_some(())
    })
    .await;
    let body = json!({"name": "A", "nodeId": "go-1", "image": "busybox:1", "startup": "x", "ports": []});
    let id = panel.admin().post("/api/servers", body).await.expect(201).id();
    agent.wait(&json!({"type": "server_create", "...": true}), "with_a_server").await;
    say(&mut agent, json!({"type": "server_status", "data": {"serverId": id, "status": "created"}})).await;
    until("it is made", seconds(5), async || {
        (panel.admin().get(&format!("/api/servers/{id}")).await.json["status"] == "stopped").then_some(())
    })
    .await;
    agent.name("id", &id)
}

/// Requests are sent one at a time, and an unanswered one ends with a clear error.
#[tokio::test]
async fn one_request_at_a_time_and_each_ends() {
    let panel = hurried().await;
    let mut agent = with_a_server(&panel).await;
    let id = agent.names["id"].clone();
    let power = format!("/api/servers/{id}/power");
    let ask = async |action: &str| panel.admin().post(&power, json!({ "action": action })).await;
    let played = async {
        agent.wait(&json!({"type": "server_start", "...": true}), "the first").await;
        // The second request waits for the answer to the first.
        assert!(tokio::time::timeout(Duration::from_secs(1), agent.next()).await.is_err());
        say(&mut agent, json!({"type": "server_status", "data": {"serverId": id, "status": "running"}}))
            .await;
        agent.wait(&json!({"type": "server_stop", "...": true}), "the second").await;
        say(&mut agent, json!({"type": "server_status", "data": {"serverId": id, "status": "stopped"}}))
            .await;
    };
    let second = async {
        until("the first is under way", seconds(5), async || Some(())).await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        ask("stop").await
    };
    let (first, second, ()) = tokio::join!(ask("start"), second, played);
    assert_eq!((first.status, second.status), (202, 202), "{first:?} {second:?}");
    assert_eq!(second.json["status"], "stopped");

    // No answer at all: the timeout is 2 s here, and 10 s in production.
    ask("start").await.refused(503, "node_timeout");
    agent.wait(&json!({"type": "server_start", "...": true}), "unanswered").await;
    // A late answer does not complete another request: `running` does not answer a stop.
    let late = async {
        agent.wait(&json!({"type": "server_stop", "...": true}), "the stop").await;
        for status in ["running", "stopped"] {
            say(&mut agent, json!({"type": "server_status", "data": {"serverId": id, "status": status}}))
                .await;
        }
    };
    let (stopped, ()) = tokio::join!(ask("stop"), late);
    assert_eq!(stopped.expect(202).json["status"], "stopped");
}

/// The client has disconnected, but the agent is still working on the request, so the next one waits.
#[tokio::test]
async fn a_caller_who_hangs_up_ends_no_turn() {
    let panel = hurried().await;
    let mut agent = with_a_server(&panel).await;
    let id = agent.names["id"].clone();
    let power = format!("/api/servers/{id}/power");
    let admin = panel.admin();
    let asked = admin.post(&power, json!({"action": "stop"}));
    assert!(tokio::time::timeout(Duration::from_secs(1), asked).await.is_err(), "nobody answered yet");
    agent.wait(&json!({"type": "server_stop", "...": true}), "the stop").await;
    let admin = panel.admin();
    let next = admin.post(&power, json!({"action": "start"}));
    let played = async {
        assert!(tokio::time::timeout(Duration::from_secs(1), agent.next()).await.is_err(), "two at a time");
        say(&mut agent, json!({"type": "server_status", "data": {"serverId": id, "status": "stopped"}}))
            .await;
        agent.wait(&json!({"type": "server_start", "...": true}), "the start").await;
        say(&mut agent, json!({"type": "server_status", "data": {"serverId": id, "status": "running"}}))
            .await;
    };
    let (next, ()) = tokio::join!(next, played);
    next.expect(202);
}

/// For a legacy agent, pongs do not count as a sign of life. A message brings it back online on the same connection.
#[tokio::test]
async fn a_quiet_one_is_offline_and_not_closed() {
    let panel = Panel::builder().env("AGENT_SECRET", SECRET).env("LINK_TIMES", "quiet=3000").start().await;
    let mut agent = script(&panel, "go-1").await;
    let info = json!({"type": "system_info", "data": {"nodeId": "go-1", "capabilities": ["docker"]}});
    say(&mut agent, info.clone()).await;
    let online = async |online: bool| {
        until(&format!("online: {online}"), seconds(10), async || {
            (panel.admin().get("/api/nodes/go-1").await.json["online"] == online).then_some(())
        })
        .await;
    };
    online(true).await;
    online(false).await;
    say(&mut agent, json!({"type": "heartbeat", "data": {"nodeId": "go-1"}})).await;
    online(true).await;
}

/// An agent that answers the close but leaves TCP open is disconnected.
#[tokio::test]
async fn a_close_is_seen_through() {
    let panel = panel().await;
    let mut agent = script(&panel, "go-1").await;
    say(&mut agent, json!({"type": "system_info", "data": {"nodeId": "go-1", "capabilities": ["docker"]}}))
        .await;
    until("it is there", seconds(5), async || {
        (panel.admin().get("/api/nodes/go-1").await.json["online"] == true).then_some(())
    })
    .await;
    panel.admin().delete("/api/nodes/go-1").await.expect(204);
    let mut closed = None;
    let ended = tokio::time::timeout(seconds(8), async {
        while let Some(message) = agent.socket.next().await {
            match message {
                Ok(Message::Close(frame)) => closed = frame.map(|frame| u16::from(frame.code)),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        // The underlying TCP stream has ended too.
        use tokio::io::AsyncReadExt;
        let mut rest = Vec::new();
        let _ = agent.socket.get_mut().read_to_end(&mut rest).await;
    });
    ended.await.expect("the panel closes TCP");
    assert_eq!(closed, Some(1008));
}

/// A legacy agent sends no `sync`, so the panel does not know its servers. It only sends those that the agent never
/// received.
#[tokio::test]
async fn what_was_made_while_it_was_away_it_gets_when_it_comes() {
    let panel = panel().await;
    drop(with_a_server(&panel).await);
    until("it is away", seconds(5), async || {
        (panel.admin().get("/api/nodes/go-1").await.json["online"] == false).then_some(())
    })
    .await;
    let body = json!({"name": "B", "nodeId": "go-1", "image": "busybox:1", "startup": "later", "ports": []});
    let id = panel.admin().post("/api/servers", body).await.expect(201).id();
    let mut agent = script(&panel, "go-1").await;
    let info = json!({"type": "system_info", "data": {"nodeId": "go-1", "capabilities": ["docker"]}});
    say(&mut agent, info).await;
    let create = json!({"type": "server_create", "data": {"serverId": id, "startup": "later", "...": true}, "...": true});
    // The other server, which the agent has received, is not sent again.
    agent.wait(&create, "the new one").await;
    say(&mut agent, json!({"type": "server_status", "data": {"serverId": id, "status": "created"}})).await;
    // Besides that, the panel may only ask for the status.
    while let Ok(Some(message)) = tokio::time::timeout(Duration::from_secs(1), agent.next()).await {
        assert_eq!(message["action"], "get_status", "{message}");
    }
}

/// Creates another server on such an agent.
async fn another(panel: &Panel, agent: &mut Script, name: &str) -> String {
    let body = json!({"name": name, "nodeId": "go-1", "image": "busybox:1", "startup": "x", "ports": []});
    let id = panel.admin().post("/api/servers", body).await.expect(201).id();
    agent.wait(&json!({"type": "server_create", "...": true}), name).await;
    say(agent, json!({"type": "server_status", "data": {"serverId": id, "status": "created"}})).await;
    shows(panel, &id, "stopped").await;
    id
}

async fn shows(panel: &Panel, id: &str, status: &str) -> Value {
    until(&format!("{id} is {status}"), seconds(10), async || {
        let server = panel.admin().get(&format!("/api/servers/{id}")).await.json;
        (server["status"] == status).then_some(server)
    })
    .await
}

/// The Go agent handles each message on its own, so a slow stop does not delay other servers.
#[tokio::test]
async fn a_slow_stop_blocks_its_own_server_only() {
    let panel = hurried().await;
    let mut agent = with_a_server(&panel).await;
    let (slow, admin) = (agent.names["id"].clone(), panel.admin());
    let other = another(&panel, &mut agent, "B").await;
    let third = another(&panel, &mut agent, "C").await;
    let power = async |id: &str, action: &str| {
        admin.post(&format!("/api/servers/{id}/power"), json!({ "action": action })).await
    };
    say(&mut agent, json!({"type": "server_status", "data": {"serverId": slow, "status": "running"}})).await;
    shows(&panel, &slow, "running").await;
    let played = async {
        agent.wait(&json!({"type": "server_stop", "...": true}), "the slow stop").await;
        let start = json!({"type": "server_start", "data": {"serverId": other}, "...": true});
        agent.wait(&start, "the other one's start, meanwhile").await;
        // The error names the container, so only the request for that server fails.
        let words =
            format!("driver failed programming external connectivity on endpoint ctrl-alt-play-{other}");
        say(&mut agent, json!({"type": "error", "data": {"code": "HANDLER_ERROR", "message": words}})).await;
        let start = json!({"type": "server_start", "data": {"serverId": third}, "...": true});
        agent.wait(&start, "the third one's start").await;
        // This error names no server, and two requests are in flight.
        say(&mut agent, json!({"type": "error", "data": {"code": "HANDLER_ERROR", "message": "no space"}}))
            .await;
        say(&mut agent, json!({"type": "server_status", "data": {"serverId": third, "status": "running"}}))
            .await;
        say(&mut agent, json!({"type": "server_status", "data": {"serverId": slow, "status": "stopped"}}))
            .await;
    };
    let others = async {
        // Waits until the slow one has been sent.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let failed = power(&other, "start").await;
        (failed, power(&third, "start").await)
    };
    let (stopped, (failed, started), ()) = tokio::join!(power(&slow, "stop"), others, played);
    assert!(failed.text.contains("driver failed programming"), "{failed:?}");
    failed.refused(409, "conflict");
    assert_eq!(started.expect(202).json["status"], "running");
    assert_eq!(stopped.expect(202).json["status"], "stopped");
}

/// The panel keeps the last console lines, also for clients that connect later.
#[tokio::test]
async fn its_last_lines_are_kept() {
    let panel = hurried().await;
    let mut agent = with_a_server(&panel).await;
    let id = agent.names["id"].clone();
    let console = format!("/api/servers/{id}/console?tail=3");
    assert_eq!(panel.admin().get(&console).await.expect(200).json["lines"], json!([]));
    for number in 1..=250 {
        let data = json!({"serverId": id, "output": format!("line {number}"), "stream": "stdout",
            "timestamp": "2026-01-02T03:04:05Z"});
        say(&mut agent, json!({"type": "server_output", "data": data})).await;
    }
    let texts = |lines: &Value| -> Vec<String> {
        let lines = lines.as_array().unwrap().iter();
        lines.map(|line| line["text"].as_str().unwrap().to_owned()).collect()
    };
    until("the lines are kept", seconds(5), async || {
        let lines = panel.admin().get(&console).await.expect(200).json["lines"].clone();
        (texts(&lines) == ["line 248", "line 249", "line 250"]).then_some(())
    })
    .await;
    let mut live = Live::open(&panel.admin()).await;
    live.subscribe(&[&format!("console:{id}")]).await;
    let first = live.next(seconds(5)).await.unwrap();
    let first = texts(&first["data"]["lines"]);
    assert_eq!((first.len(), first.last().map(String::as_str)), (200, Some("line 250")));
}

/// A legacy agent does not report a game that exits by itself, nor what runs after a restart. The panel polls it, at a
/// low rate.
#[tokio::test]
async fn states_are_asked_for_one_at_a_time() {
    let panel = Panel::builder()
        .env("AGENT_SECRET", SECRET)
        .env("LINK_TIMES", "answer=2000,state_poll=400")
        .start()
        .await;
    let mut agent = with_a_server(&panel).await;
    let id = agent.names["id"].clone();
    say(&mut agent, json!({"type": "server_status", "data": {"serverId": id, "status": "running"}})).await;
    shows(&panel, &id, "running").await;
    let asked = json!({"type": "command", "action": "get_status", "serverId": id,
        "data": {"action": "get_status", "serverId": id, "...": true}, "id": "<=ask>", "...": true});
    let answer = async |agent: &mut Script, word: &str| {
        agent.wait(&asked, "the question").await;
        let ask = agent.names["ask"].clone();
        // One at a time: the next request follows after this answer.
        assert!(tokio::time::timeout(Duration::from_millis(900), agent.next()).await.is_err());
        say(
            agent,
            json!({"type": "response", "id": ask, "success": true,
            "data": {"serverId": id, "status": "processing"}}),
        )
        .await;
        say(
            agent,
            json!({"type": "response", "id": ask, "success": true, "data": {"serverId": id,
            "status": word, "containerId": "abc", "resources": {"cpu": 50, "memory": 1}}}),
        )
        .await;
    };
    answer(&mut agent, "exited").await;
    let server = shows(&panel, &id, "stopped").await;
    assert!(server["statusReason"].as_str().unwrap().contains("did not say"), "{server}");
    assert!(server["stats"].is_null(), "{server}");

    // It reconnects, and does not report its servers.
    drop(agent);
    shows(&panel, &id, "unknown").await;
    let mut agent = script(&panel, "go-1").await;
    let info = json!({"type": "system_info", "data": {"nodeId": "go-1", "capabilities": ["docker"]}});
    say(&mut agent, info).await;
    answer(&mut agent, "running").await;
    shows(&panel, &id, "running").await;

    // A server whose container is gone: a difference for the administrator to resolve.
    agent.wait(&asked, "the question").await;
    let ask = agent.names["ask"].clone();
    say(
        &mut agent,
        json!({"type": "response", "id": ask, "success": false,
        "error": {"code": "STATUS_FAILED", "message": format!("No such container: ctrl-alt-play-{id}")}}),
    )
    .await;
    until("it is missing", seconds(5), async || {
        let node = panel.admin().get("/api/nodes/go-1").await.json;
        node["differences"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["kind"] == "missing"))
            .then_some(())
    })
    .await;
}
