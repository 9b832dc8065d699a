//! Resolves differences between a node and the panel's records.

use super::Nodes;
use super::resolution::Resolution;
use crate::auth::Admin;
use crate::error::{ApiError, Code};
use protocol::{NodeId, ServerId};

impl Nodes {
    /// Resolves the difference about a server of a node. 404 if there is none, 409 if `how` does not apply to it.
    pub async fn mend(
        &self,
        admin: &Admin,
        id: &NodeId,
        server: &ServerId,
        how: Resolution,
    ) -> Result<(), ApiError> {
        let there = self.store.read_now(|tx| storage::nodes::get(tx, id))?.is_some();
        if !there {
            return Err(ApiError::not_found("node"));
        }
        if !self.agents.node(id).online {
            return Err(ApiError::new(Code::NodeOffline, "The node is offline."));
        }
        let difference =
            self.agents.difference(id, server).ok_or_else(|| ApiError::not_found("difference"))?;
        if !Resolution::of(&difference).contains(&how) {
            return Err(ApiError::new(
                Code::Conflict,
                format!("That does not mend this. {}", difference.detail),
            ));
        }
        match how {
            Resolution::Recreate => self.servers.recreate(admin, id, server).await,
            Resolution::Apply => self.servers.apply_again(admin, id, server).await,
            Resolution::Adopt => self.servers.adopt(admin, id, server).await,
            Resolution::Remove => self.servers.remove_unknown(admin, id, server).await,
        }
    }
}
