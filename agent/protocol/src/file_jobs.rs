//! Work on a server's files that may take long: asked for by `file_op`, told of by `file_progress`, ended by `file_done` or
//! `error`. The panel gives each a number of its own; asked again under the same one, the agent does nothing twice: it
//! answers when the first has ended, or as that did.

use ids::ServerId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::file_paths;
use super::files::FileKind;
use super::payload::{Payload, few, id};
use super::text::TextRule;

/// Paths in one request.
pub const PATHS: usize = 10_000;
/// Entries that are named of those that were passed over.
pub const SKIPPED: usize = 100;
/// What the trash and the versions of a file may be in one answer.
const KEPT: usize = 10_000;
/// Largest number of patterns of denied files, and largest size of a pattern in bytes.
const PATTERNS: usize = 256;
const PATTERN: usize = 512;
/// Bytes of the number of a job, of an upload, of something in the trash.
const NUMBER: usize = 64;

/// `file_op`: changes files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileOp {
    /// The server's id.
    pub server_id: ServerId,
    /// The job's number: letters and digits.
    pub job_id: String,
    /// What is to be done.
    pub op: FileAction,
    /// Patterns of files that the caller may not access (the template's `file_denylist`): a folder that contains such a file is
    /// not deleted. The panel has checked the paths themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<String>,
}

/// What is to be done with files. Nothing is written over something that exists, but by `rename` with `replace`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum FileAction {
    /// Makes a folder, with those above it.
    MakeDirectory {
        /// The new folder.
        path: String,
    },
    /// Gives something another name or place.
    Rename {
        /// The file or folder that gets another name.
        path: String,
        /// Its whole new path.
        to: String,
        /// Whether a file may be replaced there.
        #[serde(default)]
        replace: bool,
    },
    /// Copies a file or folder.
    Copy {
        /// The file or folder that is copied.
        path: String,
        /// The copy's whole path.
        to: String,
    },
    /// Removes files and folders.
    Delete {
        /// The files and folders that go.
        paths: Vec<String>,
        /// Not into the trash.
        #[serde(default)]
        permanent: bool,
    },
    /// Changes permission bits. Setuid, setgid and the sticky bit are never set.
    Chmod {
        /// The file or folder that gets the bits.
        path: String,
        /// The bits.
        mode: u32,
        /// Also of all that is in it; folders get the right to enter where they may be read.
        #[serde(default)]
        recursive: bool,
    },
    /// Packs files and folders.
    Archive {
        /// The files and folders that are packed.
        paths: Vec<String>,
        /// The archive's path.
        to: String,
        /// By the ending of `to` where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<ArchiveFormat>,
    },
    /// Unpacks an archive.
    Extract {
        /// The archive.
        path: String,
        /// The folder to unpack into.
        to: String,
    },
    /// Puts what is in the trash back where it was.
    Restore {
        /// By [`Trashed::id`].
        ids: Vec<String>,
    },
    /// Removes what is in the trash.
    EmptyTrash {
        /// By [`Trashed::id`]; everything where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ids: Option<Vec<String>>,
    },
}

/// The formats that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArchiveFormat {
    /// ZIP.
    #[serde(rename = "zip")]
    Zip,
    /// tar.
    #[serde(rename = "tar")]
    Tar,
    /// tar, compressed by gzip.
    #[serde(rename = "tar.gz")]
    TarGz,
    /// tar, compressed by Zstandard.
    #[serde(rename = "tar.zst")]
    TarZst,
}

impl ArchiveFormat {
    /// What the end of a name says.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let ends = |ending: &str| name.ends_with(ending);
        match () {
            () if ends(".zip") => Some(Self::Zip),
            () if ends(".tar.gz") || ends(".tgz") => Some(Self::TarGz),
            () if ends(".tar.zst") || ends(".tzst") => Some(Self::TarZst),
            () if ends(".tar") => Some(Self::Tar),
            () => None,
        }
    }

    /// What the name of such a file ends in, without the dot.
    #[must_use]
    pub fn ending(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Tar => "tar",
            Self::TarGz => "tar.gz",
            Self::TarZst => "tar.zst",
        }
    }
}

/// `file_cancel`: breaks a job or a search off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileCancel {
    /// The server's id.
    pub server_id: ServerId,
    /// The job's number.
    pub job_id: String,
}

/// `file_progress`: how far a job is, at most four times a second. It carries no `messageId`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileProgress {
    /// The server's id.
    pub server_id: ServerId,
    /// The job's number.
    pub job_id: String,
    /// Files and folders that are done.
    pub entries: u64,
    /// Bytes that are done.
    pub bytes: u64,
    /// Bytes of all of it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// What is worked at; empty where that says nothing.
    #[serde(default)]
    pub path: String,
}

