//! An account, as it is stored.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Millis;

/// What an account may do everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Administrators may do everything.
    Admin,
    /// What was granted, server by server.
    User,
}

/// An account.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Never changes.
    pub id: String,
    /// Unique without regard to ASCII case.
    pub username: String,
    /// The argon2id hash in PHC form.
    pub password_hash: String,
    /// What the account may do everywhere.
    pub role: Role,
    /// When the account was made.
    pub created_at: Millis,
    /// When the account was last used, to about a minute.
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
