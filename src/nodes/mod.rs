//! Nodes: create, change, delete, and their secrets.

mod agent_listener;
mod enrollment;
mod join;
mod program;
mod resolution;
mod resolve_difference;
mod routes;
mod secrets;
mod topic;
mod views;

use std::sync::Arc;

use protocol::NodeId;
use storage::Store;
use storage::nodes::Node;

pub use agent_listener::AgentListener;
pub use join::{Enrollment, EnrollmentConfig, script};
pub use routes::routes;
pub use topic::topics;
pub use views::{NodeMade, NodeView};

use self::secrets::Hash;
use crate::agents::{AgentTopic, Agents, local};
use crate::auth::{Actor, Admin};
use crate::config::Secret;
use crate::error::{ApiError, Code};
use crate::revision::{self, Expected};
use crate::servers::{self, Servers};
use crate::system::clock;

/// Longest name of a node.
const NAME_CHARACTERS: usize = 80;

/// A change of a node. `None` keeps a value.
pub struct NodeChange {
    /// Display name: 1 to 80 characters.
    pub name: Option<String>,
    /// Whether no new servers are placed there.
    pub draining: Option<bool>,
}

/// All operations on nodes. Cheap to clone.
#[derive(Clone)]
pub struct Nodes {
    store: Store,
    agents: Agents,
    servers: Servers,
    /// SHA-256 of the secret that all agents may share; `None` if it is not set.
    shared: Option<Arc<Hash>>,
}

impl Nodes {
    /// Creates the handle. `shared` is the secret that all agents may share; `None` if it is not set.
    pub fn new(store: Store, agents: Agents, servers: Servers, shared: Option<&Secret>) -> Self {
        let shared = shared.map(|secret| Arc::new(secrets::hash(secret.expose())));
        Self { store, agents, servers, shared }
    }

