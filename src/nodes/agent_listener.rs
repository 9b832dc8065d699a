//! The agents' port: authenticates agents and upgrades their connections.
//!
//! A request is refused before the upgrade, with the first of these that applies: another path (404), no WebSocket
//! (426), a browser (any `Origin`: 403), a wrong secret (401, or 429 after ten per minute and network), a missing,
//! invalid or ambiguous node id (400), a node id that two machines use (409), too many new nodes (429). The protocol
//! defines this order.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{AUTHORIZATION, CONNECTION, HeaderMap, HeaderValue, ORIGIN};
use hyper::{Request, Uri};
use protocol::{AGENT_PROCESS, Encoding, NodeId};
use storage::nodes::Node;
use storage::{Millis, Store};
use tokio_util::sync::CancellationToken;

use super::enrollment::Enrollment;
use super::secrets::{self, Hash, SecretMatch};
use crate::agents::{Agents, remote};
use crate::config::Secret;
use crate::error::{ApiError, Code};
use crate::http::{Body, ConnectionSlot, Peer, Response, Upgrade, error};
use crate::net::rate_limit::{FailureLimiter, KnownSources, LogLimiter, Network, Source};
use crate::streams::Streams;
use crate::system::clock;
use crate::system::shutdown::Tasks;

/// How long an agent that has authenticated with the shared secret is rate-limited separately from its network.
const KNOWN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Handles the requests on the agents' port. Cheap to clone.
#[derive(Clone)]
pub struct AgentListener {
    store: Store,
    agents: Agents,
    transfers: Streams,
    tasks: Tasks,
    /// SHA-256 of the secret that all agents may share; `None` if it is not set.
    shared: Option<Hash>,
    limits: Arc<Limits>,
}

/// Rate limits against guessed secrets and floods of new nodes.
struct Limits {
    wrong: FailureLimiter,
    /// Agents that have authenticated with the shared secret, by [`Asking::name`].
    known: KnownSources,
    log: LogLimiter,
    enrollment: Enrollment,
}

/// The sender of a connection request.
struct Asking<'r> {
    network: Network,
    /// The node id of the request; `None` if it is missing or invalid.
    node: Option<&'r NodeId>,
    process: Option<&'r str>,
}

impl Asking<'_> {
    /// Key of this agent in the rate limits. Another client in the same network cannot have it unless it knows the
    /// agent's process id.
    fn name(&self) -> String {
        let (node, process) = (self.node.map_or("", NodeId::as_str), self.process.unwrap_or_default());
        format!("{node} at {} as {process}", self.network)
    }
}

impl AgentListener {
    /// Creates the listener. Nodes without a secret of their own use `shared`; `None` if it is not set.
    pub fn new(
        store: Store,
        agents: Agents,
        transfers: Streams,
        tasks: Tasks,
        shared: Option<&Secret>,
    ) -> Self {
        let limits = Limits {
            wrong: FailureLimiter::default(),
            known: KnownSources::new(KNOWN_FOR),
            log: LogLimiter::default(),
            enrollment: Enrollment::new(store.clone()),
        };
        let shared = shared.map(|secret| secrets::hash(secret.expose()));
        Self { store, agents, transfers, tasks, shared, limits: Arc::new(limits) }
    }

    /// Answers any request on the port.
    pub async fn answer(self, request: Request<Body>) -> Response {
        match self.admit(&request).await {
            Ok(response) => response,
            Err(refusal) => {
                // There is no further request to wait for, and an open connection takes a slot that an agent needs.
                let mut response = error(&refusal);
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                response
            }
        }
    }

