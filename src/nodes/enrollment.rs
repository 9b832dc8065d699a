//! New nodes that join by the shared secret. Their rate is limited, and so is the number that no administrator has
//! confirmed yet.

use std::sync::{Mutex, PoisonError};

use storage::nodes::{self, Node};
use storage::{Store, servers};
use tokio::time::Instant;

use crate::error::{ApiError, Code};
use crate::net::rate_limit::{Buckets, Network, TokenBucket};
use crate::system::clock;

/// Nodes that one network may add at once.
const BURST: f64 = 256.0;
/// Nodes that all networks together may add at once.
const BURST_IN_ALL: f64 = 512.0;
/// Refill of both limits, in nodes per second: 30 a minute.
const PER_SECOND: f64 = 0.5;
/// Most nodes that joined by the shared secret and are unconfirmed: see [`untouched`], and no servers.
const UNCONFIRMED: usize = 256;

/// Adds nodes that join by the shared secret.
pub(super) struct Enrollment {
    store: Store,
    by_network: Buckets<Network>,
    in_all: Mutex<TokenBucket>,
}

impl Enrollment {
    pub(super) fn new(store: Store) -> Self {
        let in_all = TokenBucket::new(BURST_IN_ALL, PER_SECOND, Instant::now());
        Self { store, by_network: Buckets::new(BURST, PER_SECOND), in_all: Mutex::new(in_all) }
    }

    /// Adds a node with this id, unless another connection of the same agent has already done so. 429 if too many were
    /// added.
    pub(super) async fn enroll(&self, id: &str, network: Network) -> Result<(), ApiError> {
        let too_many = |sentence: String, after| {
            tracing::warn!(node = id, %network, "a new node was not let in: {sentence}");
            ApiError::new(Code::TooManyRequests, sentence).retry_after(after)
        };
        let allowed = self.by_network.take(network)
            && self.in_all.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if !allowed {
            let sentence = "Too many new nodes came with the shared secret. Try again in a minute.";
            return Err(too_many(sentence.to_owned(), 60));
        }
        let mut node = Node::new(id, id, clock::now());
        node.joined_by_shared_secret = true;
        let write = self.store.write(move |tx| {
            if nodes::get(tx, &node.id)?.is_some() {
                return Ok(true);
            }
            let mut unconfirmed = 0;
            for other in nodes::list(tx)?.iter().filter(|node| untouched(node)) {
                unconfirmed += usize::from(servers::placed_on(tx, &other.id)?.servers == 0);
            }
            if unconfirmed >= UNCONFIRMED {
                return Ok(false);
            }
            nodes::insert(tx, &node)?;
            Ok::<_, storage::Error>(true)
        });
        if write.await? {
            return Ok(());
        }
        let sentence = format!(
            "{UNCONFIRMED} nodes that joined by the shared secret have not been confirmed: rename them, give them \
             secrets of their own, place servers on them, or delete them."
        );
        Err(too_many(sentence, 300))
    }
}

/// Whether no administrator has changed the node since it joined. Servers are not considered.
fn untouched(node: &Node) -> bool {
    node.joined_by_shared_secret
        && node.secret_hash.is_none()
        && node.name == node.id.as_str()
        && !node.draining
}
