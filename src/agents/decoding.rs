//! The time and memory that decoding the messages of all agents together may take.

use std::sync::Arc;
use std::time::Duration;

use protocol::ToAgent;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::RequestError;
use super::inbound_rate::Share;
use super::session::{ExpectedFile, Session};

/// Large messages of all agents that are decoded at once: each keeps a thread busy, and takes memory.
const LARGE_AT_ONCE: usize = 1;
/// Lists of files that are asked for at once, and searches: their answers may be larger than others.
const LISTS: usize = 8;
const SEARCHES: usize = 8;
/// How long a request for a file waits for another one to end.
const FILE_WAITS: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Decoding {
    /// Time.
    pub(super) share: Share,
    /// Held while a large message is decoded.
    pub(super) large: Semaphore,
    /// Held from the request for a file to its answer: files are larger than everything else.
    files: Arc<Semaphore>,
    /// The same of lists of files.
    lists: Arc<Semaphore>,
    /// The same of searches, which take longer.
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
    /// What has to be held while `message` is asked.
    ///
    /// # Errors
    /// [`RequestError::Busy`] where another file takes too long.
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

/// A file that is read at present, or a list of files.
pub(super) struct FileTurn {
    _expected: ExpectedFile,
    _permit: OwnedSemaphorePermit,
}
