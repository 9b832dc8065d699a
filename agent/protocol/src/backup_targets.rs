//! Where backups lie, how hard the work may be, and how much room they take.

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

/// Where a repository lies. At S3, a REST server and SFTP the address is that of the repository itself; below a folder it lies
/// in one of the repository's id.
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
    /// At a service that speaks S3. Buckets are addressed by path.
    S3 {
        /// `https://HOST[:PORT]`, or `http://…` within one's own network.
        endpoint: String,
        /// The region that requests are signed for.
        region: String,
        /// The bucket, which must exist.
        bucket: String,
        /// The folder in it; empty for none.
        prefix: String,
        /// Who asks.
        access_key: String,
        /// By which requests are signed.
        secret_key: String,
    },
    /// At restic's REST server.
    Rest {
        /// The repository's address.
        url: String,
        /// Who asks; empty where the server does not want to know.
        user: String,
        /// The password of that.
        password: String,
    },
    /// At an SFTP server.
    Sftp {
        /// The server.
        host: String,
        /// Its port.
        port: u16,
        /// Who signs in.
        user: String,
        /// The repository's folder, from the root or from where one is after signing in.
        path: String,
        /// The password, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<String>,
        /// The private key in OpenSSH's format, without a passphrase, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        private_key: Option<String>,
        /// `SHA256:…` of the server's key. Absent where it is not known yet: then only a test is allowed, which tells of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host_key: Option<String>,
    },
}

impl BackupLocation {
    /// It is in the node's data folder.
    #[must_use]
    pub fn is_node(&self) -> bool {
        *self == Self::Node
    }

    /// Refuses what is too long.
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
            // An address may hold a password.
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

/// How hard the work may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupLimits {
    /// MiB that are read, and as many that are written, in a second; 0 for no limit.
    pub mib_per_sec: u32,
    /// Take less memory and more time.
    pub small_memory: bool,
}

impl BackupLimits {
    /// It limits nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Brings it within its bounds.
    pub(super) fn bound(&mut self) {
        let Self { mib_per_sec, small_memory: _ } = self;
        *mib_per_sec = (*mib_per_sec).min(FASTEST);
    }
}

/// How much room a repository takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupSpace {
    /// Bytes of all that lies in it, also of what is only yet to be removed.
    pub stored: u64,
    /// Bytes that are free where it lies; absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free: Option<u64>,
    /// Backups in it, of all servers.
    pub snapshots: u64,
}
