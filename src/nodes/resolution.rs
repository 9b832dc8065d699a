//! The resolutions of a difference between a node and the panel's records.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::agents::{Difference, DifferenceKind};

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
    /// The possible resolutions of a difference.
    pub(super) fn of(difference: &Difference) -> &'static [Self] {
        match difference.kind {
            DifferenceKind::Missing => &[Self::Recreate],
            DifferenceKind::Changed => &[Self::Apply],
            DifferenceKind::Unknown if difference.elsewhere.is_some() => &[Self::Remove],
            DifferenceKind::Unknown => &[Self::Adopt, Self::Remove],
        }
    }
}
