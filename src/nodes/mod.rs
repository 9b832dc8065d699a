//! Machines with an agent: the rules.

mod door;
mod join;
mod routes;
mod views;

use sha2::{Digest, Sha256};
use storage::Store;
use storage::nodes::Node;

pub use door::Door;
pub use join::{Joining, Meeting, script};
pub use routes::routes;
pub use views::{NodeMade, NodeView};

use crate::agents::{Agents, Interest, local};
use crate::auth::{Admin, Caller};
use crate::clock;
use crate::error::{ApiError, Code};

/// Longest name of a node.
const NAME_CHARACTERS: usize = 80;

/// Everything about nodes. Cheap to clone.
#[derive(Clone)]
pub struct Nodes {
    store: Store,
    agents: Agents,
}

impl Nodes {
    /// Over the store and the agents.
    pub fn new(store: Store, agents: Agents) -> Self {
        Self { store, agents }
    }

    /// All nodes. Only administrators see all of each.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<NodeView>, ApiError> {
        self.agents.peek(Interest::Nodes);
        self.list_for(caller.is_admin()).await
    }

    /// The same for whoever knows already who asks.
    pub async fn list_for(&self, admin: bool) -> Result<Vec<NodeView>, ApiError> {
        let listed = self.store.read(|tx| {
            let mut all = Vec::new();
            for node in storage::nodes::list(tx)? {
                let servers = storage::servers::count_by_node(tx, &node.id)?;
                all.push((node, servers));
            }
            Ok::<_, storage::Error>(all)
        });
        Ok(listed.await?.into_iter().map(|(node, servers)| self.view(node, servers, admin)).collect())
    }

    /// One node.
    pub fn get(&self, caller: &Caller, id: &str) -> Result<NodeView, ApiError> {
        self.agents.peek(Interest::Nodes);
        self.get_for(caller.is_admin(), id)?.ok_or_else(|| ApiError::not_found("node"))
    }

    /// One node, if it is there.
    pub fn get_for(&self, admin: bool, id: &str) -> Result<Option<NodeView>, ApiError> {
        let found = self.store.read_now(|tx| {
            let Some(node) = storage::nodes::get(tx, id)? else { return Ok(None) };
            let servers = storage::servers::count_by_node(tx, id)?;
            Ok::<_, storage::Error>(Some((node, servers)))
        })?;
        Ok(found.map(|(node, servers)| self.view(node, servers, admin)))
    }

    /// Makes a node with a secret of its own. The secret is kept as a hash and told this once. `meeting` is where
    /// its agent finds us.
    pub async fn create(
        &self,
        admin: &Admin,
        id: String,
        name: Option<String>,
        meeting: &Meeting,
    ) -> Result<NodeMade, ApiError> {
        if !agent::protocol::valid_node_id(&id) {
            let problem = "must have 1 to 64 letters, digits, dots, - or _, and begin with a letter or digit";
            return Err(ApiError::field("id", problem));
        }
        let name = name.unwrap_or_else(|| id.clone());
        let length = name.chars().count();
        if !(1..=NAME_CHARACTERS).contains(&length) || name.chars().any(char::is_control) {
            let problem =
                format!("must have 1 to {NAME_CHARACTERS} characters, none of them control characters");
            return Err(ApiError::field("name", problem));
        }
        let secret = secret();
        let node = Node {
            id: id.clone(),
            name,
            secret_hash: Some(hash(&secret)),
            joined_by_shared_secret: false,
            created_at: clock::now(),
            last_seen: None,
            system: None,
        };
        self.store.write(move |tx| storage::nodes::insert(tx, &node)).await?;
        tracing::info!(node = id, by = admin.username(), "node made");
        self.agents.add_node(&id);
        let join_command = meeting.line(&id, &secret);
        Ok(NodeMade { id, secret, join_command })
    }

    /// Removes a node without servers; its agent is cut off.
    pub async fn delete(&self, admin: &Admin, id: &str) -> Result<(), ApiError> {
        if id == local::NODE_ID {
            return Err(ApiError::new(Code::Conflict, "The panel's own machine can't be removed."));
        }
        let key = id.to_owned();
        self.store.write(move |tx| storage::nodes::delete(tx, &key)).await?;
        tracing::info!(node = id, by = admin.username(), "node removed");
        self.agents.forget_node(id);
        Ok(())
    }

    fn view(&self, node: Node, servers: usize, admin: bool) -> NodeView {
        let seen = self.agents.node(&node.id);
        NodeView::new(node, seen, servers, admin)
    }
}

/// 256 bits from the system's generator, in hex digits.
fn secret() -> String {
    hex(&rand::random::<[u8; 32]>())
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_256_bits_and_are_kept_as_a_hash() {
        let (one, other) = (secret(), secret());
        assert_eq!(one.len(), 64);
        assert_ne!(one, other);
        assert_eq!(
            hex(&hash("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "FIPS 180-2, appendix B.1"
        );
    }
}