    /// All nodes. Some fields are for administrators only.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<NodeView>, ApiError> {
        self.agents.keep_fresh(AgentTopic::Nodes);
        self.list_for(actor.is_admin()).await
    }

    /// Like [`Nodes::list`], but does not keep the list fresh, for live connections.
    pub async fn list_for(&self, admin: bool) -> Result<Vec<NodeView>, ApiError> {
        let listed = self.store.read(|tx| {
            let mut all = Vec::new();
            for node in storage::nodes::list(tx)? {
                let placed = storage::servers::placed_on(tx, &node.id)?;
                all.push((node, placed));
            }
            Ok::<_, storage::Error>(all)
        });
        Ok(listed.await?.into_iter().map(|(node, placed)| self.view(node, placed, admin)).collect())
    }

    /// A node. 404 if it does not exist.
    pub fn get(&self, actor: &Actor, id: &NodeId) -> Result<NodeView, ApiError> {
        self.agents.keep_fresh(AgentTopic::Nodes);
        self.get_for(actor.is_admin(), id)?.ok_or_else(|| ApiError::not_found("node"))
    }

    /// A node; `None` if it does not exist.
    pub fn get_for(&self, admin: bool, id: &NodeId) -> Result<Option<NodeView>, ApiError> {
        let found = self.store.read_now(|tx| {
            let Some(node) = storage::nodes::get(tx, id)? else { return Ok(None) };
            let placed = storage::servers::placed_on(tx, id)?;
            Ok::<_, storage::Error>(Some((node, placed)))
        })?;
        Ok(found.map(|(node, placed)| self.view(node, placed, admin)))
    }

    /// Creates a node with a secret of its own. Only a hash of the secret is stored, so the answer is the only time it
    /// is shown. `meeting` is how its agent reaches the panel.
    pub async fn create(
        &self,
        admin: &Admin,
        id: NodeId,
        name: Option<String>,
        meeting: &Enrollment,
    ) -> Result<NodeMade, ApiError> {
        if !id.is_valid() {
            let problem = "must have 1 to 64 letters, digits, dots, - or _, and begin with a letter or digit";
            return Err(ApiError::field("id", problem));
        }
        if id == servers::AUTO {
            return Err(ApiError::field("id", "is the word for \"where there is room\": choose another one"));
        }
        let name = name.unwrap_or_else(|| id.to_string());
        check_name(&name)?;
        let secret = secrets::make();
        let mut node = Node::new(id.clone(), name.clone(), clock::now());
        node.secret_hash = Some(secrets::hash(&secret).to_vec());
        self.store.write(move |tx| storage::nodes::insert(tx, &node)).await?;
        tracing::info!(node = %id, by = %admin, "node made");
        self.agents.add_node(&id, &name);
        Ok(made(meeting, id, secret))
    }

    /// Changes a node's name, or whether new servers are placed there. 412 if its revision is not the expected one.
    pub async fn change(
        &self,
        admin: &Admin,
        id: &NodeId,
        change: NodeChange,
        expected: Expected,
    ) -> Result<NodeView, ApiError> {
        if let Some(name) = &change.name {
            check_name(name)?;
        }
        let NodeChange { name, draining } = change;
        let node = self
            .try_update(id, move |node| {
                expected.check(Some(&revision(node)))?;
                node.name = name.unwrap_or_else(|| node.name.clone());
                node.draining = draining.unwrap_or(node.draining);
                Ok(())
            })
            .await?;
        tracing::info!(
            node = %id,
            name = node.name,
            draining = node.draining,
            by = %admin,
            "node changed"
        );
        self.agents.add_node(id, &node.name);
        self.get_for(true, id)?.ok_or_else(|| ApiError::not_found("node"))
    }

    /// Gives a node a new secret, shown only once. The previous secret stays valid until the agent uses the new one,
    /// but at most ten minutes. The agent is disconnected and has to authenticate again.
    pub async fn renew_secret(
        &self,
        admin: &Admin,
        id: &NodeId,
        meeting: &Enrollment,
    ) -> Result<NodeMade, ApiError> {
        not_local(id, "has no secret")?;
        let secret = secrets::make();
        let (new, shared, lasts) = (secrets::hash(&secret), self.shared.clone(), self.agents.times().renewed);
        self.update(id, move |node| secrets::renew(node, &new, shared.as_deref(), clock::now(), lasts))
            .await?;
        tracing::info!(node = %id, by = %admin, "the secret of a node was renewed");
        self.agents.cut_off(id);
        self.agents.node_changed(id);
        Ok(made(meeting, id.to_owned(), secret))
    }

    /// Revokes a node's secret. Its agent is disconnected at once, and cannot connect again.
    pub async fn revoke_secret(&self, admin: &Admin, id: &NodeId) -> Result<(), ApiError> {
        not_local(id, "has no secret")?;
        self.update(id, secrets::revoke).await?;
        tracing::info!(node = %id, by = %admin, "the secret of a node was revoked");
        self.agents.cut_off(id);
        self.agents.node_changed(id);
        Ok(())
    }

    /// Removes a node without servers and disconnects its agent. With `force`, also removes an offline node that has
    /// servers: the panel deletes their records, and their containers and files stay on that machine.
    pub async fn delete(&self, admin: &Admin, id: &NodeId, force: bool) -> Result<(), ApiError> {
        not_local(id, "can't be removed")?;
        if force && self.agents.node(id).online {
            let sentence = "The node is online: move or delete its servers, or stop its agent first.";
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        let key = id.to_owned();
        let write = self.store.write(move |tx| {
            if force {
                return storage::nodes::delete_with_servers(tx, &key, clock::now());
            }
            storage::nodes::delete(tx, &key)?;
            Ok(Vec::new())
        });
        let forgotten = write.await?;
        tracing::info!(node = %id, servers = ?forgotten, by = %admin, "node removed");
        for server in &forgotten {
            self.agents.forget_server(server);
        }
        self.agents.forget_node(id);
        Ok(())
    }

    /// Changes a node's record in one transaction. 404 if it does not exist.
    async fn update(
        &self,
        id: &NodeId,
        change: impl FnOnce(&mut Node) + Send + 'static,
    ) -> Result<Node, ApiError> {
        let change = move |node: &mut Node| {
            change(node);
            Ok(())
        };
        self.try_update(id, change).await
    }

    /// Like [`Nodes::update`], with a `change` that can fail.
    async fn try_update(
        &self,
        id: &NodeId,
        change: impl FnOnce(&mut Node) -> Result<(), ApiError> + Send + 'static,
    ) -> Result<Node, ApiError> {
        let id = id.to_owned();
        let write = self.store.write(move |tx| {
            let mut node = storage::nodes::get(tx, &id)?.ok_or_else(|| ApiError::not_found("node"))?;
            change(&mut node)?;
            storage::nodes::update(tx, &node)?;
            Ok::<Node, ApiError>(node)
        });
        write.await
    }

    fn view(&self, node: Node, placed: storage::servers::Placed, admin: bool) -> NodeView {
        let seen = self.agents.node(&node.id);
        NodeView::new(node, seen, placed, admin)
    }
}

/// Revision of what a user can change about a node.
fn revision(node: &Node) -> String {
    revision::of(&[&node.name, if node.draining { "draining" } else { "" }])
}

/// Whether no remote node may have this id.
fn is_reserved(id: &NodeId) -> bool {
    id == local::NODE_ID || id == servers::AUTO
}

fn not_local(id: &NodeId, what: &str) -> Result<(), ApiError> {
    if id == local::NODE_ID {
        return Err(ApiError::new(Code::Conflict, format!("The panel's own machine {what}.")));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let length = name.chars().count();
    if !(1..=NAME_CHARACTERS).contains(&length)
        || name.trim().is_empty()
        || name.chars().any(char::is_control)
    {
        let problem = format!("must have 1 to {NAME_CHARACTERS} characters, none of them control characters");
        return Err(ApiError::field("name", problem));
    }
    Ok(())
}

fn made(meeting: &Enrollment, id: NodeId, secret: String) -> NodeMade {
    let join_command = meeting.line(&id, &secret);
    NodeMade { id: id.into_string(), secret, join_command }
}
