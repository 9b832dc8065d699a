//! A public SSH key, as it is stored.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// A key by which an account opens its files. It is public: nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshKey {
    /// Never changes.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// `ssh-ed25519` and the like.
    pub algorithm: String,
    /// `SHA256:…`, by which it is found.
    pub fingerprint: String,
    /// When it was added.
    pub created_at: Millis,
    /// Last login with this key, in whole hours.
    #[serde(default)]
    pub last_used: Option<Millis>,
}
