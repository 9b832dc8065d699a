//! By which addresses players reach a server, and what may be in the way.

mod public_address;
mod router;
mod routes;
mod views;

use std::sync::Arc;

use protocol::NodeId;
use storage::Store;

pub use routes::routes;

use crate::agents::Agents;
use crate::error::ApiError;

/// Addresses of nodes and servers. Cheap to clone.
#[derive(Clone)]
pub struct Reach {
    store: Store,
    agents: Agents,
    own_ports: Arc<[u16]>,
}

impl Reach {
    /// Over the database and the agents. `own_ports` are those of the panel, which no router is asked to forward.
    pub fn new(store: Store, agents: Agents, own_ports: Vec<u16>) -> Self {
        Self { store, agents, own_ports: own_ports.into() }
    }

    /// The address by which the internet reaches a node; `None` if it is not known.
    pub fn public_host(&self, node_id: &NodeId) -> Result<Option<String>, ApiError> {
        Ok(self.store.read_now(|tx| storage::nodes::public_address(tx, node_id.as_str()))?)
    }
}
