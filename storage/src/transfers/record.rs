//! The stored record of a transfer.

use ids::NodeId;
use ids::ServerId;
use serde::{Deserialize, Serialize};

use crate::Millis;

/// Progress of a transfer. A panel that was killed continues from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The server is still on the source node; its ports on the target node are reserved.
    #[serde(rename = "under")]
    InProgress,
    /// The server is on the target node; its data on the source node is still to be removed.
    Switched,
    /// It failed: the server is on the source node.
    Failed,
    /// It is complete.
    Done,
}

/// A transfer of one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// Id of the server.
    pub server_id: ServerId,
    /// The source node.
    pub from: NodeId,
    /// The target node.
    pub to: NodeId,
    /// Its progress.
    pub step: Step,
    /// Whether the server was running before, and is to be started afterwards.
    pub ran: bool,
    /// Why it failed, for users.
    #[serde(default)]
    pub error: Option<String>,
    /// When it was requested.
    pub started_at: Millis,
    /// Nodes that may still have leftover data of the transfer.
    #[serde(default, rename = "litter")]
    pub leftovers: Vec<NodeId>,
    /// Whether the server still has to be restarted on the source node.
    #[serde(default)]
    pub restart: bool,
}
