//! The stored record of a session.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// A session: one sign-in of an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Id, contained in the token; useless without the token's signature.
    pub id: String,
    /// Id of the account.
    pub user_id: String,
    /// When it began.
    pub created_at: Millis,
    /// When it was last used, accurate to about a minute.
    pub last_used: Millis,
    /// When it expires.
    pub expires_at: Millis,
    /// IP address of the client.
    pub address: String,
    /// User agent of the client.
    pub user_agent: String,
    /// SHA-256 of the cookie's value; absent for token-only sessions.
    #[serde(default)]
    pub cookie_hash: Option<Vec<u8>>,
    /// SHA-256 of the session key, without which the cookie is not accepted; absent for token-only sessions.
    #[serde(default)]
    pub key_hash: Option<Vec<u8>>,
}
