//! What every call asks the store for, kept in memory until the next commit.

use std::collections::HashMap;

use protocol::ServerId;
use storage::Cache;
use storage::sessions::Session;
use storage::users::User;

use super::permissions::Permissions;

/// Sessions, accounts' grants and tokens that are kept, of each so many.
pub(super) const KEPT: usize = 256;

/// A session and whose it is.
pub(super) struct Stored {
    pub(super) session: Session,
    pub(super) user: User,
}

pub(super) struct Known {
    /// By their id.
    pub(super) sessions: Cache<Stored>,
    /// What was granted on which server, by the account's id.
    pub(super) grants: Cache<HashMap<ServerId, Permissions>>,
}

impl Default for Known {
    fn default() -> Self {
        Self { sessions: Cache::new(KEPT), grants: Cache::new(KEPT) }
    }
}
