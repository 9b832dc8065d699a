//! Errors of an open database.

use std::fmt;
use std::sync::Arc;

use crate::servers::Protocol;
use ids::{NodeId, ServerId};

/// The result of a storage call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a read or write failed. Cheap to clone, because writers that share a commit share its failure.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A record with this name or id already exists.
    #[error("{what} is taken already")]
    Taken {
        /// What is taken: "the user name", "the server id", …
        what: &'static str,
    },
    /// The requested record, or one that another record refers to, does not exist.
    #[error("there is no such {what}")]
    NotFound {
        /// What was looked for: "user", "server", …
        what: &'static str,
    },
    /// Another server on the same node has this port.
    #[error("port {port}/{protocol} on node {node} belongs to the server {name} ({server})")]
    PortTaken {
        /// The node of the port.
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
    /// A node cannot be deleted while servers are placed on it.
    #[error("{count} servers are placed on this node")]
    NodeInUse {
        /// Number of servers.
        count: usize,
    },
    /// The last administrator can neither be deleted nor lose the role.
    #[error("this is the last administrator")]
    LastAdmin,
    /// A record exists and cannot be decoded.
    #[error("the record {key} in table {table} cannot be read: {reason}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The record's key.
        key: String,
        /// The decoder's message.
        reason: String,
    },
    /// The disk is full. The write was discarded; reads keep working, and writes work again once there is space.
    #[error("the disk that holds the database is full")]
    DiskFull,
    /// The database is read-only at the moment.
    #[error("the database is read-only at present: {reason}")]
    ReadOnly {
        /// What is wrong.
        reason: String,
    },
    /// The store was closed.
    #[error("the database is closed")]
    Closed,
    /// The read or write closure panicked; its changes were discarded.
    #[error("a use of the database panicked: {0}")]
    Panicked(String),
    /// The database or the disk below it failed.
    #[error("{doing}: {source}")]
    Failed {
        /// What was attempted, for example `beginning a read`.
        doing: &'static str,
        /// The underlying error.
        source: Arc<redb::Error>,
    },
}

impl Error {
    /// Wraps an error of redb; a full disk becomes [`Error::DiskFull`].
    pub(crate) fn redb(doing: &'static str, source: impl Into<redb::Error>) -> Self {
        let source = source.into();
        if is_disk_full(&source) { Self::DiskFull } else { Self::Failed { doing, source: Arc::new(source) } }
    }

    /// Whether the database handle cannot be used for writes after this error.
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
