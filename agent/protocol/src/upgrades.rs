//! Messages about the agent's own program. The program itself comes over a connection of its own, as a server's data
//! does.

use super::payload::{Payload, WORD, within};
use ids::ServerId;
use serde::{Deserialize, Serialize};

/// Bytes of a release's list of sums, and of its signature.
const SUMS: usize = 64 * 1024;

/// `upgrade_receive`: takes the next version of the agent's program and starts anew with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeReceive {
    /// What it has to call itself.
    pub version: String,
    /// Its bytes: neither more nor less are taken.
    pub size: u64,
    /// Its SHA-256 in hex digits.
    pub sha256: String,
    /// The end of the address to dial: `/transfer/ID`.
    pub transfer_id: String,
    /// Secret that opens the connection, once.
    pub token: String,
    /// `SHA256SUMS` of the program's release; empty from a panel that has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sums: String,
    /// `SHA256SUMS.minisig`, the signature of that list.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub signature: String,
}

/// What became of the last upgrade of a program, told in `system_info`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeOutcome {
    /// The version that ran before.
    #[serde(default)]
    pub from: String,
    /// The version that was to be.
    #[serde(default)]
    pub to: String,
    /// `done`, or `reverted`: the version before runs again.
    #[serde(default)]
    pub result: String,
    /// Why it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When, in RFC 3339.
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
