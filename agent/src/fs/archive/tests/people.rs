//! What the tests of people's archives have in common.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::super::*;

/// A folder that an archive goes to, the staging folder, and something beside them that must stay as it is.
pub(super) struct Cage {
    dir: tempfile::TempDir,
    pub(super) to: PathBuf,
}

impl Cage {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("servers/one");
        fs::create_dir_all(&to).unwrap();
        fs::create_dir(dir.path().join("servers/.staging")).unwrap();
        fs::write(dir.path().join("servers/canary"), "alive").unwrap();
        Self { dir, to }
    }

    pub(super) fn extract(&self, archive: &Path, limits: Limits) -> Result<Outcome, ArchiveError> {
        self.extract_watched(archive, limits, silent())
    }

    pub(super) fn extract_watched(
        &self,
        archive: &Path,
        limits: Limits,
        watch: Watch<'_>,
    ) -> Result<Outcome, ArchiveError> {
        let format = Format::of_name(archive.as_os_str().as_encoded_bytes()).unwrap();
        let staging = open(&self.dir.path().join("servers/.staging")).unwrap();
        let archive = fs::File::open(archive).unwrap();
        let done = stage(archive, format, staging, limits, watch)
            .and_then(|staged| staged.settle(open(&self.to).unwrap()));
        let mut beside: Vec<_> = fs::read_dir(self.dir.path().join("servers"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        beside.sort_unstable();
        assert_eq!(beside, [".staging", "canary", "one"], "nothing came beside");
        assert_eq!(fs::read(self.dir.path().join("servers/canary")).unwrap(), b"alive");
        assert_eq!(fs::read_dir(self.dir.path()).unwrap().count(), 1, "nor above");
        done
    }

    pub(super) fn staging_is_empty(&self) {
        let left = fs::read_dir(self.dir.path().join("servers/.staging")).unwrap().count();
        assert_eq!(left, 0, "all had its place");
    }
}

pub(super) fn silent() -> Watch<'static> {
    Watch::silent(tokio_util::sync::CancellationToken::new())
}

/// Path, mode, and content or target; a time of files.
pub(super) type Seen = (String, u32, Vec<u8>, i64);

/// All that is below a folder, in order.
pub(super) fn seen(top: &Path) -> Vec<Seen> {
    fn below(folder: &Path, top: &Path, all: &mut Vec<Seen>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let name =
                path.strip_prefix(top).unwrap().as_os_str().as_encoded_bytes().escape_ascii().to_string();
            let mode = meta.permissions().mode();
            if meta.is_dir() {
                all.push((name, mode, Vec::new(), 0));
                below(&path, top, all);
            } else if meta.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                all.push((name, mode, target.as_os_str().as_encoded_bytes().to_vec(), 0));
            } else if meta.is_file() {
                all.push((name, mode, fs::read(&path).unwrap(), meta.mtime()));
            } else {
                all.push((name, mode, Vec::new(), 0));
            }
        }
    }
    let mut all = Vec::new();
    below(top, top, &mut all);
    all.sort_unstable();
    all
}
