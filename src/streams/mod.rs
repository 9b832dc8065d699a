//! The panel's end of connections for bulk data. The caller registers the expected node ([`Streams::expect`]), sends
//! its agent the id and the token, and receives the pipe once the agent has connected.
//!
//! A token has 256 bits, is valid for one connection of one node, and expires after half a minute.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agent::streams::{Pipe, StreamOpener, Ticket, forward, pipe};
use futures_util::future::BoxFuture;
use protocol::NodeId;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;

use crate::agents::local;
use crate::error::{ApiError, Code};
use crate::http::Connection;
use crate::system::ids;

/// How long to wait for a connection.
const COMES_WITHIN: Duration = Duration::from_secs(30);
/// Most connections that are expected at the same time.
const MOST: usize = 64;
/// Length of a stream's id, and of the token: characters out of 31, so about 256 bits for the token.
const NUMBER: usize = 20;
const TOKEN: usize = 52;

/// All expected connections. Cheap to clone.
#[derive(Clone, Default)]
pub struct Streams(Arc<Mutex<HashMap<String, Waiting>>>);

struct Waiting {
    node_id: NodeId,
    /// SHA-256 of the token.
    token: [u8; 32],
    comes: oneshot::Sender<Pipe>,
    until: Instant,
}

/// An expected connection; no longer accepted when dropped.
pub struct Expected {
    transfers: Streams,
    ticket: Ticket,
    comes: oneshot::Receiver<Pipe>,
}

/// A connection that was accepted.
pub struct Admitted(oneshot::Sender<Pipe>);

impl Streams {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Expects a connection of this node from now on.
    pub fn expect(&self, node_id: &NodeId) -> Result<Expected, ApiError> {
        let ticket = Ticket { transfer_id: ids::random(NUMBER), token: ids::random(TOKEN) };
        let (comes, awaited) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.retain(|_, one| one.until > Instant::now());
        if waiting.len() >= MOST {
            return Err(ApiError::new(Code::Busy, "Enough transfers are under way.").retry_after(10));
        }
        let one = Waiting {
            node_id: node_id.to_owned(),
            token: hash(&ticket.token),
            comes,
            until: Instant::now() + COMES_WITHIN,
        };
        waiting.insert(ticket.transfer_id.clone(), one);
        drop(waiting);
        Ok(Expected { transfers: self.clone(), ticket, comes: awaited })
    }

    /// Accepts a connection. 404 if none is expected from this node under this id, 401 if the token is wrong. The right
    /// token is valid once.
    pub fn admit(
        &self,
        node_id: &NodeId,
        transfer_id: &str,
        token: Option<&str>,
    ) -> Result<Admitted, ApiError> {
        let mut waiting = self.lock();
        let there = |one: &&Waiting| one.node_id == node_id && one.until > Instant::now();
        let Some(one) = waiting.get(transfer_id).filter(there) else {
            return Err(ApiError::new(Code::NotFound, "No transfer of this number is expected."));
        };
        // Compares hashes, so that the timing reveals nothing about the token.
        if token.map(hash) != Some(one.token) {
            return Err(ApiError::new(Code::Unauthenticated, "The transfer's token is wrong or missing."));
        }
        let one = waiting.remove(transfer_id);
        one.map(|one| Admitted(one.comes)).ok_or_else(|| ApiError::not_found("transfer"))
    }

    /// The stream opener for the agent in this process, which needs no socket.
    pub fn local(&self) -> Arc<dyn StreamOpener> {
        Arc::new(Within(self.clone()))
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl Expected {
    /// The id and token to be sent to the agent.
    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// The pipe, once the agent has connected; `None` if it did not in time.
    pub async fn pipe(mut self) -> Option<Pipe> {
        tokio::time::timeout(COMES_WITHIN, &mut self.comes).await.ok()?.ok()
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.transfers.lock().remove(&self.ticket.transfer_id);
    }
}

impl Admitted {
    /// Forwards the pipe over a connection that became a WebSocket, until it is closed.
    pub async fn carry(self, connection: Connection, token: CancellationToken) {
        let (near, far) = pipe();
        if self.0.send(near).is_ok() {
            forward(connection, Role::Server, far, token).await;
        }
    }
}

/// Connects the local agent through two queues.
struct Within(Streams);

impl fmt::Debug for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Within")
    }
}

impl StreamOpener for Within {
    fn open(&self, ticket: Ticket) -> BoxFuture<'static, Result<Pipe, String>> {
        let admitted = self.0.admit(&local::NODE_ID, &ticket.transfer_id, Some(&ticket.token));
        Box::pin(async move {
            let Admitted(comes) = admitted.map_err(|error| error.message().to_owned())?;
            let (near, far) = pipe();
            comes.send(far).map_err(|_gone| "nobody waits for it any more".to_owned())?;
            Ok(near)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(outcome: Result<Admitted, ApiError>) -> Option<Code> {
        outcome.err().map(|error| error.code())
    }

    #[tokio::test]
    async fn a_token_opens_one_connection_of_one_node_once() {
        let transfers = Streams::default();
        let expected = transfers.expect(&"attic".into()).unwrap();
        let Ticket { transfer_id, token } = expected.ticket().clone();
        assert!(token.len() >= 52 && !format!("{:?}", expected.ticket()).contains(&token));
        let admit = |node: &str, id: &str, token: Option<&str>| transfers.admit(&node.into(), id, token);
        assert_eq!(code(admit("attic", "other", Some(&token))), Some(Code::NotFound));
        assert_eq!(code(admit("cellar", &transfer_id, Some(&token))), Some(Code::NotFound));
        assert_eq!(code(admit("attic", &transfer_id, None)), Some(Code::Unauthenticated));
        assert_eq!(code(admit("attic", &transfer_id, Some("guess"))), Some(Code::Unauthenticated));
        let Admitted(comes) = admit("attic", &transfer_id, Some(&token)).ok().unwrap();
        assert_eq!(code(admit("attic", &transfer_id, Some(&token))), Some(Code::NotFound), "a second time");
        comes.send(pipe().0).unwrap();
        assert!(expected.pipe().await.is_some());
    }

    #[tokio::test]
    async fn nobody_is_waited_for_any_longer_than_needed() {
        let transfers = Streams::default();
        let expected = transfers.expect(&"attic".into()).unwrap();
        let Ticket { transfer_id, token } = expected.ticket().clone();
        drop(expected);
        assert_eq!(code(transfers.admit(&"attic".into(), &transfer_id, Some(&token))), Some(Code::NotFound));
        let kept: Vec<_> = (0..MOST).map(|_| transfers.expect(&"attic".into()).unwrap()).collect();
        assert!(transfers.expect(&"attic".into()).is_err());
        drop(kept);
        let expected = transfers.expect(&"attic".into()).unwrap();
        let late = expected.ticket().clone();
        transfers.lock().get_mut(&late.transfer_id).unwrap().until = Instant::now();
        assert_eq!(
            code(transfers.admit(&"attic".into(), &late.transfer_id, Some(&late.token))),
            Some(Code::NotFound)
        );
    }
}
