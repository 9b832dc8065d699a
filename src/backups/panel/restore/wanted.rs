//! What is to be restored, how far that is, and what was.

use std::path::PathBuf;

use protocol::ServerId;

use super::error::RestoreError;

/// Which servers' files are restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Servers {
    /// Those of all servers of this machine.
    All,
    /// Of none.
    None,
    /// Of these.
    Some(Vec<ServerId>),
}

/// What is to be restored.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The panel backup's id; the newest without one.
    pub backup_id: Option<String>,
    /// Which servers' files.
    pub servers: Servers,
}

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is restored: a server's name; empty for the panel itself.
    pub server: String,
    /// Which of the servers, from 1, and of how many.
    pub number: (usize, usize),
    /// Bytes that are done, and of how many.
    pub bytes: (u64, u64),
}

/// What was restored.
#[derive(Debug, Default)]
pub struct Restored {
    /// When the backup was made, in milliseconds since 1970.
    pub made_at: i64,
    /// The machine on which it was made.
    pub host: String,
    /// Servers whose files are there.
    pub servers: Vec<String>,
    /// Servers whose files are not, and why not.
    pub missing: Vec<(String, String)>,
    /// Servers on other nodes: their files are there still.
    pub elsewhere: usize,
    /// Where that is kept which was in the data folder.
    pub kept: Option<PathBuf>,
}

/// Does what blocks elsewhere.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RestoreError> + Send + 'static,
) -> Result<T, RestoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| RestoreError::Damaged(error.to_string()))?
}