    async fn admit(&self, request: &Request<Body>) -> Result<Response, ApiError> {
        let (node_id, upgrade, known) = self.check(request)?;
        if let Some(slot) = request.extensions().get::<ConnectionSlot>() {
            slot.signed_in(&node_id);
        }
        if let Some(id) = request.uri().path().strip_prefix("/transfer/") {
            let token = request.headers().get("x-transfer-token").and_then(|token| token.to_str().ok());
            let admitted = self.transfers.admit(&node_id, id, token)?;
            let token = known.map_or_else(|| self.tasks.token(), |admitted| admitted.token);
            let carry = move |connection| admitted.carry(connection, token);
            return Ok(upgrade.grant(&self.tasks, "transfer", None, carry));
        }
        let process = process(request.headers()).map(ToOwned::to_owned);
        if self.agents.turns_away(&node_id, process.as_deref()) {
            let sentence = "Another machine uses this node's id, and stays connected.";
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        let (token, until) = match known {
            Some(admitted) => self.noted(&node_id, admitted).await,
            None => (self.welcome(&node_id, network(request)).await?, None),
        };
        let agents = self.agents.clone();
        let chosen = Encoding::choose(upgrade.protocols());
        let guest = remote::AgentConnection {
            node_id,
            secure: request.extensions().get::<Peer>().is_some_and(|peer| peer.secure),
            encoding: chosen.unwrap_or_default(),
            process,
        };
        Ok(upgrade.grant(&self.tasks, "agent", chosen.map(Encoding::subprotocol), move |connection| {
            speak_until(until, token.clone(), remote::serve(connection, agents, guest, token))
        }))
    }

    /// Records the use of a node's secret; a renewed secret replaces the old one when it is first used. Returns the
    /// token that ends the connection, and if the old secret was used, when that expires. A failed write (full disk)
    /// does not refuse the agent.
    async fn noted(&self, node_id: &NodeId, admitted: Admitted) -> (CancellationToken, Option<Millis>) {
        let Admitted { judged, given, token } = admitted;
        let (id, shared) = (node_id.to_owned(), self.shared);
        let write = self.store.write(move |tx| {
            let Some(mut node) = storage::nodes::get(tx, &id)? else { return Ok(()) };
            // Verified again: the secret may have been renewed in the meantime, so the given one is now the old one.
            let (now, shared) = (clock::now(), shared.as_ref());
            let judged = secrets::verify(Some(&node), shared, &given, now);
            if judged != SecretMatch::Wrong && secrets::used(&mut node, judged, now) {
                storage::nodes::update(tx, &node)?;
            }
            Ok::<_, storage::Error>(())
        });
        if let Err(error) = write.await {
            tracing::debug!(node = %node_id, %error, "could not note the use of a secret");
        }
        if judged == SecretMatch::Right {
            self.agents.node_changed(node_id);
        }
        (token, if let SecretMatch::Old(until) = judged { Some(until) } else { None })
    }

    /// Creates the node of an agent that connects for the first time, with the shared secret. Returns the token that
    /// ends the connection.
    async fn welcome(&self, node_id: &NodeId, network: Network) -> Result<CancellationToken, ApiError> {
        self.limits.enrollment.enroll(node_id, network).await?;
        tracing::info!(node = %node_id, "a new node joined by the shared secret");
        self.agents.add_node(node_id, node_id);
        Ok(self.agents.admission(node_id).unwrap_or_default())
    }

    /// Checks a request. Returns the node id, the upgrade, and `None` instead of [`Admitted`] for an unknown node.
    fn check(&self, request: &Request<Body>) -> Result<(NodeId, Upgrade, Option<Admitted>), ApiError> {
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
        let asking =
            Asking { network: network(request), node: named.as_ref().ok(), process: process(headers) };
        let admitted = self.check_secret(headers, &asking)?;
        Ok((named?, upgrade, admitted))
    }

    /// Checks the secret. `None` for a node that is not known yet.
    fn check_secret(&self, headers: &HeaderMap, asking: &Asking<'_>) -> Result<Option<Admitted>, ApiError> {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).filter(|value| !value.is_empty());
        // A request without a secret is no guess and does not count as one.
        let given = given.map(secrets::hash).ok_or_else(|| self.refused(asking, "without a secret"))?;
        let (shared, now) = (self.shared.as_ref(), clock::now());
        let Some(id) = asking.node else {
            self.limits.wrong.check(asking.network)?;
            // Without a node id, any node's secret proves that the client is an agent of this panel. It then gets the
            // error about the id (400) instead of 401.
            let all = self.store.read_now(storage::nodes::list)?;
            let opens = |node: &Node| secrets::verify(Some(node), None, &given, now) != SecretMatch::Wrong;
            let right = shared == Some(&given) || all.iter().any(opens);
            return if right { Ok(None) } else { Err(self.wrong(asking, asking.network.into())) };
        };
        // Taken before the secret is read, so that a secret revoked in between ends this connection too.
        let token = self.agents.admission(id).map(|admission| admission.child_token());
        let known = self.store.read_now(|tx| storage::nodes::get(tx, id))?;
        let own = known.as_ref().is_some_and(|node| node.secret_hash.is_some());
        let name = asking.name();
        let source = match name {
            name if self.limits.known.contains(&name) => Source::Known(name),
            _ => asking.network.into(),
        };
        // A node's own secret has 256 bits and cannot be guessed, so the wrong guesses of other clients in the same
        // network do not lock out its agent.
        if !own {
            self.limits.wrong.check(source.clone())?;
        }
        match secrets::verify(known.as_ref(), shared, &given, now) {
            SecretMatch::Wrong => Err(self.wrong(asking, source)),
            judged => {
                if !own {
                    self.limits.known.remember(asking.name());
                }
                Ok(token.filter(|_| known.is_some()).map(|token| Admitted { judged, given, token }))
            }
        }
    }

    /// Counts a wrong secret and returns the error: 401, or 429 after too many.
    fn wrong(&self, asking: &Asking<'_>, source: Source) -> ApiError {
        let refused = self.refused(asking, "with a wrong secret");
        self.limits.wrong.wrong(source).err().unwrap_or(refused)
    }

    fn refused(&self, asking: &Asking<'_>, how: &str) -> ApiError {
        if self.limits.log.allows(asking.network) {
            let (network, node) = (asking.network, asking.node.map_or("none", NodeId::as_str));
            tracing::warn!(%network, node, "an agent came {how}; more of this address are not told for a minute");
        }
        ApiError::new(Code::Unauthenticated, "The agent's secret is wrong or missing.")
    }
}

fn network(request: &Request<Body>) -> Network {
    Network::of(request.extensions().get::<Peer>().copied().unwrap_or_default().address)
}

/// The agent's process id: 1 to 64 bytes. `None` if the header is missing or invalid.
fn process(headers: &HeaderMap) -> Option<&str> {
    let process = headers.get(AGENT_PROCESS).and_then(|value| value.to_str().ok());
    process.filter(|process| (1..=64).contains(&process.len()))
}

/// Runs a connection. If it was opened with an old secret, ends it at `until`, when that expires.
async fn speak_until(until: Option<Millis>, token: CancellationToken, speak: impl Future<Output = ()>) {
    let mut speak = std::pin::pin!(speak);
    if let Some(until) = until {
        let left = u64::try_from(until - clock::now()).unwrap_or(0);
        tokio::select! {
            () = &mut speak => return,
            () = tokio::time::sleep(Duration::from_millis(left)) => token.cancel(),
        }
    }
    speak.await;
}

/// An agent of a known node with a valid secret.
struct Admitted {
    judged: SecretMatch,
    given: Hash,
    /// Ends the connection when cancelled.
    token: CancellationToken,
}

/// The node id from the header or the query. If both are present they have to be equal.
fn node_id(headers: &HeaderMap, uri: &Uri) -> Result<NodeId, ApiError> {
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
    let id = NodeId::from(id);
    if !id.is_valid() {
        return Err(bad("The node's id has to be 1 to 64 letters, digits, dots, - or _."));
    }
    if super::is_reserved(&id) {
        return Err(bad("`local` is the panel's own node, and `auto` is none: choose another id."));
    }
    Ok(id)
}
