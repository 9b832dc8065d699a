//! What goes out as JSON.

use protocol::{
    DiskUsageReport, FileEntry, FileKind, FileMatch, FileMatches, FileVersion, LargeFile, Skipped,
    TrashEntry, Trashed,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::system::clock;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FileKind)]
pub(crate) enum KindView {
    /// A plain file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A pipe, a socket, a device.
    Other,
}

impl From<FileKind> for KindView {
    fn from(kind: FileKind) -> Self {
        match kind {
            FileKind::File => Self::File,
            FileKind::Directory => Self::Directory,
            FileKind::Symlink => Self::Symlink,
            FileKind::Other => Self::Other,
        }
    }
}

/// One entry of a folder. A byte of its name that is not UTF-8 stands as the character U+EF00 plus that byte.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FileEntry)]
pub(crate) struct EntryView {
    /// Its name.
    pub(super) name: String,
    /// What it is.
    pub(super) kind: KindView,
    /// Bytes.
    pub(super) size: u64,
    /// Permission bits in octal, such as `755`.
    pub(super) mode: String,
    /// When its content changed last.
    pub(super) modified: String,
    /// What a link leads to, as it is written in it; absent for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<String>,
    /// Kind of a link's target; absent if it does not exist or is outside the server's folder.
    #[serde(skip_serializing_if = "Option::is_none", rename = "targetKind")]
    pub(super) target_kind: Option<KindView>,
}

impl From<FileEntry> for EntryView {
    fn from(entry: FileEntry) -> Self {
        Self {
            name: entry.name,
            kind: entry.kind.into(),
            size: entry.size,
            mode: format!("{:03o}", entry.mode),
            modified: clock::rfc3339(entry.modified.as_millisecond()),
            target: entry.target,
            target_kind: entry.target_kind.map(KindView::from),
        }
    }
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FileJobKind)]
pub(super) enum JobKind {
    /// Copies.
    Copy,
    /// Deletes.
    Delete,
    /// Packs.
    Archive,
    /// Unpacks.
    Extract,
    /// Fetches what a link names.
    Pull,
    /// Puts back from the trash.
    Restore,
    /// Empties the trash.
    EmptyTrash,
}

/// How a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FileJobState)]
pub(super) enum JobState {
    /// It goes on.
    Running,
    /// It did what was asked.
    Done,
    /// It did not.
    Failed,
    /// Somebody called it off.
    Cancelled,
}

/// Work on files that may take long.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FileJob)]
pub(super) struct JobView {
    /// Its number.
    pub(super) id: String,
    /// What it does.
    pub(super) kind: JobKind,
    /// How it is.
    pub(super) state: JobState,
    /// How far it is.
    #[serde(flatten)]
    pub(super) progress: ProgressView,
    /// When it began.
    pub(super) started_at: String,
    /// When it ended; absent while it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended_at: Option<String>,
    /// Why it failed; absent where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<JobError>,
    /// What was passed over, the first 100.
    pub(super) skipped: Vec<SkippedView>,
    /// How many were passed over.
    pub(super) skipped_count: u64,
    /// What went into the trash.
    pub(super) trashed: Vec<TrashedView>,
}

/// How far a job is.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FileJobProgress)]
pub(super) struct ProgressView {
    /// Files and folders that are done.
    pub(super) entries: u64,
    /// Bytes that are done.
    pub(super) bytes: u64,
    /// Bytes of all of it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total_bytes: Option<u64>,
    /// What is worked at; absent where that says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
}

/// Why a job failed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FileJobError)]
pub(super) struct JobError {
    /// The code.
    pub(super) code: String,
    /// The sentence.
    pub(super) message: String,
}

impl From<&ApiError> for JobError {
    fn from(error: &ApiError) -> Self {
        Self { code: error.code().as_str().to_owned(), message: error.message().to_owned() }
    }
}

/// Something that was passed over.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SkippedFile)]
pub(super) struct SkippedView {
    /// Its path.
    path: String,
    /// Why, for a person.
    reason: String,
}

