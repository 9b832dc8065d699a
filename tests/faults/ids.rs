//! Request ids: a repeated request is executed once, replies out of order reach the right callers, and late or foreign
//! ones reach nobody.

use std::time::Duration;

use serde_json::{Value, json};

use super::panel;
use crate::harness::fake::{FakeAgent, FakePanel, Peer};
use crate::harness::node::Node;
use crate::harness::{Client, docker, seconds, until};

/// Removes the container at the end of the test.
struct Gone(String);

impl Drop for Gone {
    fn drop(&mut self) {
        let name = format!("ctrl-alt-play-{}", self.0);
        let _ = std::process::Command::new("docker").args(["rm", "-f", "-v", &name]).output();
    }
}

/// Sends a request, and returns the reply with its id.
async fn ask(peer: &mut Peer, id: &str, kind: &str, data: Value) -> Value {
    assert!(peer.say_with(id, kind, data).await, "the agent takes it");
    peer.find(&format!("the answer to {id}"), seconds(20), |message| message["messageId"] == id).await
}

/// Polls until a server has this state, since its status message may have been skipped.
async fn becomes(peer: &mut Peer, server: &str, status: &str) {
    let end = std::time::Instant::now() + seconds(20);
    loop {
        peer.say("system_info_request", json!({})).await;
        let sync = peer.expect("sync", seconds(10)).await;
        let all = sync["data"]["servers"].as_array().unwrap();
        if all.iter().any(|told| told["serverId"] == server && told["status"] == status) {
            return;
        }
        assert!(std::time::Instant::now() < end, "{server} is not {status}: {sync}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_comes_again_is_done_once() {
    docker::image().await;
    let panel = FakePanel::new().await;
    let server = format!("twice-{}", rand::random::<u32>());
    let _gone = Gone(server.clone());
    let _node = Node::builder().start(&panel.address, "attic-pi", "a secret of the test");
    let mut peer = panel.agent(seconds(20)).await;
    let of = || json!({ "serverId": server });
    let made = json!({ "serverId": server, "image": docker::BUSYBOX, "startup": "game" });
    for _ in 0..3 {
        assert_eq!(ask(&mut peer, "create-1", "server_create", made.clone()).await["type"], "ack");
    }
    becomes(&mut peer, &server, "stopped").await;
    let first = ask(&mut peer, "start-1", "server_start", of()).await;
    // A new request would be refused with `already_starting`; the repeated one gets the same reply.
    let again = ask(&mut peer, "start-1", "server_start", of()).await;
    assert_eq!((&first["type"], &first["data"]), (&again["type"], &again["data"]));
    assert_eq!(ask(&mut peer, "start-2", "server_start", of()).await["type"], "error");
    becomes(&mut peer, &server, "running").await;

    let typed = |text: &str| json!({ "serverId": server, "command": text });
    for _ in 0..5 {
        let answer = ask(&mut peer, "command-1", "server_command", typed("only once")).await;
        assert_eq!(answer["type"], "ack", "{answer}");
    }
    // Sent twice in a row, and again over the next connection, as its reply may have been lost.
    peer.say_with("command-2", "server_command", typed("in one breath")).await;
    peer.say_with("command-2", "server_command", typed("in one breath")).await;
    drop(peer);
    let mut peer = panel.agent(seconds(10)).await;
    assert_eq!(ask(&mut peer, "command-1", "server_command", typed("only once")).await["type"], "ack");
    assert_eq!(ask(&mut peer, "command-2", "server_command", typed("in one breath")).await["type"], "ack");
    assert_eq!(ask(&mut peer, "command-3", "server_command", typed("the end")).await["type"], "ack");
    let name = format!("ctrl-alt-play-{server}");
    let log = until("the game has heard the last", seconds(10), async || {
        let log = docker::docker(&["logs", &name]).await;
        log.contains("You said: the end").then_some(log)
    })
    .await;
    for text in ["only once", "in one breath", "the end"] {
        let answer = format!("You said: {text}");
        assert_eq!(log.lines().filter(|line| line.trim_end() == answer).count(), 1, "{text}\n{log}");
    }
}

/// Requests the tail of a console as a separate client.
async fn tail(client: Client, server: String, lines: u32) -> (u16, String) {
    let answer = client.get(&format!("/api/servers/{server}/console?tail={lines}")).await;
    (answer.status, answer.json["lines"][0]["text"].as_str().unwrap_or_default().to_owned())
}

fn lines(server: &str, text: &str) -> Value {
    let line = json!({ "seq": 1, "time": "2026-01-01T00:00:00Z", "stream": "stdout", "text": text });
    json!({ "serverId": server, "lines": [line] })
}

/// The next request for a tail: its id and the number of lines.
async fn asked(agent: &mut FakeAgent) -> (String, u64) {
    let question = agent.peer.expect("console_tail", seconds(10)).await;
    (question["messageId"].as_str().unwrap().to_owned(), question["data"]["tail"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_out_of_order_reach_their_own_callers() {
    let panel = panel().await;
    let mut agent = FakeAgent::join(&panel, "backwards").await;
    agent.introduce(&[]).await;
    let server = agent.server(&panel, "Backwards").await;
    let callers: Vec<_> =
        (1..=20).map(|n| crate::docker::beside(tail(panel.admin(), server.clone(), n))).collect();
    let mut questions = Vec::new();
    while questions.len() < callers.len() {
        questions.push(asked(&mut agent).await);
    }
    for (id, wanted) in questions.iter().rev() {
        agent.peer.say_with(id, "console_lines", lines(&server, &format!("for {wanted}"))).await;
        // A second reply to the same request is ignored.
        agent.peer.say_with(id, "console_lines", lines(&server, "too late")).await;
    }
    for (caller, n) in callers.into_iter().zip(1..) {
        assert_eq!(caller.await.unwrap(), (200, format!("for {n}")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_answer_is_nobodys() {
    let panel = panel().await;
    let mut old = FakeAgent::join(&panel, "late").await;
    old.introduce(&[]).await;
    let server = old.server(&panel, "Late").await;
    let waiting = crate::docker::beside(tail(panel.admin(), server.clone(), 1));
    let (late, _) = asked(&mut old).await;
    // The connection is replaced while a client waits: it gets an error at once, and the late reply is ignored.
    let mut agent = old.again(&panel).await.unwrap();
    let began = std::time::Instant::now();
    assert_eq!(waiting.await.unwrap().0, 503);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    agent.introduce(&[(&server, "stopped")]).await;
    until("it has introduced itself", seconds(5), async || {
        let view = panel.admin().get(&format!("/api/servers/{server}")).await.expect(200).json;
        (view["status"] == "stopped").then_some(())
    })
    .await;
    old.peer.say_with(&late, "console_lines", lines(&server, "from the old connection")).await;
    let waiting = crate::docker::beside(tail(panel.admin(), server.clone(), 2));
    let (now, _) = asked(&mut agent).await;
    assert_ne!(late, now, "ids never come again");
    agent.peer.say_with(&late, "console_lines", lines(&server, "too late")).await;
    agent.peer.say_with("nobody", "console_lines", lines(&server, "to nobody")).await;
    agent.peer.say_with(&now, "console_lines", lines(&server, "in time")).await;
    assert_eq!(waiting.await.unwrap(), (200, "in time".to_owned()));
}
