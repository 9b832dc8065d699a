//! What a user may do with a server, as it is stored.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// One thing that a user may do with one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// See that it is there and how it does.
    View,
    /// Read and use its console.
    Console,
    /// Start and stop it.
    Power,
    /// Read and write its files.
    Files,
    /// Rename it, and change those variables that its template lets users change. Records of earlier versions say `edit`.
    #[serde(alias = "edit")]
    Startup,
    /// Change its image, limits, ports, whole environment and startup line. Includes [`Permission::Startup`].
    Configure,
}

/// What a user may do with a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// The server.
    pub server_id: String,
    /// The user.
    pub user_id: String,
    /// What the user may do; an empty set is a grant all the same.
    pub permissions: BTreeSet<Permission>,
}
