//! The stored record of a login at an image registry.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Millis;

/// A login at an image registry. Its secret is stored in plain text, since the registry needs it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// Never changes.
    pub id: String,
    /// Host, with its port if it has one; `docker.io` for Docker Hub.
    pub host: String,
    /// User name.
    pub username: String,
    /// The password or token.
    pub secret: String,
    /// When it was added.
    pub created_at: Millis,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("id", &self.id).field("host", &self.host).finish_non_exhaustive()
    }
}
