//! Two connections of one node.

use super::process::AgentProcess;
use super::raw_agent::{self, RawAgent};
use super::{has_problem, node_where};
use crate::harness::{Panel, seconds, until};

#[tokio::test]
async fn the_second_replaces_the_first_and_from_the_third_time_on_one_stays() {
    let panel = Panel::builder().env("LINK_TIMES", "rivals_refused=2000").start().await;
    let secret = raw_agent::node(&panel, "attic").await;
    let address = panel.agents_address();
    let mut there = RawAgent::join(&panel, "attic", &secret).await;
    for _ in 0..3 {
        let node = panel.admin().get("/api/nodes/attic").await.expect(200).json;
        assert!(!has_problem(&node, "two_machines"), "{node}");
        let next = RawAgent::join(&panel, "attic", &secret).await;
        assert_eq!(there.closed(seconds(10)).await, 4409);
        there = next;
        let node = panel.admin().get("/api/nodes/attic").await.expect(200).json;
        assert_eq!(node["online"], true, "the end of the stale one takes nobody offline");
    }
    assert_eq!(RawAgent::connect(&address, "attic", &secret, None).await.err(), Some(409));
    let wrong = RawAgent::connect(&address, "attic", "wrong", None).await;
    assert_eq!(wrong.err(), Some(401), "who is not let in learns nothing");
    let node = panel.admin().get("/api/nodes/attic").await.expect(200).json;
    assert!(has_problem(&node, "two_machines") && node["online"] == true, "{node}");
    // The remaining connection still works.
    there.say(&serde_json::json!({ "type": "tea", "messageId": "5" })).await;
    assert_eq!(there.wait_for("error", seconds(10)).await["messageId"], "5");
    node_where(&panel, "attic", "it is over", |node| !has_problem(node, "two_machines")).await;
    let _newer = RawAgent::join(&panel, "attic", &secret).await;
    assert_eq!(there.closed(seconds(10)).await, 4409);
}

#[tokio::test]
async fn an_empty_place_is_free() {
    let panel = Panel::start().await;
    let secret = raw_agent::node(&panel, "attic").await;
    let mut there = RawAgent::join(&panel, "attic", &secret).await;
    for _ in 0..3 {
        let next = RawAgent::join(&panel, "attic", &secret).await;
        assert_eq!(there.closed(seconds(10)).await, 4409);
        there = next;
    }
    drop(there);
    node_where(&panel, "attic", "it is gone", |node| node["online"] == false).await;
    RawAgent::join(&panel, "attic", &secret).await;
    let text = "disconnected for node: attic";
    until("it is gone again", seconds(10), async || (panel.log().matches(text).count() > 1).then_some(()))
        .await;
}

#[tokio::test]
async fn our_agent_waits_after_it_was_replaced_and_takes_no_place_back() {
    let panel = Panel::start().await;
    let secret = raw_agent::node(&panel, "attic").await;
    let url = format!("ws://{}", panel.agents_address());
    let env = [
        ("PANEL_URL", url.as_str()),
        ("NODE_ID", "attic"),
        ("AGENT_SECRET", secret.as_str()),
        ("LINK_TIMES", "first_wait=10,most_wait=20,replaced=3000,refused=300"),
    ];
    let agent = AgentProcess::start(&env);
    node_where(&panel, "attic", "it is online", |node| node["online"] == true).await;
    let mut other = RawAgent::join(&panel, "attic", &secret).await;
    until("it says so", seconds(10), async || agent.log().contains("took our place").then_some(())).await;
    let began = std::time::Instant::now();
    until("it comes back", seconds(20), async || agent.log().contains("another machine uses").then_some(()))
        .await;
    assert!(began.elapsed() > std::time::Duration::from_secs(2), "{:?}", began.elapsed());
    // A process that was already replaced is refused. Otherwise the two would replace each other forever, unnoticed.
    let node = panel.admin().get("/api/nodes/attic").await.expect(200).json;
    assert!(has_problem(&node, "two_machines") && node["encoding"] == "json", "{node}");
    other.say(&serde_json::json!({ "type": "tea", "messageId": "5" })).await;
    while other.wait_for("error", seconds(10)).await["messageId"] != "5" {}
    // Once the other agent is gone, the node can connect again.
    drop(other);
    node_where(&panel, "attic", "it has its place", |node| node["encoding"] == "msgpack").await;
}
