//! What can go wrong with an open database.

use std::fmt;
use std::sync::Arc;

use crate::servers::Protocol;
use ids::{NodeId, ServerId};

/// The result of a storage call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a read or a write did not happen. Cheap to clone, because writers that shared a commit share its failure.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something with this name or id is there already.
    #[error("{what} is taken already")]
    Taken {
        /// What is taken: "the user name", "the server id", …
        what: &'static str,
    },
    /// The record that was asked for, or that another one points at, is not there.
    #[error("there is no such {what}")]
    NotFound {
        /// What was looked for: "user", "server", …
        what: &'static str,
    },
    /// A server on the same node has this port.
    #[error("port {port}/{protocol} on node {node} belongs to the server {name} ({server})")]
    PortTaken {
        /// The node on which the port is.
        node: NodeId,
        /// The external port.
        port: u16,
        /// TCP or UDP.
        protocol: Protocol,
        /// Id of the server that has it.
        server: ServerId,
        /// Name of the server that has it.
        name: String,
    },
    /// A node cannot go while servers are placed on it.
    #[error("{count} servers are placed on this node")]
    NodeInUse {
        /// How many.
        count: usize,
    },
    /// The last administrator can neither be deleted nor lose the role.
    #[error("this is the last administrator")]
    LastAdmin,
    /// A record is there and cannot be read.
    #[error("the record {key} in table {table} cannot be read: {reason}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The record's key.
        key: String,
        /// What the decoder said.
        reason: String,
    },
    /// The disk was full. Nothing of the write is kept, reads go on, writes work again once there is space.
    #[error("the disk that holds the database is full")]
    DiskFull,
    /// The database takes no writes at present.
    #[error("the database is read-only at present: {reason}")]
    ReadOnly {
        /// What is wrong.
        reason: String,
    },
    /// The store was closed.
    #[error("the database is closed")]
    Closed,
    /// The closure that was to read or write panicked; nothing of it is kept.
    #[error("a use of the database panicked: {0}")]
    Panicked(String),
    /// The database or the disk below it failed.
    #[error("{doing}: {source}")]
    Failed {
        /// What was attempted.
        doing: &'static str,
        /// What the layer below said.
        source: Arc<redb::Error>,
    },
}

impl Error {
    /// Wraps what redb said, telling a full disk apart from everything else.
    pub(crate) fn redb(doing: &'static str, source: impl Into<redb::Error>) -> Self {
        let source = source.into();
        if is_disk_full(&source) { Self::DiskFull } else { Self::Failed { doing, source: Arc::new(source) } }
    }

    /// Whether the database handle can take no further writes after this.
    pub(crate) fn breaks_handle(&self) -> bool {
        matches!(self, Self::DiskFull | Self::Failed { .. })
    }

    pub(crate) fn corrupt(table: &'static str, key: impl fmt::Debug, reason: impl fmt::Display) -> Self {
        Self::Corrupt { table, key: format!("{key:?}"), reason: reason.to_string() }
    }
}

fn is_disk_full(error: &redb::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error, redb::Error::Io(io) if matches!(io.kind(), StorageFull | QuotaExceeded | FileTooLarge))
}
