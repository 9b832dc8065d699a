//! What is looked for in a server's files, and how much room they take.

use ids::ServerId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::file_jobs::number;
use super::file_paths;
use super::files::FileKind;
use super::payload::{Payload, id, some};
use super::text::TextRule;

/// Matches in one answer.
pub const MATCHES: u32 = 1_000;
/// Bytes of what is looked for.
const NEEDLE: usize = 1_024;
/// Characters of the line of a match; each may have four bytes.
const TEXT: usize = 300 * 4;
/// Files and folders that are named for the room they take.
const LARGEST: usize = 50;

/// `file_search`: looks for files by name, by content, or by both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileSearch {
    /// The server's id.
    pub server_id: ServerId,
    /// Its number, by which `file_cancel` ends it.
    pub job_id: String,
    /// The folder to look in.
    pub path: String,
    /// Part of a name, or a pattern with `*` and `?`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Text that stands in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Whether upper and lower case differ.
    #[serde(default)]
    pub case_sensitive: bool,
    /// Matches, at most [`MATCHES`].
    pub limit: u32,
}

/// `file_matches`: the answer to `file_search`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileMatches {
    /// What was found.
    pub matches: Vec<FileMatch>,
    /// Files and folders that were looked at.
    pub scanned: u64,
    /// Whether it ended before everything was looked at.
    pub truncated: bool,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileMatch {
    /// The file or folder that was found.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// The line of the file, from 1; absent where only its name was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// That line, at most 300 characters around what was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// `disk_usage`: how much room a server's files take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskUsage {
    /// The server's id.
    pub server_id: ServerId,
    /// Whether to measure again.
    #[serde(default)]
    pub refresh: bool,
}

/// `disk_usage_report`: the answer to `disk_usage`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskUsageReport {
    /// Bytes on the disk.
    pub bytes: u64,
    /// Files and folders.
    pub entries: u64,
    /// When they were counted; absent where they never were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured_at: Option<Timestamp>,
    /// Whether they are being counted now.
    pub measuring: bool,
    /// What takes most.
    #[serde(default)]
    pub largest: Vec<LargeFile>,
}

/// A file or folder that takes much room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeFile {
    /// Where it is.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// Bytes on the disk, with all that is in it.
    pub bytes: u64,
}

impl Payload for FileSearch {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, job_id, path, name, content, case_sensitive: _, limit } = self;
        id(server_id)?;
        number("jobId", job_id)?;
        file_paths::path("path", path)?;
        *limit = (*limit).clamp(1, MATCHES);
        some("name", name.as_deref(), NEEDLE)?;
        some("content", content.as_deref(), NEEDLE)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for DiskUsage {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, refresh: _ } = self;
        id(server_id)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl FileMatches {
    pub(super) fn bound(&mut self) -> Result<(), String> {
        let Self { matches, scanned: _, truncated: _ } = self;
        matches.truncate(MATCHES as usize);
        for FileMatch { path, kind: _, line: _, text } in matches {
            file_paths::path("path", path)?;
            TextRule::line(TEXT).apply_some(text);
        }
        Ok(())
    }
}

impl DiskUsageReport {
    pub(super) fn bound(&mut self) -> Result<(), String> {
        let Self { bytes: _, entries: _, measured_at: _, measuring: _, largest } = self;
        largest.truncate(LARGEST);
        largest.iter().try_for_each(|LargeFile { path, kind: _, bytes: _ }| file_paths::path("path", path))
    }
}
