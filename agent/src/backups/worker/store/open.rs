//! From a location to its back end.

use std::path::Path;

use protocol::BackupLocation;

use super::files::Store;
use super::folder::FolderStore;
use super::rest::RestStore;
use super::s3::S3Store;
use super::sftp::SftpStore;
use super::sftp_session::Settings;
use super::sigv4::Keys;
use crate::backups::worker::message::{Failure, FailureCode};
use crate::backups::worker::runtime::runtime;

/// Attempts after network errors. The waits between them add up to about half a minute.
const ATTEMPTS: u32 = 6;

/// Result of [`open`].
pub(in crate::backups::worker) enum Opened {
    /// The store.
    Store(Box<dyn Store>),
    /// An SFTP server whose host key has not been confirmed yet.
    Unknown {
        /// Its host key.
        host_key: String,
    },
}

/// What the node knows of a repository.
pub(in crate::backups::worker) struct Node<'n> {
    /// The folder of the node's own repositories.
    pub(in crate::backups::worker) folder: &'n Path,
    /// The repository's id.
    pub(in crate::backups::worker) id: &'n str,
    /// Identifies this node's workers.
    pub(in crate::backups::worker) worker_id: &'n str,
}

/// Opens a store. Only a test may use an SFTP server with an unconfirmed host key.
pub(in crate::backups::worker) fn open(
    location: BackupLocation,
    node: &Node<'_>,
    test: bool,
) -> Result<Opened, Failure> {
    // A user waits for the result of a test.
    let attempts = if test { 2 } else { ATTEMPTS };
    let store: Box<dyn Store> = match location {
        BackupLocation::Node => Box::new(FolderStore::of_node(&node.folder.join(node.id))),
        BackupLocation::Folder { path } => {
            Box::new(FolderStore::below(Path::new(&path), node.id, node.folder)?)
        }
        BackupLocation::S3 { endpoint, region, bucket, prefix, access_key, secret_key } => {
            let keys = Keys::new(&region, &access_key, &secret_key);
            Box::new(S3Store::new(&endpoint, &bucket, &prefix, keys, attempts)?)
        }
        BackupLocation::Rest { url, user, password } => {
            Box::new(RestStore::new(&url, &user, &password, attempts)?)
        }
        BackupLocation::Sftp { host, port, user, path, password, private_key, host_key } => {
            let settings = Settings { host, port, user, password, private_key, host_key };
            if settings.host_key.is_none() {
                let sentence = "The host key of the SFTP server has not been confirmed yet. Test the backup target first.";
                if !test {
                    return Err(Failure::new(FailureCode::Denied, sentence));
                }
                let runtime = runtime().map_err(|error| Failure::io("Starting", &error))?;
                return Ok(Opened::Unknown { host_key: runtime.block_on(settings.look())? });
            }
            Box::new(SftpStore::new(settings, &path, node.worker_id, attempts))
        }
    };
    Ok(Opened::Store(store))
}
