//! Messages about the agent's own program. The program itself is sent over a separate connection, like a server's data.

use super::payload::{Payload, WORD, within};
use ids::ServerId;
use serde::{Deserialize, Serialize};

/// Maximum bytes of a release's checksum list, and of its signature.
const SUMS: usize = 64 * 1024;

/// `upgrade_receive`: receives the next version of the agent's program and restarts with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeReceive {
    /// The version that it must report.
    pub version: String,
    /// Its exact size in bytes.
    pub size: u64,
    /// Its SHA-256 in hex digits.
    pub sha256: String,
    /// Last part of the stream's path, `/transfer/ID`.
    pub transfer_id: String,
    /// Single-use secret token for the stream.
    pub token: String,
    /// `SHA256SUMS` of the program's release; empty if the panel has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sums: String,
    /// `SHA256SUMS.minisig`, the signature of that list.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub signature: String,
}

/// The outcome of the last upgrade of a program, sent in `system_info`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeOutcome {
    /// The version that ran before.
    #[serde(default)]
    pub from: String,
    /// The version to upgrade to.
    #[serde(default)]
    pub to: String,
    /// `done`, or `reverted`: the previous version runs again.
    #[serde(default)]
    pub result: String,
    /// Why it was reverted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it ended, in RFC 3339.
    #[serde(default)]
    pub at: String,
}

impl Payload for UpgradeReceive {
    fn bound(&mut self) -> Result<(), String> {
        let Self { version, size: _, sha256, transfer_id, token, sums, signature } = self;
        within("sums", sums, SUMS)?;
        within("signature", signature, SUMS)?;
        [("version", version), ("sha256", sha256), ("transferId", transfer_id), ("token", token)]
            .into_iter()
            .try_for_each(|(what, text)| within(what, text, WORD))
    }

    fn server_id(&self) -> Option<&ServerId> {
        None
    }
}