impl From<Skipped> for SkippedView {
    fn from(skipped: Skipped) -> Self {
        Self { path: skipped.path, reason: skipped.reason }
    }
}

/// Something that went into the trash.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TrashedFile)]
pub(super) struct TrashedView {
    /// Its number there.
    id: String,
    /// Where it was.
    path: String,
}

impl From<Trashed> for TrashedView {
    fn from(trashed: Trashed) -> Self {
        Self { id: trashed.id, path: trashed.path }
    }
}

/// Something in the trash.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TrashEntry)]
pub(super) struct TrashView {
    /// Its number.
    id: String,
    /// Where it was.
    path: String,
    /// What it is.
    kind: KindView,
    /// Bytes, with all that is in it; absent where they are not counted yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// When it was deleted.
    deleted_at: String,
}

impl From<TrashEntry> for TrashView {
    fn from(entry: TrashEntry) -> Self {
        Self {
            id: entry.id,
            path: entry.path,
            kind: entry.kind.into(),
            size: entry.size,
            deleted_at: clock::rfc3339(entry.deleted_at.as_millisecond()),
        }
    }
}

/// What a file was before it was written.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FileVersion)]
pub(super) struct VersionView {
    /// Its number.
    id: String,
    /// Bytes.
    size: u64,
    /// When it was replaced.
    saved_at: String,
}

impl From<FileVersion> for VersionView {
    fn from(version: FileVersion) -> Self {
        let saved_at = clock::rfc3339(version.saved_at.as_millisecond());
        Self { id: version.id, size: version.size, saved_at }
    }
}

/// What was found.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FileMatches)]
pub(super) struct MatchesView {
    /// The matches.
    matches: Vec<MatchView>,
    /// Files and folders that were looked at.
    scanned: u64,
    /// Whether it ended before everything was looked at.
    truncated: bool,
}

/// Something that was found.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FileMatch)]
pub(super) struct MatchView {
    /// Its path.
    path: String,
    /// What it is.
    kind: KindView,
    /// The line of the file, from 1; absent where its name was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    /// That line, or what is around the match.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl From<FileMatches> for MatchesView {
    fn from(found: FileMatches) -> Self {
        let view = |found: FileMatch| MatchView {
            path: found.path,
            kind: found.kind.into(),
            line: found.line,
            text: found.text,
        };
        let matches = found.matches.into_iter().map(view).collect();
        Self { matches, scanned: found.scanned, truncated: found.truncated }
    }
}

/// How much room the files take.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FileUsage)]
pub(super) struct UsageView {
    /// Bytes on the disk.
    bytes: u64,
    /// Files and folders.
    entries: u64,
    /// Bytes that they may take; absent where there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    /// When they were counted; absent where they never were.
    #[serde(skip_serializing_if = "Option::is_none")]
    measured_at: Option<String>,
    /// Whether they are being counted now.
    measuring: bool,
    /// What takes most, the first 50.
    largest: Vec<LargeView>,
}

/// A file or folder that takes much room.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = LargeFile)]
pub(super) struct LargeView {
    /// Where it is.
    path: String,
    /// What it is.
    kind: KindView,
    /// Bytes on the disk, with all that is in it.
    bytes: u64,
}

impl UsageView {
    pub(super) fn new(report: DiskUsageReport, limit: Option<u64>) -> Self {
        let large =
            |file: LargeFile| LargeView { path: file.path, kind: file.kind.into(), bytes: file.bytes };
        Self {
            bytes: report.bytes,
            entries: report.entries,
            limit,
            measured_at: report.measured_at.map(|at| clock::rfc3339(at.as_millisecond())),
            measuring: report.measuring,
            largest: report.largest.into_iter().map(large).collect(),
        }
    }
}

/// A link for a browser.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FileDownload)]
pub(crate) struct DownloadView {
    /// Good once, for a minute.
    pub(super) url: String,
    /// The name of the file that comes.
    pub(super) name: String,
}
