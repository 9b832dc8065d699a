//! Files of servers whose node is spoken by hand: what an older agent can, how an agent's words become answers, and what
//! becomes of work when the agent goes.

use serde_json::{Value, json};

use crate::harness::fake::FakeAgent;
use crate::harness::{Answer, Panel, seconds, until};

/// A node that has these capabilities beside the usual ones, and a server on it.
async fn node(panel: &Panel, more: &[&str]) -> (FakeAgent, String) {
    let mut agent = FakeAgent::join(panel, "hand").await;
    let mut capabilities = vec!["docker", "monitoring", "ack", "sync", "console", "host-check"];
    capabilities.extend(more);
    let system = json!({
        "nodeId": "hand", "os": "linux", "arch": "amd64", "memory": 4_u64 << 30, "cpu": "4 cores",
        "dockerVersion": "20.10", "networks": {}, "engine": { "available": true, "version": "20.10" },
        "capabilities": capabilities,
    });
    agent.peer.say("system_info", system).await;
    agent.peer.say("sync", json!({ "servers": [] })).await;
    let id = agent.server(panel, "World").await;
    (agent, id)
}

impl FakeAgent {
    /// Answers the next request of this kind, while `call` waits for what the panel makes of it.
    async fn answers(
        &mut self,
        kind: &str,
        (answer, data): (&str, Value),
        call: impl Future<Output = Answer>,
    ) -> (Answer, Value) {
        let mut call = std::pin::pin!(call);
        let asked = tokio::select! {
            early = &mut call => panic!("answered without {kind}: {early:?}"),
            asked = self.peer.expect(kind, seconds(10)) => asked,
        };
        self.peer.say_with(asked["messageId"].as_str().unwrap(), answer, data).await;
        (call.await, asked["data"].clone())
    }
}

#[tokio::test]
async fn an_older_agent_reads_and_writes_small_texts() {
    let panel = Panel::start().await;
    let (mut agent, id) = node(&panel, &["files"]).await;
    let admin = panel.admin();
    let files = format!("/api/servers/{id}/files");
    let content = format!("{files}/content?path=/a.txt");
    for answer in [
        admin.get(&format!("{files}?path=/")).await,
        admin.post(&format!("{files}/mkdir"), json!({ "path": "/x" })).await,
        admin.post(&format!("{files}/downloads"), json!({ "paths": ["/x"] })).await,
        admin.get(&format!("{files}/usage")).await,
    ] {
        let answer = answer.refused(409, "conflict");
        assert!(answer.json["error"]["message"].as_str().unwrap().contains("small text files"), "{answer:?}");
    }
    let held = ("file_content", json!({ "serverId": id, "path": "/a.txt", "content": "held" }));
    let (answer, asked) = agent.answers("file_read", held.clone(), admin.get(&content)).await;
    assert_eq!((answer.status, answer.text.as_str(), &asked["path"]), (200, "held", &json!("/a.txt")));
    let etag = answer.header("etag").to_owned();

    let put = |etag: Option<&str>, bytes: Vec<u8>| {
        let request = admin.request(reqwest::Method::PUT, &content).body(bytes);
        let request = match etag {
            Some(etag) => request.header("if-match", etag),
            None => request,
        };
        admin.send(request)
    };
    let (refused, _) = agent.answers("file_read", held, put(Some("\"00\""), b"new".to_vec())).await;
    refused.refused(412, "precondition_failed");
    let done = ("file_content", json!({ "serverId": id, "path": "/a.txt" }));
    let (answer, asked) = agent.answers("file_write", done, put(None, b"new".to_vec())).await;
    assert_eq!((answer.status, &asked["content"]), (204, &json!("new")));
    assert!(!answer.header("etag").is_empty() && answer.header("etag") != etag);
    put(None, vec![0xff, 0xfe]).await.refused(409, "conflict");
    put(None, vec![b'x'; 5 << 20]).await.refused(413, "too_large");
}

#[tokio::test]
async fn an_agent_without_files_says_so() {
    let panel = Panel::start().await;
    let (_agent, id) = node(&panel, &[]).await;
    panel.admin().get(&format!("/api/servers/{id}/files/content?path=/a")).await.refused(409, "conflict");
}

