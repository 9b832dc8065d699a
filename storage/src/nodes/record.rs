//! A node, as it is stored.

use std::fmt;

use ids::NodeId;
use serde::{Deserialize, Serialize};

use crate::Millis;

/// A machine on which an agent runs game servers.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The agent's own id; `local` is the one in the panel's process.
    pub id: NodeId,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the node's own secret, where it has one.
    #[serde(default, with = "secret")]
    pub secret_hash: Option<Vec<u8>>,
    /// Whether it came with the secret that all agents share.
    #[serde(default)]
    pub joined_by_shared_secret: bool,
    /// When it was first known.
    pub created_at: Millis,
    /// When its agent was last connected, to about a minute.
    #[serde(default)]
    pub last_seen: Option<Millis>,
    /// The agent's last word on its machine, as JSON.
    #[serde(default)]
    pub system: Option<String>,
    /// The secret that was renewed; it opens until the agent has come with the new one, and no longer than it says.
    #[serde(default)]
    pub old_secret: Option<OldSecret>,
    /// When an agent last came with the node's secret.
    #[serde(default)]
    pub secret_used_at: Option<Millis>,
    /// Its secret was taken away: the hash is one that no secret has.
    #[serde(default)]
    pub revoked: bool,
    /// No new servers are placed there.
    #[serde(default)]
    pub draining: bool,
}

/// A secret on its way out.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct OldSecret {
    /// Its SHA-256.
    #[serde(with = "hex")]
    pub hash: Vec<u8>,
    /// When it opens no more.
    pub until: Millis,
}

impl Node {
    /// A node that nobody has heard of yet, without a secret of its own.
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

/// Bytes as a MessagePack string of hex digits: serde would write a `Vec<u8>` as a list of numbers.
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

/// The same where there may be none.
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
