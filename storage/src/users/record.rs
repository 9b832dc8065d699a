//! The stored record of an account.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Millis;

/// The role of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May do everything.
    Admin,
    /// May do what was granted per server.
    User,
}

/// An account.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Never changes.
    pub id: String,
    /// Login name; unique, ignoring ASCII case.
    pub username: String,
    /// The argon2id hash in PHC form.
    pub password_hash: String,
    /// Its role.
    pub role: Role,
    /// When the account was created.
    pub created_at: Millis,
    /// When the account was last used, accurate to about a minute.
    #[serde(default)]
    pub last_seen: Option<Millis>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("username", &self.username)
            .field("password_hash", &"…")
            .field("role", &self.role)
            .field("created_at", &self.created_at)
            .field("last_seen", &self.last_seen)
            .finish()
    }
}
