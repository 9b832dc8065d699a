//! Why an agent cannot start.

use crate::persist::PersistError;

/// Why an agent cannot start. Everything that goes wrong later is told to the panel instead.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its data folder is unusable.
    #[error("the agent's data folder cannot be used: {0}")]
    DataDir(#[source] std::io::Error),
    /// Its own files are.
    #[error("the agent's own files cannot be read: {0}")]
    State(#[source] PersistError),
}
