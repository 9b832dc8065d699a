//! In-memory cache of what every call reads from the store; valid until the next commit.

use std::collections::HashMap;

use protocol::ServerId;
use storage::Cache;
use storage::sessions::Session;
use storage::users::User;

use super::permissions::Permissions;

/// Size limit of each of the caches for sessions, grants and tokens.
pub(super) const KEPT: usize = 256;

/// A session and its user.
pub(super) struct Stored {
    pub(super) session: Session,
    pub(super) user: User,
}

pub(super) struct Known {
    /// By session id.
    pub(super) sessions: Cache<Stored>,
    /// Permissions per server, by account id.
    pub(super) grants: Cache<HashMap<ServerId, Permissions>>,
}

impl Default for Known {
    fn default() -> Self {
        Self { sessions: Cache::new(KEPT), grants: Cache::new(KEPT) }
    }
}
