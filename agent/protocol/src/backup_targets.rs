//! Location of backups, limits of the work, and the space that backups take.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::payload::{PATH, WORD, some, within};

/// Bytes of an address.
const ADDRESS: usize = 2_048;
/// Bytes of a secret.
const SECRET: usize = 1_024;
/// Bytes of a private key.
const PRIVATE_KEY: usize = 16 * 1_024;
/// The highest limit that can be set, in MiB/s.
const FASTEST: u32 = 100_000;

/// Location of a repository. For S3, REST and SFTP it is the repository itself; in a folder, the repository is the subfolder
/// with its id.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum BackupLocation {
    /// In the node's data folder.
    #[default]
    Node,
    /// Below a folder of the node: a mounted disk or a share.
    Folder {
        /// Its path, from the root. The folder must exist.
        path: String,
    },
    /// In an S3 bucket, addressed by path.
    S3 {
        /// `https://HOST[:PORT]`, or `http://…` within one's own network.
        endpoint: String,
        /// The region for signatures.
        region: String,
        /// The bucket, which must exist.
        bucket: String,
        /// The folder in it; empty for none.
        prefix: String,
        /// The access key's id.
        access_key: String,
        /// The secret key.
        secret_key: String,
    },
    /// On restic's REST server.
    Rest {
        /// The repository's address.
        url: String,
        /// User name; empty for none.
        user: String,
        /// Password.
        password: String,
    },
    /// On an SFTP server.
    Sftp {
        /// The server.
        host: String,
        /// Its port.
        port: u16,
        /// User name.
        user: String,
        /// The repository's folder, absolute or relative to the user's home.
        path: String,
        /// Password, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<String>,
        /// Private key in OpenSSH's format without a passphrase, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        private_key: Option<String>,
        /// Fingerprint of the host key, `SHA256:…`. If absent, only a test is possible, which reports it and does not sign in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host_key: Option<String>,
    },
}

impl BackupLocation {
    /// Whether it is the node's data folder.
    #[must_use]
    pub fn is_node(&self) -> bool {
        *self == Self::Node
    }

    /// Checks the length of each field.
    pub(super) fn bound(&self) -> Result<(), String> {
        match self {
            Self::Node => Ok(()),
            Self::Folder { path } => within("the path of the backup target", path, PATH),
            Self::S3 { endpoint, region, bucket, prefix, access_key, secret_key } => {
                within("the address of the backup target", endpoint, ADDRESS)?;
                within("the region of the backup target", region, WORD)?;
                within("the bucket of the backup target", bucket, WORD)?;
                within("the folder of the backup target", prefix, PATH)?;
                within("the access key of the backup target", access_key, SECRET)?;
                within("the secret key of the backup target", secret_key, SECRET)
            }
            Self::Rest { url, user, password } => {
                within("the address of the backup target", url, ADDRESS)?;
                within("the user of the backup target", user, WORD)?;
                within("the password of the backup target", password, SECRET)
            }
            Self::Sftp { host, port: _, user, path, password, private_key, host_key } => {
                within("the host of the backup target", host, WORD)?;
                within("the user of the backup target", user, WORD)?;
                within("the path of the backup target", path, PATH)?;
                some("the password of the backup target", password.as_deref(), SECRET)?;
                some("the private key of the backup target", private_key.as_deref(), PRIVATE_KEY)?;
                some("the host key of the backup target", host_key.as_deref(), WORD)
            }
        }
    }
}

impl fmt::Debug for BackupLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => f.write_str("Node"),
            Self::Folder { path } => f.debug_struct("Folder").field("path", path).finish(),
            Self::S3 { endpoint, bucket, prefix, .. } => f
                .debug_struct("S3")
                .field("endpoint", endpoint)
                .field("bucket", bucket)
                .field("prefix", prefix)
                .finish_non_exhaustive(),
            // The address may contain a password.
            Self::Rest { .. } => f.debug_struct("Rest").finish_non_exhaustive(),
            Self::Sftp { host, port, path, .. } => f
                .debug_struct("Sftp")
                .field("host", host)
                .field("port", port)
                .field("path", path)
                .finish_non_exhaustive(),
        }
    }
}

/// Limits of the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupLimits {
    /// Limit for reading and for writing, each in MiB/s; 0 for none.
    pub mib_per_sec: u32,
    /// Use less memory, and more time.
    pub small_memory: bool,
}

impl BackupLimits {
    /// Whether there is no limit.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Clamps the values.
    pub(super) fn bound(&mut self) {
        let Self { mib_per_sec, small_memory: _ } = self;
        *mib_per_sec = (*mib_per_sec).min(FASTEST);
    }
}

/// Space of a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupSpace {
    /// Total size in bytes, including data that is yet to be pruned.
    pub stored: u64,
    /// Free space at its location in bytes, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free: Option<u64>,
    /// Number of backups in it, of all servers.
    pub snapshots: u64,
}
