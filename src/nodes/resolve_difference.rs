//! The acts that mend a difference between what a node has and what it should have.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Nodes;
use crate::agents::{Difference, DifferenceKind};
use crate::auth::Admin;
use crate::error::{ApiError, Code};

/// An act that mends a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Mend)]
pub enum Resolution {
    /// A missing server is made again, with nothing in its folder.
    Recreate,
    /// An unknown server becomes one of the panel's.
    Adopt,
    /// The node deletes an unknown server with its data.
    Remove,
    /// Changed settings are sent again.
    Apply,
}

impl Resolution {
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
    pub async fn mend(&self, admin: &Admin, id: &str, server: &str, how: Resolution) -> Result<(), ApiError> {
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