/// `file_done`: how a job ended that did what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileDone {
    /// The server's id.
    pub server_id: ServerId,
    /// The job's number.
    pub job_id: String,
    /// Files and folders.
    pub entries: u64,
    /// Bytes.
    pub bytes: u64,
    /// What was passed over, the first [`SKIPPED`].
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// How many were passed over.
    #[serde(default)]
    pub skipped_count: u64,
    /// What went into the trash.
    #[serde(default)]
    pub trashed: Vec<Trashed>,
}

/// Something that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The file or folder.
    pub path: String,
    /// Why, for a person.
    pub reason: String,
}

/// Something that went into the trash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trashed {
    /// Its number there.
    pub id: String,
    /// Where it was.
    pub path: String,
}

/// Something in the trash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrashEntry {
    /// Its number.
    pub id: String,
    /// Where it was.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// Bytes of it with all that is in it; absent where they were not counted yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When it was deleted.
    pub deleted_at: Timestamp,
}

/// `file_trash_list`: the answer to `file_trash`, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileTrashList {
    /// What is there; of more than 10,000 the newest.
    pub entries: Vec<TrashEntry>,
}

/// What a file was before it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileVersion {
    /// Its number.
    pub id: String,
    /// Bytes.
    pub size: u64,
    /// When it was replaced.
    pub saved_at: Timestamp,
}

/// `file_version_list`: the answer to `file_versions`, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileVersionList {
    /// The versions.
    pub versions: Vec<FileVersion>,
}

/// A number that somebody else gave something: letters, digits and dashes, so that it can be the name of a file.
pub(super) fn number(what: &str, text: &str) -> Result<(), String> {
    let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if text.is_empty() || text.len() > NUMBER || !text.bytes().all(valid) {
        return Err(format!("{what} is not letters and digits"));
    }
    Ok(())
}

fn numbers(what: &str, all: &[String]) -> Result<(), String> {
    few(what, all.len(), PATHS)?;
    all.iter().try_for_each(|one| number(what, one))
}

impl Payload for FileOp {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, job_id, op, denied } = self;
        id(server_id)?;
        number("jobId", job_id)?;
        few("denied", denied.len(), PATTERNS)?;
        // A shortened pattern would match other files.
        if denied.iter().any(|pattern| pattern.len() > PATTERN) {
            return Err(format!("denied has a pattern of more than {PATTERN} bytes"));
        }
        match op {
            FileAction::MakeDirectory { path } | FileAction::Chmod { path, mode: _, recursive: _ } => {
                file_paths::path("path", path)
            }
            FileAction::Rename { path, to, replace: _ }
            | FileAction::Copy { path, to }
            | FileAction::Extract { path, to } => {
                file_paths::path("path", path)?;
                file_paths::path("to", to)
            }
            FileAction::Delete { paths, permanent: _ } => file_paths::paths("paths", paths, PATHS),
            FileAction::Archive { paths, to, format: _ } => {
                file_paths::paths("paths", paths, PATHS)?;
                file_paths::path("to", to)
            }
            FileAction::Restore { ids } => numbers("ids", ids),
            FileAction::EmptyTrash { ids } => ids.as_deref().map_or(Ok(()), |ids| numbers("ids", ids)),
        }
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl Payload for FileCancel {
    fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, job_id } = self;
        id(server_id)?;
        number("jobId", job_id)
    }

    fn server_id(&self) -> Option<&ServerId> {
        Some(&self.server_id)
    }
}

impl FileProgress {
    pub(super) fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, job_id, entries: _, bytes: _, total_bytes: _, path } = self;
        id(server_id)?;
        number("jobId", job_id)?;
        file_paths::path("path", path)
    }
}

impl FileDone {
    pub(super) fn bound(&mut self) -> Result<(), String> {
        let Self { server_id, job_id, entries: _, bytes: _, skipped, skipped_count: _, trashed } = self;
        id(server_id)?;
        number("jobId", job_id)?;
        skipped.truncate(SKIPPED);
        for Skipped { path, reason } in skipped {
            file_paths::path("path", path)?;
            TextRule::line(256).apply(reason);
        }
        trashed.truncate(PATHS);
        for Trashed { id, path } in trashed {
            number("id", id)?;
            file_paths::path("path", path)?;
        }
        Ok(())
    }
}

impl FileTrashList {
    pub(super) fn bound(&mut self) -> Result<(), String> {
        let Self { entries } = self;
        entries.truncate(KEPT);
        for TrashEntry { id, path, kind: _, size: _, deleted_at: _ } in entries {
            number("id", id)?;
            file_paths::path("path", path)?;
        }
        Ok(())
    }
}

impl FileVersionList {
    pub(super) fn bound(&mut self) -> Result<(), String> {
        let Self { versions } = self;
        versions.truncate(KEPT);
        versions.iter().try_for_each(|FileVersion { id, size: _, saved_at: _ }| number("id", id))
    }
}
