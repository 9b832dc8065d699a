//! The stored record of a node.

use std::fmt;

use ids::NodeId;
use serde::{Deserialize, Serialize};

use crate::Millis;

/// A machine on which an agent runs game servers.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The agent's own id; `local` is the one in the panel's process.
    pub id: NodeId,
    /// Display name.
    pub name: String,
    /// SHA-256 of the node's own secret; absent if it has none.
    #[serde(default, with = "secret")]
    pub secret_hash: Option<Vec<u8>>,
    /// Whether it enrolled with the secret shared by all agents.
    #[serde(default)]
    pub joined_by_shared_secret: bool,
    /// When it first appeared.
    pub created_at: Millis,
    /// When its agent was last connected, accurate to about a minute.
    #[serde(default)]
    pub last_seen: Option<Millis>,
    /// The agent's last report about its machine, as JSON.
    #[serde(default)]
    pub system: Option<String>,
    /// The replaced secret. It is valid until the agent has connected with the new one, at most until its expiry.
    #[serde(default)]
    pub old_secret: Option<OldSecret>,
    /// When an agent last connected with the node's secret.
    #[serde(default)]
    pub secret_used_at: Option<Millis>,
    /// Whether its secret was revoked: the hash then matches no secret.
    #[serde(default)]
    pub revoked: bool,
    /// Whether the node is draining: no new servers are placed there.
    #[serde(default)]
    pub draining: bool,
}

/// A replaced secret that is still valid.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct OldSecret {
    /// SHA-256 of the secret.
    #[serde(with = "hex")]
    pub hash: Vec<u8>,
    /// When it expires.
    pub until: Millis,
}

impl Node {
    /// A node that was never connected, without a secret of its own.
    #[must_use]
    pub fn new(id: impl Into<NodeId>, name: impl Into<String>, created_at: Millis) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            secret_hash: None,
            joined_by_shared_secret: false,
            created_at,
            last_seen: None,
            system: None,
            old_secret: None,
            secret_used_at: None,
            revoked: false,
            draining: false,
        }
    }
}

impl fmt::Debug for OldSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OldSecret").field("until", &self.until).finish_non_exhaustive()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("secret_hash", &self.secret_hash.as_ref().map(|_| "…"))
            .field("joined_by_shared_secret", &self.joined_by_shared_secret)
            .field("created_at", &self.created_at)
            .field("last_seen", &self.last_seen)
            .field("system", &self.system)
            .field("old_secret", &self.old_secret)
            .field("secret_used_at", &self.secret_used_at)
            .field("revoked", &self.revoked)
            .field("draining", &self.draining)
            .finish()
    }
}

/// Serializes bytes as a hex string; serde would write a `Vec<u8>` as a list of numbers.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &[u8], out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&Hex(value))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<u8>, D::Error> {
        bytes(&String::deserialize(input)?)
    }

    pub(super) fn bytes<E: serde::de::Error>(text: &str) -> Result<Vec<u8>, E> {
        let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
        match digits {
            Some(digits) if digits.len() % 2 == 0 => {
                Ok(digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
            }
            _ => Err(E::custom("a secret's hash is not in hex digits")),
        }
    }

    pub(super) struct Hex<'a>(pub(super) &'a [u8]);

    impl std::fmt::Display for Hex<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
    }
}

/// Like `hex`, for an optional value.
mod secret {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::hex;

    #[expect(clippy::ref_option, reason = "serde's with asks for this shape")]
    pub(super) fn serialize<S: Serializer>(value: &Option<Vec<u8>>, out: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(bytes) => out.collect_str(&hex::Hex(bytes)),
            None => out.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Vec<u8>>, D::Error> {
        Option::<String>::deserialize(input)?.map(|text| hex::bytes(&text)).transpose()
    }
}
