//! What comes in as JSON, or in the query.

use protocol::ArchiveFormat;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// A folder, or a part of it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// The folder; `/` is the server's.
    #[param(example = "/")]
    pub(super) path: String,
    /// Only what comes after this name.
    #[serde(default)]
    pub(super) after: Option<String>,
    /// So many entries at most, from 1 to 10,000; all of them where absent.
    #[serde(default)]
    pub(super) limit: Option<u32>,
    /// A previous `ETag` of this folder: if it is unchanged, the list is empty and the header `ETag` is the same.
    #[serde(default)]
    pub(super) unless: Option<String>,
}

/// A file or folder.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct PathQuery {
    /// Its path.
    pub(super) path: String,
}

/// What is written.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct WriteQuery {
    /// The file's path.
    pub(super) path: String,
    /// Whether what the file was is kept as a version: by itself so for up to 4 MiB of text.
    #[serde(default)]
    #[param(rename = "keepVersion")]
    pub(super) keep_version: Option<bool>,
}

/// Whether to count again.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct UsageQuery {
    /// Counts again.
    #[serde(default)]
    pub(super) refresh: bool,
}

/// A new folder.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MakeFolder)]
pub(super) struct MkdirRequest {
    /// Its path; those above it are made as well.
    pub(super) path: String,
}

/// Another name or place.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RenameFile)]
pub(super) struct RenameRequest {
    /// The path of the file or folder.
    pub(super) path: String,
    /// Its whole new path.
    pub(super) to: String,
    /// Whether a file that is there may be replaced.
    #[serde(default)]
    pub(super) replace: bool,
}

/// Permission bits.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChangeMode)]
pub(super) struct ChmodRequest {
    /// The path of the file or folder.
    pub(super) path: String,
    /// In octal, `000` to `777`.
    #[schema(pattern = "^0?[0-7]{3}$")]
    pub(super) mode: String,
    /// Also of all that is in it.
    #[serde(default)]
    pub(super) recursive: bool,
}

/// A copy.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CopyFile)]
pub(super) struct CopyRequest {
    /// The path of the file or folder.
    pub(super) path: String,
    /// The copy's whole path.
    pub(super) to: String,
    /// Answers at once, while it goes on.
    #[serde(default)]
    pub(super) background: bool,
}

/// What goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeleteFiles)]
pub(super) struct DeleteRequest {
    /// Files and folders.
    pub(super) paths: Vec<String>,
    /// Not into the trash.
    #[serde(default)]
    pub(super) permanent: bool,
    /// Answers at once, while it goes on.
    #[serde(default)]
    pub(super) background: bool,
}

/// An archive.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MakeArchive)]
pub(super) struct ArchiveRequest {
    /// Files and folders.
    pub(super) paths: Vec<String>,
    /// Its path; the name's end says the format: `.zip`, `.tar.gz`, `.tar.zst` or `.tar`.
    pub(super) to: String,
    /// Answers at once, while it goes on.
    #[serde(default)]
    pub(super) background: bool,
}

/// What is unpacked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ExtractArchive)]
pub(super) struct ExtractRequest {
    /// The archive.
    pub(super) path: String,
    /// The folder to unpack into.
    pub(super) to: String,
    /// Answers at once, while it goes on.
    #[serde(default)]
    pub(super) background: bool,
}

/// What is fetched.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PullFile)]
pub(super) struct PullRequest {
    /// Where it is.
    pub(super) url: String,
    /// The file's path, or a folder's with a slash at its end: then the address says the name.
    pub(super) to: String,
    /// Answers at once, while it goes on.
    #[serde(default)]
    pub(super) background: bool,
}

/// What comes back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RestoreFiles)]
pub(super) struct RestoreRequest {
    /// Numbers in the trash.
    pub(super) ids: Vec<String>,
}

/// What goes for good.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EmptyTrash)]
pub(super) struct EmptyTrashRequest {
    /// Numbers in the trash; everything where absent.
    #[serde(default)]
    pub(super) ids: Option<Vec<String>>,
}

/// What is looked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = SearchFiles)]
pub(super) struct SearchRequest {
    /// The folder to look in.
    pub(super) path: String,
    /// Part of a name, or a pattern with `*` and `?`.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// Text that stands in the file.
    #[serde(default)]
    pub(super) content: Option<String>,
    /// Whether upper and lower case differ.
    #[serde(default)]
    pub(super) case_sensitive: bool,
    /// Matches, from 1 to 1,000; 200 where absent.
    #[serde(default)]
    pub(super) limit: Option<u32>,
}

/// The format of an archive that is made on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[schema(as = DownloadFormat)]
pub(crate) enum Format {
    /// ZIP.
    #[serde(rename = "zip")]
    Zip,
    /// tar, compressed by Zstandard.
    #[serde(rename = "tar.zst")]
    TarZst,
    /// tar, compressed by gzip.
    #[serde(rename = "tar.gz")]
    TarGz,
}

impl From<Format> for ArchiveFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Zip => Self::Zip,
            Format::TarZst => Self::TarZst,
            Format::TarGz => Self::TarGz,
        }
    }
}

/// What a link for a browser leads to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DownloadFiles)]
pub(super) struct DownloadRequest {
    /// Files and folders. One file comes as it is, all else as an archive.
    pub(super) paths: Vec<String>,
    /// Always an archive, of this format.
    #[serde(default)]
    pub(super) format: Option<Format>,
    /// An earlier version of the one file.
    #[serde(default)]
    pub(super) version: Option<String>,
}
