//! What backups are made for, as far as backups know of it.

use std::pin::Pin;

use protocol::ServerId;
use storage::backups::FollowUp;
use storage::servers::Server;

use crate::error::ApiError;

/// The outcome of an act.
pub type Done = Pin<Box<dyn Future<Output = Result<(), ApiError>> + Send>>;

/// What is written in the same transaction.
pub type Also = Box<dyn FnOnce(&storage::WriteTx) -> storage::Result<()> + Send>;

/// Does what backups are made for.
pub trait Acts: Send + Sync + 'static {
    /// Does it to a server.
    fn perform(&self, server_id: ServerId, act: FollowUp) -> Done;
    /// Creates a server with free ports; `also` is written in the same transaction.
    fn insert_copy(&self, server: Server, also: Also) -> Done;
}
