//! Contents of files, which never ride on this connection: the agent dials one of its own for them, where these requests
//! tell the number and the word that opens it. And uploads, whose bytes come in pieces that may be days apart.

use ids::ServerId;
use serde::{Deserialize, Serialize};

use super::backups::{BackupRepository, plain};
use super::file_jobs::{ArchiveFormat, PATHS, number};
use super::file_paths;
use super::files::hex;
use super::payload::{Payload, WORD, id, within};

/// `file_send`: dials and sends. Answered when what is to be sent is open and the connection is there: by `file_info` for
/// the content of a file, else by `ack`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileSend {
    /// The server's id.
    pub server_id: ServerId,
    /// The end of the address to dial: `/transfer/ID`.
    pub transfer_id: String,
    /// Secret that opens the connection, once.
    pub token: String,
    /// What is sent.
    pub source: FileSource,
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum FileSource {
    /// A file, or part of it.
    Content {
        /// The file.
        path: String,
        /// The first byte.
        #[serde(default)]
        offset: u64,
        /// Bytes; up to the end of the file where absent or more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        length: Option<u64>,
        /// Only where it is this still.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        etag: Option<String>,
    },
    /// What a file was before it was written.
    Version {
        /// The file.
        path: String,
        /// The version's number.
        id: String,
    },
    /// Files and folders, packed on the way.
    Archive {
        /// The files and folders that are packed.
        paths: Vec<String>,
        /// The format of the archive.
        format: ArchiveFormat,
    },
    /// Files and folders of a backup, packed on the way.
    Backup {
        /// Where the backup lies.
        repository: Box<BackupRepository>,
        /// The backup's id.
        backup_id: String,
        /// What is packed; empty for all.
        #[serde(default)]
        paths: Vec<String>,
        /// The format of the archive.
        format: ArchiveFormat,
    },
}

/// `file_receive`: dials and receives until the other end says that this was all. Answered when it is on the disk: by
/// `file_info` for the content of a file, by `upload_info` for a piece of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileReceive {
    /// The server's id.
    pub server_id: ServerId,
    /// The end of the address to dial: `/transfer/ID`.
    pub transfer_id: String,
    /// Secret that opens the connection, once.
    pub token: String,
    /// What it becomes.
    pub target: FileTarget,
}

/// What received bytes become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum FileTarget {
    /// The whole content of a file.
    Content {
        /// The file; folders above it are made.
        path: String,
        /// Bytes, where that is known: less or more is an error.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        /// Only where the file is this still; `none`: only where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        if_match: Option<String>,
        /// Whether what the file was is kept as a version.
        #[serde(default)]
        keep_version: bool,
    },
    /// The next piece of an upload. What came of it is kept where the connection breaks.
    Upload {
        /// The upload's number.
        id: String,
        /// How much of it is there.
        offset: u64,
    },
}

/// `file_sftp`: dials and serves the server's files: the panel has an SFTP client there and knows who that is. Binary frames
/// hold whole packets of SFTP 3, each with its length before it; the panel answers `INIT` itself. Paths are absolute, `/` is
/// the server's folder. Answered by `ack` when the connection is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileSftp {
    /// The server's id.
    pub server_id: ServerId,
    /// The end of the address to dial: `/transfer/ID`.
    pub transfer_id: String,
    /// Secret that opens the connection, once.
    pub token: String,
    /// Whether anything may be changed.
    pub writable: bool,
}

/// `upload_create`: prepares for a file that comes in pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadCreate {
    /// The server's id.
    pub server_id: ServerId,
    /// The upload's number: letters and digits.
    pub id: String,
    /// The file that it becomes; folders above it are made.
    pub path: String,
    /// Bytes of the whole file.
    pub size: u64,
    /// Whether a file that is there may be replaced.
    #[serde(default)]
    pub replace: bool,
}

/// An upload: `upload_stat`, `upload_remove`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadRef {
    /// The server's id.
    pub server_id: ServerId,
    /// The upload's number.
    pub id: String,
}

/// `upload_info`: how far an upload is. With its last byte the file gets its place, and the upload is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadInfo {
    /// The file that it becomes.
    pub path: String,
    /// Bytes that are there.
    pub offset: u64,
    /// Bytes of the whole file.
    pub size: u64,
}

fn stream(server_id: &ServerId, transfer_id: &str, token: &str) -> Result<(), String> {
    id(server_id)?;
    within("transferId", transfer_id, WORD)?;
    within("token", token, WORD)
}

impl Payload for FileSend {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, transfer_id, token, source } = self;
        stream(server_id, transfer_id, token)?;
        match source {
            FileSource::Content { path, offset: _, length: _, etag } => {
                file_paths::path("path", path)?;
                etag.as_deref().map_or(Ok(()), hex)
            }
            FileSource::Version { path, id } => {
                file_paths::path("path", path)?;
                number("id", id)
            }
            FileSource::Archive { paths, format: _ } => file_paths::paths("paths", paths, PATHS),
            FileSource::Backup { repository, backup_id, paths, format: _ } => {
                repository.bound()?;
                plain("backupId", backup_id)?;
                file_paths::paths("paths", paths, PATHS)
            }
        }
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for FileSftp {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, transfer_id, token, writable: _ } = self;
        stream(server_id, transfer_id, token)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for FileReceive {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, transfer_id, token, target } = self;
        stream(server_id, transfer_id, token)?;
        match target {
            FileTarget::Content { path, size: _, if_match, keep_version: _ } => {
                file_paths::path("path", path)?;
                if_match.as_deref().map_or(Ok(()), |etag| within("ifMatch", etag, WORD))
            }
            FileTarget::Upload { id, offset: _ } => number("id", id),
        }
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for UploadCreate {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, id: upload, path, size: _, replace: _ } = self;
        id(server_id)?;
        number("id", upload)?;
        file_paths::path("path", path)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for UploadRef {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, id: upload } = self;
        id(server_id)?;
        number("id", upload)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl UploadInfo {
    pub(super) fn bound(&mut self) -> Result<(), String> {
        let Self { path, offset: _, size: _ } = self;
        file_paths::path("path", path)
    }
}
