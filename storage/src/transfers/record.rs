//! A move of a server, as it is stored.

use ids::NodeId;
use ids::ServerId;
use serde::{Deserialize, Serialize};

use crate::Millis;

/// How far a move is. What is written here is what a panel that was killed goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The server still lives where it was, and the ports at the other node are kept for it.
    #[serde(rename = "under")]
    InProgress,
    /// It lives at the other node; where it was it has yet to be removed.
    Switched,
    /// It failed: the server lives where it was.
    Failed,
    /// All is done.
    Done,
}

/// One server's move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// The id of the server that moves.
    pub server_id: ServerId,
    /// Where it was.
    pub from: NodeId,
    /// Where it is to go.
    pub to: NodeId,
    /// How far it is.
    pub step: Step,
    /// It ran before, and is to run after.
    pub ran: bool,
    /// Why it failed, for a person.
    #[serde(default)]
    pub error: Option<String>,
    /// When it was asked for.
    pub started_at: Millis,
    /// Nodes that may still have something of it that nobody needs.
    #[serde(default, rename = "litter")]
    pub leftovers: Vec<NodeId>,
    /// It is to be started again where it was, and has not been yet.
    #[serde(default)]
    pub restart: bool,
}
