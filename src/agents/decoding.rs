//! What the messages of all agents together may take while they are read: time, and memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agent::protocol::ToAgent;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::inbound_rate::Share;
use super::session::{RequestError, Session};

/// Large messages that are taken apart at once, of all agents: it keeps a thread busy, and takes memory.
const LARGE_AT_ONCE: usize = 1;
/// How long a file waits until no other one comes.
const FILE_WAITS: Duration = Duration::from_secs(5);

/// Kept by the registry.
#[derive(Debug)]
pub(super) struct Decoding {
    /// Time.
    pub(super) share: Share,
    /// Held while a large message is taken apart.
    pub(super) large: Semaphore,
    /// Held from the question for a file to its answer: files are larger than all else.
    files: Arc<Semaphore>,
}

impl Default for Decoding {
    fn default() -> Self {
        Self {
            share: Share::default(),
            large: Semaphore::new(LARGE_AT_ONCE),
            files: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Decoding {
    /// What has to be held while `message` is asked.
    ///
    /// # Errors
    /// [`RequestError::Busy`] where another file takes too long.
    pub(super) async fn turn(
        &self,
        session: &Arc<Session>,
        message: &ToAgent,
    ) -> Result<Option<FileTurn>, RequestError> {
        if !matches!(message, ToAgent::FileRead(_)) {
            return Ok(None);
        }
        let place = tokio::time::timeout(FILE_WAITS, Arc::clone(&self.files).acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(RequestError::Busy) };
        session.files.fetch_add(1, Ordering::Relaxed);
        Ok(Some(FileTurn { session: Arc::clone(session), _place: place }))
    }
}

/// A file may come from this agent.
pub(super) struct FileTurn {
    session: Arc<Session>,
    _place: OwnedSemaphorePermit,
}

impl Drop for FileTurn {
    fn drop(&mut self) {
        self.session.files.fetch_sub(1, Ordering::Relaxed);
    }
}
