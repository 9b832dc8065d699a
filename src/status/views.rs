//! The panel's status as JSON.

use serde::Serialize;
use storage::Millis;
use utoipa::ToSchema;

use crate::system::clock::rfc3339;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// `GET /health`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    pub(super) status: &'static str,
    pub(super) version: &'static str,
}

/// Something that is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Problem {
    /// A word for scripts.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// For the banner.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Status)]
pub struct StatusView {
    version: &'static str,
    /// Whether nothing can be changed at the moment.
    read_only: bool,
    /// Empty for those who are not administrators.
    problems: Vec<Problem>,
    started_at: String,
}

impl StatusView {
    pub(super) fn new(read_only: bool, problems: Vec<Problem>, started_at: Millis) -> Self {
        Self { version: VERSION, read_only, problems, started_at: rfc3339(started_at) }
    }
}
