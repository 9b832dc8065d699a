//! Errors when starting a panel.

use std::net::SocketAddr;

use storage::OpenError;

use crate::net::tls::TlsError;
use crate::system::private_files::FileError;

/// Why the panel could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database could not be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A port could not be bound.
    #[error(
        "{address} ({what}) can't be listened on: {source}. Another program has it, or the address isn't this \
             machine's; {setting} chooses another one"
    )]
    Port {
        /// The address of the port.
        address: SocketAddr,
        /// What the port is for.
        what: &'static str,
        /// How to change the address.
        setting: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
    /// Another step failed.
    #[error("{doing}: {source}")]
    Other {
        /// What was attempted.
        doing: &'static str,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StartError {
    /// Exit code according to `sysexits.h`.
    pub fn exit_code(&self) -> u8 {
        match self {
            StartError::Database(cause) => cause.exit_code(),
            StartError::File(FileError::Exposed { .. } | FileError::NotOurs { .. }) => 77,
            StartError::File(_) => 74,
            StartError::Tls(cause) => cause.exit_code(),
            StartError::Port { .. } => 71,
            StartError::Other { .. } => 70,
        }
    }
}
