//! The SSH host key: created once, stored with the other secrets.

use std::path::Path;

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};

use super::HostKey;
use crate::system::private_files::{self, FileError};

/// Error loading or creating the host key.
#[derive(Debug, thiserror::Error)]
pub enum HostKeyError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file does not contain an SSH key.
    #[error("{path} is no SSH key: delete it, and a new one is made, of which clients will warn")]
    Broken {
        /// The file.
        path: String,
        /// The parser's error.
        source: russh::keys::ssh_key::Error,
    },
}

impl HostKey {
    /// Loads the key from `folder`; creates it if there is none.
    pub fn open(folder: &Path) -> Result<Self, HostKeyError> {
        let path = folder.join("sftp_host_key");
        let broken = |source| HostKeyError::Broken { path: path.display().to_string(), source };
        let fresh = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519)
            .and_then(|key| key.to_openssh(LineEnding::LF))
            .map_err(broken)?;
        let text = private_files::secret(&path, || fresh.as_str().trim().to_owned())?;
        Ok(Self(PrivateKey::from_openssh(format!("{}\n", text.trim())).map_err(broken)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stays_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let first = HostKey::open(folder.path()).unwrap().0;
        let second = HostKey::open(folder.path()).unwrap().0;
        assert_eq!(first.public_key(), second.public_key());
        private_files::write_private(&folder.path().join("sftp_host_key"), "no key").unwrap();
        assert!(matches!(HostKey::open(folder.path()), Err(HostKeyError::Broken { .. })));
    }
}
