//! What a server uses, sampled.

use ids::ServerId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lenient;
use super::payload::{Payload, few, id};

/// Servers in one subscription.
const SERVERS: usize = 10_000;

/// Bytes since the container's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Received.
    #[serde(rename = "in", default, deserialize_with = "lenient::unsigned")]
    pub received: u64,
    /// Sent.
    #[serde(rename = "out", default, deserialize_with = "lenient::unsigned")]
    pub sent: u64,
}

/// One sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Percent of one core.
    #[serde(default, deserialize_with = "lenient::fraction")]
    pub cpu: f64,
    /// Bytes, without the page cache.
    #[serde(default, deserialize_with = "lenient::unsigned")]
    pub memory: u64,
    /// Bytes in its folder.
    #[serde(default, deserialize_with = "lenient::unsigned")]
    pub disk: u64,
    /// Bytes since its start.
    #[serde(default)]
    pub network: Network,
    /// Players: a number, or an object, as other agents send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub players: Option<serde_json::Value>,
    /// When it was taken.
    #[serde(default = "Timestamp::now", deserialize_with = "lenient::time")]
    pub timestamp: Timestamp,
}

/// Part 2: `stats_subscribe`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatsSubscribe {
    /// Sampled each second while running; the others now and then.
    pub server_ids: Vec<ServerId>,
    /// Also [`super::NodeStats`] every 5 s.
    #[serde(default)]
    pub node: bool,
}

/// Part 2: `server_stats`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerStats {
    /// The server's id.
    pub server_id: ServerId,
    /// The newest sample.
    pub stats: Stats,
}

/// Part 2: `stats_history`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatsHistory {
    /// The server's id.
    pub server_id: ServerId,
    /// Oldest first, at most the last 10 minutes.
    pub samples: Vec<Stats>,
}

impl Payload for StatsSubscribe {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_ids, node: _ } = self;
        few("serverIds", server_ids.len(), SERVERS)?;
        server_ids.iter().try_for_each(id)
    }

    fn server_id(&self) -> Option<&ServerId> {
        None
    }
}
