//! A server's public link, as it is stored.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// A link by which anybody sees where a server is and how it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The secret part of the link. Kept as it is, so that the link can be shown again: it opens far less than this
    /// database does.
    pub token: String,
    /// Whether whoever has the link may start the server.
    #[serde(default)]
    pub wake: bool,
    /// What friends should know, such as what to install; may be empty.
    #[serde(default)]
    pub note: String,
    /// When the link was made.
    pub created_at: Millis,
}
