//! The answers to most requests: done, or failed.

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::codes::ErrorCode;
use super::lenient;
use super::status::Status;

/// `ack`: the request was accepted or done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ack {
    /// The server's status at the time of the answer, for power actions and installs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// `error`: a request was refused or failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorReport {
    /// The error code, for programs.
    #[serde(default)]
    pub code: ErrorCode,
    /// A message for users, one sentence.
    #[serde(default, deserialize_with = "lenient::text")]
    pub message: String,
    /// Details in a format chosen by the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
    /// Extension: id of the server; absent for requests about the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<ServerId>,
}
