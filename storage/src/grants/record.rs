//! What a user may do with a server, as it is stored.

use std::collections::BTreeSet;

use ids::ServerId;
use serde::{Deserialize, Serialize};

/// What a user may do with a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// The server.
    pub server_id: ServerId,
    /// The user.
    pub user_id: String,
    /// Names of what the user may do; the panel has the list of them. An empty set is a grant all the same.
    pub permissions: BTreeSet<String>,
}
