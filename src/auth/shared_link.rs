//! Whoever has a server's public link may see how the server is and, where its owner allows it, start it.

use sha2::{Digest, Sha256};
use storage::shares::{self, Share};

use super::access::forbidden;
use super::permissions::{Permission, Permissions};
use super::{Actor, Auth, Permit, ServerAccess, need};
use crate::error::ApiError;

/// The hash by which a link is found.
pub fn link_hash(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Proof that somebody has a server's public link.
pub struct SharedLink {
    access: ServerAccess,
    share: Share,
}

impl SharedLink {
    /// What its owner has set.
    pub fn share(&self) -> &Share {
        &self.share
    }

    /// The permit to see how the server is.
    pub fn view(&self) -> Result<Permit<need::View>, ApiError> {
        self.access.clone().permit()
    }

    /// The permit to start it, or 403 where its owner does not allow that.
    pub fn wake(&self) -> Result<Permit<need::Power>, ApiError> {
        self.access.clone().permit().map_err(|_| forbidden())
    }
}

impl Auth {
    /// The link with this secret; `None` if there is none, or there is none any more. The database is asked for a hash
    /// of what came, so an answer takes as long however much of it is right.
    pub fn shared_link(&self, token: &str) -> Result<Option<SharedLink>, ApiError> {
        let hash = link_hash(token);
        let found = self.0.store.read_now(|tx| shares::find(tx, &hash))?;
        Ok(found.map(|(server_id, share)| {
            let granted = if share.wake { Permission::Power } else { Permission::View };
            let permissions = Permissions::granted([granted]);
            SharedLink { access: ServerAccess { actor: Actor::Visitor, server_id, permissions }, share }
        }))
    }
}
