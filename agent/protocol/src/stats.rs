//! Resource usage of servers.

use ids::ServerId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lenient;
use super::payload::{Payload, few, id};

/// Maximum number of servers in one subscription.
const SERVERS: usize = 10_000;

/// Network traffic in bytes since the container's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Bytes received.
    #[serde(rename = "in", default, deserialize_with = "lenient::unsigned")]
    pub received: u64,
    /// Bytes sent.
    #[serde(rename = "out", default, deserialize_with = "lenient::unsigned")]
    pub sent: u64,
}

/// One sample of a server's resource usage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// CPU usage in percent of one core.
    #[serde(default, deserialize_with = "lenient::fraction")]
    pub cpu: f64,
    /// Memory in bytes, without the page cache.
    #[serde(default, deserialize_with = "lenient::unsigned")]
    pub memory: u64,
    /// Size of its folder in bytes.
    #[serde(default, deserialize_with = "lenient::unsigned")]
    pub disk: u64,
    /// Network traffic since its start.
    #[serde(default)]
    pub network: Network,
    /// Players, as sent by other implementations: a number or an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub players: Option<serde_json::Value>,
    /// When it was measured.
    #[serde(default = "Timestamp::now", deserialize_with = "lenient::time")]
    pub timestamp: Timestamp,
}

/// Extension: `stats_subscribe`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatsSubscribe {
    /// Servers to sample every second while they run; others are sampled less often.
    pub server_ids: Vec<ServerId>,
    /// Whether to send [`super::NodeStats`] every 5 s.
    #[serde(default)]
    pub node: bool,
}

/// Extension: `server_stats`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerStats {
    /// The server's id.
    pub server_id: ServerId,
    /// The newest sample.
    pub stats: Stats,
}

/// Extension: `stats_history`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatsHistory {
    /// The server's id.
    pub server_id: ServerId,
    /// The samples of up to 10 minutes, oldest first.
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
