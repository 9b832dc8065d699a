//! A sign-in, as it is stored.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// One sign-in of one account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Named in the token; worth nothing without its signature.
    pub id: String,
    /// Who signed in.
    pub user_id: String,
    /// When it began.
    pub created_at: Millis,
    /// When it was last used, to about a minute.
    pub last_used: Millis,
    /// When it ends by itself.
    pub expires_at: Millis,
    /// From which address.
    pub address: String,
    /// With which browser or program.
    pub user_agent: String,
    /// The SHA-256 of the cookie's value; absent where the session is one by token only.
    #[serde(default)]
    pub cookie_hash: Option<Vec<u8>>,
    /// The SHA-256 of the session key, without which the cookie is worth nothing; absent as that one is.
    #[serde(default)]
    pub key_hash: Option<Vec<u8>>,
}
