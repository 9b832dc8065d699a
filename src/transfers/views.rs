//! A move as JSON.

use serde::Serialize;
use utoipa::ToSchema;

/// A server on its way to another node.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Move)]
pub struct MoveView {
    /// The node where it was.
    pub from: String,
    /// The node where it goes.
    pub to: String,
    /// What goes on.
    pub step: TransferStep,
    /// Of its data, 0 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// Bytes that were copied.
    pub bytes: u64,
    /// Bytes that there are to copy, as far as that is known.
    pub total: u64,
    /// Bytes in a second, while it is copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u64>,
    /// It ran before and is started again.
    pub runs: bool,
    /// When it was asked for.
    pub started_at: String,
    /// Why it failed, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// It can still be called off.
    pub cancellable: bool,
}

/// What goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MoveStep)]
pub enum TransferStep {
    /// It is looked whether the other node has room.
    Checking,
    /// The image is fetched there.
    Fetching,
    /// The game is stopped.
    Stopping,
    /// The data goes over.
    Copying,
    /// What came is compared with what was sent, and put on the disk.
    Verifying,
    /// The other node takes the server over.
    Switching,
    /// It is started there.
    Starting,
    /// It is removed where it was.
    Removing,
    /// It is where it was.
    Failed,
    /// It is where it was to go.
    Done,
}

impl TransferStep {
    /// In the middle of a sentence.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Checking => "its new node is looked at",
            Self::Fetching => "the image is fetched there",
            Self::Stopping => "the game is stopped",
            Self::Copying => "its data is copied",
            Self::Verifying => "the copy is checked",
            Self::Switching => "its new node takes it over",
            Self::Starting => "it is started there",
            Self::Removing => "it is removed where it was",
            Self::Failed | Self::Done => "it is over",
        }
    }
}
