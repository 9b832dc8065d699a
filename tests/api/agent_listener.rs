//! The agents' port: which agents are refused, and with which status.

use crate::harness::{Panel, raw, seconds};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

async fn ask(address: &str, path: &str, headers: &str) -> u16 {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
    raw::status(&raw::exchange_head(address, request.as_bytes(), seconds(5)).await)
}

#[tokio::test]
async fn it_asks_in_the_protocols_order() {
    let panel = Panel::builder().env("AGENT_SECRET", "a shared secret of ours").start().await;
    let address = panel.agents_address();
    let made = panel.admin().post("/api/nodes", serde_json::json!({ "id": "attic" })).await.expect(201);
    let own = made.json["secret"].as_str().unwrap().to_owned();
    let shared = "Authorization: Bearer a shared secret of ours\r\n";
    let own = format!("Authorization: Bearer {own}\r\n");
    let node = |id: &str| format!("X-Node-Id: {id}\r\n");
    let a = address.as_str();
    assert_eq!(ask(a, "/api/servers", &format!("{UPGRADE}{shared}")).await, 404);
    assert_eq!(ask(a, "/health", "").await, 404);
    assert_eq!(ask(a, "/", &format!("{shared}{}", node("pi"))).await, 426);
    assert_eq!(ask(a, "/", &format!("{UPGRADE}Origin: http://{a}\r\n{shared}{}", node("pi"))).await, 403);
    assert_eq!(ask(a, "/", &format!("{UPGRADE}{}", node("pi"))).await, 401);
    assert_eq!(ask(a, "/", UPGRADE).await, 401);
    for wrong in [
        "Authorization: Bearer agent-secret\r\n",
        "Authorization: Basic YTpi\r\n",
        "Authorization: Bearer \r\n",
    ] {
        assert_eq!(ask(a, "/", &format!("{UPGRADE}{wrong}{}", node("pi"))).await, 401, "{wrong}");
    }
    let session = format!("Authorization: Bearer {}\r\n", panel.admin().token.unwrap());
    assert_eq!(ask(a, "/", &format!("{UPGRADE}{session}{}", node("pi"))).await, 401, "a session is no agent");
    assert_eq!(ask(a, "/", &format!("{UPGRADE}{shared}")).await, 400);
    assert_eq!(ask(a, "/", &format!("{UPGRADE}{own}")).await, 400);
    for bad in ["local", "../x", "-x", "a%20b"] {
        assert_eq!(ask(a, "/", &format!("{UPGRADE}{shared}{}", node(bad))).await, 400, "{bad}");
    }
    assert_eq!(ask(a, "/?nodeId=other", &format!("{UPGRADE}{shared}{}", node("pi"))).await, 400);
    // A node with a secret of its own refuses the shared one, and its secret is not valid for any other node.
    assert_eq!(ask(a, "/", &format!("{UPGRADE}{shared}{}", node("attic"))).await, 401);
    assert_eq!(ask(a, "/", &format!("{UPGRADE}{own}{}", node("pi"))).await, 401);
    let log = panel.log();
    assert!(
        !log.contains("a shared secret of ours")
            && !log.contains(own.trim_start_matches("Authorization: Bearer ").trim())
    );
}

#[tokio::test]
async fn without_a_shared_secret_none_opens() {
    let panel = Panel::start().await;
    let address = panel.agents_address();
    for secret in ["", "agent-secret", "undefined", "null"] {
        let headers = format!("{UPGRADE}Authorization: Bearer {secret}\r\nX-Node-Id: pi\r\n");
        assert_eq!(ask(&address, "/", &headers).await, 401, "{secret:?}");
    }
}

const SHARED: &str = "Authorization: Bearer a shared secret of ours\r\n";

fn as_node(id: &str) -> String {
    format!("X-Node-Id: {id}\r\n")
}

#[tokio::test]
async fn guesses_of_a_secret_are_limited_and_known_agents_come_in() {
    let panel = Panel::builder().env("AGENT_SECRET", "a shared secret of ours").start().await;
    let made = panel.admin().post("/api/nodes", serde_json::json!({ "id": "attic" })).await.expect(201);
    let own = format!("{UPGRADE}Authorization: Bearer {}\r\n", made.json["secret"].as_str().unwrap());
    let address = panel.agents_address();
    let a = address.as_str();
    let known = format!("{UPGRADE}{SHARED}{}X-Agent-Process: 4711\r\n", as_node("pi"));
    assert_eq!(ask(a, "/", &known).await, 101);
    let guess = |n: usize, id: &str| format!("{UPGRADE}Authorization: Bearer guess {n}\r\n{}", as_node(id));
    let mut said = std::collections::BTreeMap::<u16, usize>::new();
    for n in 0..300 {
        *said.entry(ask(a, "/", &guess(n, ["pi", "attic", "new"][n % 3])).await).or_default() += 1;
    }
    assert_eq!(said, [(401, 10), (429, 290)].into(), "ten of a minute are looked at");
    let request = format!("GET / HTTP/1.1\r\nHost: {a}\r\n{}\r\n", guess(0, "pi"));
    let full = raw::exchange_head(a, request.as_bytes(), seconds(5)).await;
    assert!(full.to_ascii_lowercase().contains("retry-after: "));
    // The right secret is refused too while the client is throttled, and without an id the answer does not reveal it.
    assert_eq!(ask(a, "/", &format!("{UPGRADE}{SHARED}{}", as_node("new"))).await, 429);
    assert_eq!(ask(a, "/", &format!("{UPGRADE}{SHARED}{}", as_node("pi"))).await, 429, "another process");
    assert_eq!(ask(a, "/", &format!("{UPGRADE}{SHARED}")).await, 429);
    // Agents at the same address that authenticated before, or have a secret that cannot be guessed, still get in.
    assert_eq!(ask(a, "/", &known).await, 101);
    assert_eq!(ask(a, "/", &format!("{own}{}", as_node("attic"))).await, 101);
    let lines = panel.log().lines().filter(|line| line.contains("an agent came with a wrong secret")).count();
    assert_eq!(lines, 1, "once per address and minute");
    assert!(!panel.log().contains("guess 1"));
}

#[tokio::test]
async fn new_nodes_by_the_shared_secret_are_limited() {
    let panel = Panel::builder().env("AGENT_SECRET", "a shared secret of ours").start().await;
    let address = panel.agents_address();
    let mut said = std::collections::BTreeMap::<u16, usize>::new();
    for part in 0..15 {
        let all = (0..100).map(|n| {
            let headers = format!("{UPGRADE}{SHARED}{}", as_node(&format!("n-{part}-{n}")));
            let address = &address;
            async move { ask(address, "/", &headers).await }
        });
        for status in futures_util::future::join_all(all).await {
            *said.entry(status).or_default() += 1;
        }
    }
    assert_eq!(said[&101] + said[&429], 1500, "{said:?}");
    let nodes = panel.admin().get("/api/nodes").await.expect(200).json;
    // The local node is in the list as well.
    let made = nodes.as_array().unwrap().len() - 1;
    assert!((200..=256).contains(&made), "{made} nodes, {said:?}");
    assert_eq!(
        ask(&address, "/", &format!("{UPGRADE}{SHARED}{}", as_node("n-0-0"))).await,
        101,
        "it is known"
    );
    assert_eq!(ask(&address, "/", &format!("{UPGRADE}{SHARED}{}", as_node("late"))).await, 429);
    assert!(panel.log().contains("a new node was not let in"));
}
