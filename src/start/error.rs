//! Why a panel can't start.

use std::net::SocketAddr;

use storage::OpenError;

use crate::net::tls::TlsError;
use crate::system::private_files::FileError;

/// Why the panel did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// A folder or a secret.
    #[error(transparent)]
    File(#[from] FileError),
    /// The key and certificate of its ports.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A port.
    #[error(
        "{address} ({what}) can't be listened on: {source}. Another program has it, or the address isn't this \
             machine's; {setting} chooses another one"
    )]
    Port {
        /// The address to listen on.
        address: SocketAddr,
        /// What it was for.
        what: &'static str,
        /// How to change it.
        setting: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A part of the start failed in a way that has no advice.
    #[error("{doing}: {source}")]
    Other {
        /// What was attempted.
        doing: &'static str,
        /// What was said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StartError {
    /// In the numbers of `sysexits.h`.
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
