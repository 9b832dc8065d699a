//! The acts that mend a difference between what a node has and what it should have.

use super::Nodes;
use crate::agents::{Difference, DifferenceKind};
use crate::auth::Admin;
use crate::error::{ApiError, Code};

/// One way to mend a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mend {
    /// A missing server is made again, with nothing in its folder.
    Recreate,
    /// An unknown server becomes one of the panel's.
    Adopt,
    /// The node deletes an unknown server.
    Remove,
    /// Changed settings are sent again.
    Apply,
}

impl Mend {
    /// What may be done about a difference.
    pub(super) fn of(difference: &Difference) -> &'static [Self] {
        match difference.kind {
            DifferenceKind::Missing => &[Self::Recreate],
            DifferenceKind::Changed => &[Self::Apply],
            DifferenceKind::Unknown if difference.elsewhere.is_some() => &[Self::Remove],
            DifferenceKind::Unknown => &[Self::Adopt, Self::Remove],
        }
    }
}

impl Nodes {
    /// Mends what differs about one server of a node.
    pub async fn mend(&self, admin: &Admin, id: &str, server: &str, how: Mend) -> Result<(), ApiError> {
        let there = self.store.read_now(|tx| storage::nodes::get(tx, id))?.is_some();
        if !there {
            return Err(ApiError::not_found("node"));
        }
        if !self.agents.node(id).online {
            return Err(ApiError::new(Code::NodeOffline, "The node is offline."));
        }
        let difference =
            self.agents.difference(id, server).ok_or_else(|| ApiError::not_found("difference"))?;
        if !Mend::of(&difference).contains(&how) {
            return Err(ApiError::new(
                Code::Conflict,
                format!("That does not mend this. {}", difference.detail),
            ));
        }
        match how {
            Mend::Recreate => self.servers.recreate(admin, id, server).await,
            Mend::Apply => self.servers.apply_again(admin, id, server).await,
            Mend::Adopt => self.servers.adopt(admin, id, server).await,
            Mend::Remove => self.servers.remove_unknown(admin, id, server).await,
        }
    }
}
