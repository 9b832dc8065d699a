//! Limits on the time and memory spent on decoding the messages of all agents together.

use std::sync::Arc;
use std::time::Duration;

use protocol::ToAgent;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::RequestError;
use super::inbound_rate::Share;
use super::session::{ExpectedFile, Session};

/// How many large messages of all agents are decoded at once: each occupies a thread and needs memory.
const LARGE_AT_ONCE: usize = 1;
/// How many file lists and searches may be requested at once, each. Their answers can be larger than most messages.
const LISTS: usize = 8;
const SEARCHES: usize = 8;
/// How long a file request waits for its turn before it fails as busy.
const FILE_WAITS: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Decoding {
    /// Processor time for all agents together.
    pub(super) share: Share,
    /// Held while a large message is decoded.
    pub(super) large: Semaphore,
    /// Held from the request for a file to its answer, because files are the largest messages.
    files: Arc<Semaphore>,
    /// Held in the same way for file lists.
    lists: Arc<Semaphore>,
    /// Held in the same way for searches. Separate from lists because searches take longer.
    searches: Arc<Semaphore>,
}

impl Default for Decoding {
    fn default() -> Self {
        Self {
            share: Share::default(),
            large: Semaphore::new(LARGE_AT_ONCE),
            files: Arc::new(Semaphore::new(1)),
            lists: Arc::new(Semaphore::new(LISTS)),
            searches: Arc::new(Semaphore::new(SEARCHES)),
        }
    }
}

impl Decoding {
    /// Waits for this request's turn; the returned guard is held until the answer. `None` if the message needs none.
    ///
    /// # Errors
    /// [`RequestError::Busy`] if no turn became free in time.
    pub(super) async fn turn(
        &self,
        session: &Arc<Session>,
        message: &ToAgent,
    ) -> Result<Option<FileTurn>, RequestError> {
        let turns = match message {
            ToAgent::FileRead(_) => &self.files,
            ToAgent::FileList(_) | ToAgent::FileTrash(_) | ToAgent::FileVersions(_) => &self.lists,
            ToAgent::FileSearch(_) => &self.searches,
            _ => return Ok(None),
        };
        let permit = tokio::time::timeout(FILE_WAITS, Arc::clone(turns).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(RequestError::Busy) };
        Ok(Some(FileTurn { _expected: session.expect_file(), _permit: permit }))
    }
}

/// Held while a file, a file list or a search is being requested.
pub(super) struct FileTurn {
    _expected: ExpectedFile,
    _permit: OwnedSemaphorePermit,
}