#[tokio::test]
async fn an_agents_words_have_their_statuses() {
    let panel = Panel::start().await;
    let (mut agent, id) = node(&panel, &["files", "file-manager"]).await;
    let admin = panel.admin();
    let mkdir = format!("/api/servers/{id}/files/mkdir");
    for (word, status, code) in [
        ("path_escape", 400, "path_escape"),
        ("not_regular", 400, "not_regular"),
        ("forbidden", 403, "forbidden"),
        ("not_found", 404, "not_found"),
        ("conflict", 409, "conflict"),
        ("exists", 409, "exists"),
        ("changed", 412, "precondition_failed"),
        ("FILE_TOO_LARGE", 413, "too_large"),
        ("over_quota", 413, "over_quota"),
        ("archive_too_large", 413, "archive_too_large"),
        ("invalid", 422, "invalid"),
        ("bad_archive", 422, "bad_archive"),
        ("busy", 503, "busy"),
        ("disk_full", 507, "disk_full"),
        ("file", 500, "internal"),
    ] {
        let said = ("error", json!({ "code": word, "message": "Said by the agent." }));
        let call = admin.post(&mkdir, json!({ "path": "/x" }));
        let (answer, asked) = agent.answers("file_op", said, call).await;
        answer.refused(status, code);
        assert_eq!(asked["op"], json!({ "kind": "make_directory", "path": "/x" }));
    }
}

#[tokio::test]
async fn work_is_told_of_called_off_and_over_with_its_agent() {
    let panel = Panel::start().await;
    let (mut agent, id) = node(&panel, &["files", "file-manager"]).await;
    let admin = panel.admin();
    let files = format!("/api/servers/{id}/files");
    let copy = json!({ "path": "/a", "to": "/b", "background": true });
    let begun = admin.post(&format!("{files}/copy"), copy.clone()).await.expect(202).json;
    let asked = agent.peer.expect("file_op", seconds(10)).await;
    let job = asked["data"]["jobId"].as_str().unwrap().to_owned();
    assert_eq!(begun["id"], job.as_str());
    let step =
        json!({ "serverId": id, "jobId": job, "entries": 3, "bytes": 30, "totalBytes": 90, "path": "/a/x" });
    agent.peer.say("file_progress", step).await;
    let shown = async |wanted: &str| {
        until(wanted, seconds(10), async || {
            let jobs = admin.get(&format!("{files}/jobs")).await.expect(200).json;
            let last = jobs.as_array()?.last()?.clone();
            (last["state"] == wanted || last["path"] == wanted).then_some(last)
        })
        .await
    };
    let running = shown("/a/x").await;
    assert_eq!((&running["bytes"], &running["totalBytes"]), (&json!(30), &json!(90)), "{running}");

    admin.delete(&format!("{files}/jobs/{job}")).await.expect(204);
    let cancel = agent.peer.expect("file_cancel", seconds(10)).await;
    assert_eq!(cancel["data"]["jobId"], job.as_str());
    agent.peer.say_with(cancel["messageId"].as_str().unwrap(), "ack", json!({})).await;
    let over = json!({ "code": "conflict", "message": "It was called off." });
    agent.peer.say_with(asked["messageId"].as_str().unwrap(), "error", over).await;
    assert_eq!(shown("cancelled").await["error"], Value::Null);

    // Somebody waits for the end of one when the agent goes.
    let waiting = json!({ "path": "/a", "to": "/b" });
    let address = format!("{files}/copy");
    let mut call = Box::pin(admin.post(&address, waiting));
    tokio::select! {
        early = &mut call => panic!("{early:?}"),
        _ = agent.peer.expect("file_op", seconds(10)) => {}
    }
    drop(agent);
    call.await.refused(503, "node_offline");
    assert_eq!(shown("failed").await["error"]["code"], "node_offline");
    admin.post(&format!("{files}/copy"), copy).await.expect(202);
    assert_eq!(shown("failed").await["error"]["code"], "node_offline");
}

#[tokio::test]
async fn a_search_ends_with_its_caller() {
    let panel = Panel::start().await;
    let (mut agent, id) = node(&panel, &["files", "file-manager"]).await;
    let admin = panel.admin();
    let search = format!("/api/servers/{id}/files/search");
    let mut call = Box::pin(admin.post(&search, json!({ "path": "/", "content": "x" })));
    let asked = tokio::select! {
        early = &mut call => panic!("{early:?}"),
        asked = agent.peer.expect("file_search", seconds(10)) => asked,
    };
    drop(call);
    let cancel = agent.peer.expect("file_cancel", seconds(10)).await;
    assert_eq!(cancel["data"]["jobId"], asked["data"]["jobId"]);
    let found = json!({ "matches": [{ "path": "/a", "kind": "file", "line": 3, "text": "x" }], "scanned": 9, "truncated": false });
    let call = admin.post(&search, json!({ "path": "/", "name": "*.yml", "limit": 5 }));
    let (answer, asked) = agent.answers("file_search", ("file_matches", found.clone()), call).await;
    assert_eq!((answer.expect(200).json, &asked["limit"]), (found, &json!(5)));
    admin.post(&search, json!({ "path": "/" })).await.refused(422, "invalid");
    admin.post(&search, json!({ "path": "/", "name": "x", "limit": 1_001 })).await.refused(422, "invalid");
}
