//! A login at an image registry, as it is stored.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Millis;

/// Who we are at a registry. Its secret is in the database as it is: the registry wants it so.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// Never changes.
    pub id: String,
    /// Host, with its port where it has one; `docker.io` for Docker's own.
    pub host: String,
    /// Who logs in.
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
