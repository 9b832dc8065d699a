//! By which addresses players reach a server.

mod public_address;
mod routes;

use protocol::NodeId;
use storage::Store;

pub use routes::routes;

use self::routes::ReachView;
use crate::auth::{Permit, need};
use crate::error::ApiError;

/// Addresses of nodes and servers. Cheap to clone.
#[derive(Clone)]
pub struct Reach {
    store: Store,
}

impl Reach {
    /// Over the database.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The address by which the internet reaches a node; `None` if it is not known.
    pub fn public_host(&self, node_id: &NodeId) -> Result<Option<String>, ApiError> {
        Ok(self.store.read_now(|tx| storage::nodes::public_address(tx, node_id.as_str()))?)
    }

    /// By which addresses players reach a server.
    pub(super) fn of_server(&self, permit: &Permit<need::View>) -> Result<ReachView, ApiError> {
        let server = self.store.read_now(|tx| storage::servers::get(tx, permit.server_id()))?;
        let server = server.ok_or_else(|| ApiError::not_found("server"))?;
        Ok(ReachView { public_host: self.public_host(&server.node_id)? })
    }
}
