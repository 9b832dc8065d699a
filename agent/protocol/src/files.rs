//! The two file messages of the legacy protocol, and the descriptions of files and folders.

use ids::ServerId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::payload::{Payload, id};
use super::{file_paths, lenient};

/// Maximum number of a folder's entries in one answer.
pub const LISTED: u32 = 2_000;
/// Maximum bytes of an etag.
const ETAG: usize = 64;

/// `file_read`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileRead {
    /// The server's id.
    pub server_id: ServerId,
    /// Relative to the server's folder.
    pub path: String,
}

/// `file_write`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileWrite {
    /// The server's id.
    pub server_id: ServerId,
    /// Relative to the server's folder.
    pub path: String,
    /// UTF-8 text, at most 4 MiB.
    pub content: String,
}

/// `file_content`: the answer to both; without `content` after a write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileContent {
    /// The server's id; a test agent of another implementation omits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<ServerId>,
    /// The requested path.
    #[serde(default)]
    pub path: String,
    /// The file's text; absent after a write or a failed read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Whether a write succeeded, as sent by a test agent of another implementation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// Why it failed; absent on success.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::text_or_nothing")]
    pub message: Option<String>,
}

impl Payload for FileRead {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, path } = self;
        id(server_id)?;
        file_paths::path("path", path)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for FileWrite {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, path, content: _ } = self;
        // The length of the file is checked where it is written.
        id(server_id)?;
        file_paths::path("path", path)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

/// `file_list`: requests a page of a folder's entries, ordered by name as bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileList {
    /// The server's id.
    pub server_id: ServerId,
    /// The folder, relative to the server's.
    pub path: String,
    /// The page starts after this name; absent for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Maximum number of entries, up to [`LISTED`].
    pub limit: u32,
}

/// A file or folder of a server: `file_stat`, `file_versions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileRef {
    /// The server's id.
    pub server_id: ServerId,
    /// Relative to the server's folder.
    pub path: String,
}

/// The type of a folder's entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A pipe, a socket, a device.
    #[default]
    #[serde(other)]
    Other,
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileEntry {
    /// Its name, see [`file_paths`].
    pub name: String,
    /// Its type.
    pub kind: FileKind,
    /// Size in bytes, as reported by the file system.
    pub size: u64,
    /// Permission bits, `07777`.
    pub mode: u32,
    /// When its content last changed.
    pub modified: Timestamp,
    /// The target of a link, as stored in it. Absent for other entries, and if it is very long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Kind of a link's target. Absent for other entries, and if the target does not exist or is outside the server's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_kind: Option<FileKind>,
}

/// `file_entries`: the answer to `file_list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileEntries {
    /// The requested path.
    pub path: String,
    /// The page.
    pub entries: Vec<FileEntry>,
    /// Number of entries in the whole folder.
    pub total: u64,
    /// Whether more entries follow. A page may have fewer entries than its limit.
    #[serde(default)]
    pub more: bool,
}

/// `file_info`: one file or folder, and a tag that changes whenever it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileInfo {
    /// The requested path.
    pub path: String,
    /// The entry. A link to something within the server's folder is described as its target.
    pub entry: FileEntry,
    /// The etag, in hex digits.
    pub etag: String,
}

impl Payload for FileList {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, path, after, limit } = self;
        id(server_id)?;
        file_paths::path("path", path)?;
        *limit = (*limit).clamp(1, LISTED);
        after.as_deref().map_or(Ok(()), |after| file_paths::name("after", after))
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for FileRef {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, path } = self;
        id(server_id)?;
        file_paths::path("path", path)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl FileEntry {
    pub(super) fn bound(&mut self) -> Result<(), String> {
        let Self { name, kind: _, size: _, mode, modified: _, target, target_kind: _ } = self;
        *mode &= 0o7777;
        file_paths::name("name", name)?;
        target.as_deref().map_or(Ok(()), |target| file_paths::path("target", target))
    }
}

impl FileEntries {
    pub(super) fn bound(&mut self) -> Result<(), String> {
        let Self { path, entries, total: _, more: _ } = self;
        file_paths::path("path", path)?;
        if entries.len() > LISTED as usize {
            return Err(format!("entries has more than {LISTED} entries"));
        }
        entries.iter_mut().try_for_each(FileEntry::bound)
    }
}

impl FileInfo {
    pub(super) fn bound(&mut self) -> Result<(), String> {
        let Self { path, entry, etag } = self;
        file_paths::path("path", path)?;
        hex(etag)?;
        entry.bound()
    }
}

/// Checks an etag, which is used in HTTP headers.
pub(super) fn hex(etag: &str) -> Result<(), String> {
    if etag.len() > ETAG || !etag.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("etag is not hex digits".to_owned());
    }
    Ok(())
}
