//! Why an agent cannot start.

use crate::persist::PersistError;

/// Why an agent cannot start. Later errors are reported to the panel.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its data folder is unusable.
    #[error("the agent's data folder cannot be used: {0}")]
    DataDir(#[source] std::io::Error),
    /// Its state files are unusable.
    #[error("the agent's own files cannot be read: {0}")]
    State(#[source] PersistError),
}
