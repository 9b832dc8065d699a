//! Short questions to a node wait for their turn here: an agent answers a few at a time, and refuses the rest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::NodeId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::agents::RequestError;

/// Questions to one node at a time: fewer than its agent takes (8), which others ask as well.
const AT_ONCE: usize = 6;
/// How long one may wait for its turn.
const WAITS: Duration = Duration::from_secs(15);

/// The turns of all nodes. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<NodeId, Arc<Semaphore>>>>);

impl Turns {
    /// A turn at this node.
    pub(super) async fn take(&self, node_id: &NodeId) -> Result<OwnedSemaphorePermit, RequestError> {
        let turns = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Nodes come and go.
            all.retain(|id, turns| id == node_id || Arc::strong_count(turns) > 1);
            Arc::clone(all.entry(node_id.clone()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))))
        };
        match tokio::time::timeout(WAITS, turns.acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(RequestError::Busy),
        }
    }
}
