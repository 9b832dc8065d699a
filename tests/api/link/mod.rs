//! The link between panel and agents, on real sockets: encodings, link stats, duplicate nodes, limits, floods.

mod duplicate_nodes;
mod encoding;
mod floods;
mod limits;
pub(crate) mod process;
pub(crate) mod raw_agent;
mod settings;

use serde_json::Value;

use crate::harness::{Panel, seconds, until};

/// Waits until the node's view meets the condition.
pub(crate) async fn node_where(panel: &Panel, id: &str, what: &str, pick: impl Fn(&Value) -> bool) -> Value {
    until(what, seconds(20), async || {
        let node = panel.admin().get(&format!("/api/nodes/{id}")).await.expect(200).json;
        pick(&node).then_some(node)
    })
    .await
}

/// Whether the node has this problem.
pub(crate) fn has_problem(node: &Value, code: &str) -> bool {
    node["problems"].as_array().is_some_and(|problems| problems.iter().any(|problem| problem["code"] == code))
}
