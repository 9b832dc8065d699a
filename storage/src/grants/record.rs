//! The stored record of a grant.

use std::collections::BTreeSet;

use ids::ServerId;
use serde::{Deserialize, Serialize};

/// A user's permissions on one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Id of the server.
    pub server_id: ServerId,
    /// Id of the user.
    pub user_id: String,
    /// Names of the permissions, which the panel defines. An empty set is still a grant.
    pub permissions: BTreeSet<String>,
}
