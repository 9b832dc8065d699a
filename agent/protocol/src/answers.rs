//! The answers that most requests get: done, or not.

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::codes::ErrorCode;
use super::lenient;
use super::status::Status;

/// `ack`: nothing, or the state in which the request left the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ack {
    /// The state at the moment of the answer, for power actions and installs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// `error`: what was asked for is refused, or failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorReport {
    /// Why, for programs.
    #[serde(default)]
    pub code: ErrorCode,
    /// One sentence for a person.
    #[serde(default, deserialize_with = "lenient::text")]
    pub message: String,
    /// Details in a form of the sender's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
    /// Part 2: whose server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<ServerId>,
}
