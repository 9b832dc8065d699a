//! The handle on the schedules of all servers, and what its parts share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{Millis, ServerId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::entry::Entry;
use crate::panel::reply_cache::Answers;
use crate::players::Players;
use crate::supervisor::Supervisor;

/// The schedules of all servers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Schedules(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) dir: PathBuf,
    pub(super) tools: Tools,
    pub(super) tasks: TaskTracker,
    pub(super) cancel: CancellationToken,
    pub(super) entries: Mutex<HashMap<ServerId, Arc<Entry>>>,
    /// Something became due sooner, or ended.
    pub(super) changed: Notify,
}

/// What steps and conditions use.
#[derive(Clone)]
pub(super) struct Tools {
    pub(super) servers: Supervisor,
    pub(super) answers: Answers,
    pub(super) players: Players,
}

impl Schedules {
    pub(super) fn all(&self) -> Vec<Arc<Entry>> {
        self.lock().values().cloned().collect()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<ServerId, Arc<Entry>>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spawns a task that ends with the agent.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let cancel = self.0.cancel.clone();
        drop(self.0.tasks.spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = work => {}
            }
        }));
    }
}

/// Milliseconds since 1970.
pub(super) fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}
