//! Deletions in progress.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::ServerId;
use storage::servers::Server;

use crate::error::{ApiError, Code};

/// Deletions in progress. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Deletions(Arc<Mutex<UnderWay>>);

#[derive(Default)]
pub(super) struct UnderWay {
    /// One lock per server, held during an attempt to delete it.
    pub(super) turns: HashMap<ServerId, Arc<tokio::sync::Mutex<()>>>,
    /// Servers whose deletion continues in the background.
    pub(super) resumed: HashSet<ServerId>,
}

impl Deletions {
    pub(super) fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn turn(&self, id: &ServerId) -> Arc<tokio::sync::Mutex<()>> {
        let mut all = self.lock();
        all.turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(all.turns.entry(id.to_owned()).or_default())
    }
}

/// Refuses an action on a server that is being deleted.
pub(super) fn not_deleting(server: &Server) -> Result<(), ApiError> {
    match server.deleting {
        Some(_) => Err(ApiError::new(Code::Conflict, "The server is being deleted.")),
        None => Ok(()),
    }
}
