//! The agents' port: who may come in.
//!
//! What is refused is refused before the upgrade, in this order: another address (404), no WebSocket (426), a browser
//! (any `Origin`: 403), a wrong secret (401), a missing, bad or doubtful node id (400). The order is the protocol's.

use hyper::header::{AUTHORIZATION, HeaderMap, ORIGIN};
use hyper::{Request, Uri};
use sha2::{Digest, Sha256};
use storage::Store;
use storage::nodes::Node;

use crate::agents::{Agents, local, remote};
use crate::clock;
use crate::config::Secret;
use crate::error::{ApiError, Code};
use crate::http::{Body, Response, Upgrade, error};
use crate::shutdown::Tasks;

/// Stands at the agents' port. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    store: Store,
    agents: Agents,
    tasks: Tasks,
    /// SHA-256 of the secret that all agents may share.
    shared: Option<[u8; 32]>,
}

impl Door {
    /// Over the nodes that have secrets of their own, and the shared secret where one is set.
    pub fn new(store: Store, agents: Agents, tasks: Tasks, shared: Option<&Secret>) -> Self {
        Self { store, agents, tasks, shared: shared.map(|secret| hash(secret.expose())) }
    }

    /// Answers everything on that port.
    pub async fn answer(self, request: Request<Body>) -> Response {
        match self.admit(&request).await {
            Ok(response) => response,
            Err(refusal) => error(&refusal),
        }
    }

    async fn admit(&self, request: &Request<Body>) -> Result<Response, ApiError> {
        let (node_id, upgrade) = self.check(request)?;
        if request.uri().path() != "/" {
            return Err(ApiError::new(Code::NotFound, "No transfer of this number is expected."));
        }
        self.welcome(&node_id).await?;
        let (agents, token) = (self.agents.clone(), self.tasks.token());
        Ok(upgrade.accept(&self.tasks, "agent", remote::MAX_MESSAGE, None, move |socket| {
            remote::speak(socket, agents, node_id, token)
        }))
    }

    /// A node that comes for the first time, with the shared secret, is a new one.
    async fn welcome(&self, node_id: &str) -> Result<(), ApiError> {
        let known = self.store.read_now(|tx| storage::nodes::get(tx, node_id))?;
        if known.is_some() {
            return Ok(());
        }
        let node = Node {
            id: node_id.to_owned(),
            name: node_id.to_owned(),
            secret_hash: None,
            joined_by_shared_secret: true,
            created_at: clock::now(),
            last_seen: None,
            system: None,
        };
        let write = self.store.write(move |tx| match storage::nodes::insert(tx, &node) {
            // Another connection of the same agent was quicker.
            Err(storage::Error::Taken { .. }) => Ok(()),
            other => other,
        });
        write.await?;
        tracing::info!(node = node_id, "a new node joined by the shared secret");
        self.agents.add_node(node_id);
        Ok(())
    }

    /// Whose agent this is.
    fn check(&self, request: &Request<Body>) -> Result<(String, Upgrade), ApiError> {
        let path = request.uri().path();
        let transfer = path.strip_prefix("/transfer/").is_some_and(|id| !id.is_empty() && !id.contains('/'));
        if path != "/" && !transfer {
            return Err(ApiError::new(Code::NotFound, "Agents connect at `/`."));
        }
        let upgrade = Upgrade::of(request)?;
        let headers = request.headers();
        if headers.contains_key(ORIGIN) {
            return Err(ApiError::new(Code::BadOrigin, "This port is for agents, not for browsers."));
        }
        let named = node_id(headers, request.uri());
        self.check_secret(headers, named.as_ref().ok().map(String::as_str))?;
        Ok((named?, upgrade))
    }

    /// A node with a secret of its own takes no other; every other id goes by the shared one.
    fn check_secret(&self, headers: &HeaderMap, node: Option<&str>) -> Result<(), ApiError> {
        let wrong = || ApiError::new(Code::Unauthenticated, "The agent's secret is wrong or missing.");
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).map(hash).ok_or_else(wrong)?;
        let own = self.store.read_now(|tx| {
            Ok::<_, storage::Error>(match node {
                Some(id) => {
                    storage::nodes::get(tx, id)?.and_then(|node| node.secret_hash).into_iter().collect()
                }
                // Without an id, any node's secret shows that somebody of ours asks.
                None => storage::nodes::list(tx)?.into_iter().filter_map(|node| node.secret_hash).collect(),
            })
        })?;
        let own: Vec<Vec<u8>> = own;
        // Digests are compared: how long that takes tells nothing of the secret.
        let right = if node.is_some() && !own.is_empty() {
            own.iter().any(|hash| *hash == given)
        } else {
            self.shared == Some(given) || own.iter().any(|hash| *hash == given)
        };
        if right { Ok(()) } else { Err(wrong()) }
    }
}

/// From the header or the query; where both are there they have to agree.
fn node_id(headers: &HeaderMap, uri: &Uri) -> Result<String, ApiError> {
    let bad = |sentence| ApiError::new(Code::BadRequest, sentence);
    let header = match headers.get("x-node-id") {
        Some(value) => Some(value.to_str().map_err(|_| bad("X-Node-Id is unreadable."))?.to_owned()),
        None => None,
    };
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .find(|(key, _)| key == "nodeId")
        .map(|(_, value)| value.into_owned());
    let id = match (header, query) {
        (Some(header), Some(query)) if header != query => {
            return Err(bad("X-Node-Id and nodeId name two nodes."));
        }
        (Some(id), _) | (None, Some(id)) => id,
        (None, None) => return Err(bad("The node's id is missing: send X-Node-Id or ?nodeId=.")),
    };
    if !agent::protocol::valid_node_id(&id) {
        return Err(bad("The node's id has to be 1 to 64 letters, digits, dots, - or _."));
    }
    if id == local::NODE_ID {
        return Err(bad("`local` is the panel's own node: choose another id."));
    }
    Ok(id)
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
