//! The agents' port: who may come in.
//!
//! What is refused is refused before the upgrade, in this order: another address (404), no WebSocket (426), a browser
//! (any `Origin`: 403), a wrong secret (401), a missing, bad or doubtful node id (400), one of two machines with one id
//! (409). The order is the protocol's.

use agent::protocol::{AGENT_PROCESS, Encoding};
use hyper::header::{AUTHORIZATION, CONNECTION, HeaderMap, HeaderValue, ORIGIN};
use hyper::{Request, Uri};
use storage::Store;
use storage::nodes::Node;
use tokio_util::sync::CancellationToken;

use super::secrets::{self, Hash, Judged};

use crate::agents::{Agents, remote};
use crate::clock;
use crate::config::Secret;
use crate::error::{ApiError, Code};
use crate::http::{Body, Peer, Response, Upgrade, error};
use crate::shutdown::Tasks;

/// Stands at the agents' port. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    store: Store,
    agents: Agents,
    tasks: Tasks,
    /// SHA-256 of the secret that all agents may share.
    shared: Option<Hash>,
}

impl Door {
    /// Over the nodes that have secrets of their own, and the shared secret where one is set.
    pub fn new(store: Store, agents: Agents, tasks: Tasks, shared: Option<&Secret>) -> Self {
        Self { store, agents, tasks, shared: shared.map(|secret| secrets::hash(secret.expose())) }
    }

    /// Answers everything on that port.
    pub async fn answer(self, request: Request<Body>) -> Response {
        match self.admit(&request).await {
            Ok(response) => response,
            Err(refusal) => {
                // Nobody has a second question here, and a connection that stays takes an agent's place.
                let mut response = error(&refusal);
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                response
            }
        }
    }

    async fn admit(&self, request: &Request<Body>) -> Result<Response, ApiError> {
        let (node_id, upgrade, known) = self.check(request)?;
        if request.uri().path() != "/" {
            return Err(ApiError::new(Code::NotFound, "No transfer of this number is expected."));
        }
        let process = request.headers().get(AGENT_PROCESS).and_then(|value| value.to_str().ok());
        let process = process.filter(|process| (1..=64).contains(&process.len())).map(ToOwned::to_owned);
        if self.agents.turns_away(&node_id, process.as_deref()) {
            let sentence = "Another machine uses this node's id, and stays connected.";
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        let token = match known {
            Some(admitted) => self.noted(&node_id, admitted).await,
            None => self.welcome(&node_id).await?,
        };
        let agents = self.agents.clone();
        let chosen = Encoding::choose(upgrade.protocols());
        let guest = remote::Guest {
            node_id,
            secure: request.extensions().get::<Peer>().is_some_and(|peer| peer.secure),
            encoding: chosen.unwrap_or_default(),
            process,
        };
        Ok(upgrade.grant(&self.tasks, "agent", chosen.map(Encoding::subprotocol), move |connection| {
            remote::speak(connection, agents, guest, token)
        }))
    }

    /// Notes that a node's secret was used; the new one of two is the only one from then on. What can't be written (a full
    /// disk) keeps nobody out.
    async fn noted(&self, node_id: &str, admitted: Admitted) -> CancellationToken {
        let Admitted { judged, token } = admitted;
        let id = node_id.to_owned();
        let write = self.store.write(move |tx| {
            let Some(mut node) = storage::nodes::get(tx, &id)? else { return Ok(()) };
            if secrets::used(&mut node, judged, clock::now()) {
                storage::nodes::update(tx, &node)?;
            }
            Ok::<_, storage::Error>(())
        });
        if let Err(error) = write.await {
            tracing::debug!(node = node_id, %error, "could not note the use of a secret");
        }
        if judged == Judged::Right {
            self.agents.node_changed(node_id);
        }
        if let Judged::Old(until) = judged {
            let left = u64::try_from(until - clock::now()).unwrap_or(0);
            let (over, all) = (token.clone(), self.tasks.token());
            drop(self.tasks.spawn("old-secret", async move {
                tokio::select! {
                    () = all.cancelled() => {}
                    () = over.cancelled() => {}
                    () = tokio::time::sleep(std::time::Duration::from_millis(left)) => over.cancel(),
                }
            }));
        }
        token
    }

    /// A node that comes for the first time, with the shared secret, is a new one.
    async fn welcome(&self, node_id: &str) -> Result<CancellationToken, ApiError> {
        let mut node = Node::new(node_id, node_id, clock::now());
        node.joined_by_shared_secret = true;
        let write = self.store.write(move |tx| match storage::nodes::insert(tx, &node) {
            // Another connection of the same agent was quicker.
            Err(storage::Error::Taken { .. }) => Ok(()),
            other => other,
        });
        write.await?;
        tracing::info!(node = node_id, "a new node joined by the shared secret");
        self.agents.add_node(node_id, node_id);
        Ok(self.agents.admission(node_id).unwrap_or_default())
    }

    /// Whose agent this is.
    fn check(&self, request: &Request<Body>) -> Result<(String, Upgrade, Option<Admitted>), ApiError> {
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
        let admitted = self.check_secret(headers, named.as_ref().ok().map(String::as_str))?;
        Ok((named?, upgrade, admitted))
    }

    /// Whether the secret opens; `None` for a node that is not known yet.
    fn check_secret(&self, headers: &HeaderMap, node: Option<&str>) -> Result<Option<Admitted>, ApiError> {
        let wrong = || ApiError::new(Code::Unauthenticated, "The agent's secret is wrong or missing.");
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).map(secrets::hash);
        let given = given.ok_or_else(wrong)?;
        let (shared, now) = (self.shared.as_ref(), clock::now());
        let Some(id) = node else {
            // Without an id, any node's secret shows that somebody of ours asks.
            let all = self.store.read_now(storage::nodes::list)?;
            let opens = |node: &Node| secrets::judge(Some(node), None, &given, now) != Judged::Wrong;
            return if shared == Some(&given) || all.iter().any(opens) { Ok(None) } else { Err(wrong()) };
        };
        // Taken before the look at the secret: one that is taken away in between ends this connection too.
        let token = self.agents.admission(id).map(|admission| admission.child_token());
        let known = self.store.read_now(|tx| storage::nodes::get(tx, id))?;
        match secrets::judge(known.as_ref(), shared, &given, now) {
            Judged::Wrong => Err(wrong()),
            judged => Ok(token.filter(|_| known.is_some()).map(|token| Admitted { judged, token })),
        }
    }
}

/// Somebody of a known node whose secret opens.
struct Admitted {
    judged: Judged,
    /// His connection's time.
    token: CancellationToken,
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
    if super::is_reserved(&id) {
        return Err(bad("`local` is the panel's own node, and `auto` is none: choose another id."));
    }
    Ok(id)
}
