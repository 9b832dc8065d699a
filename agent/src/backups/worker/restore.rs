//! Writes the files of a backup into a new folder that is nobody else's. By numbers alone, since names of users would be looked up
//! through the C library, and one file after another, so that memory stays small.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustic_core::repofile::{Metadata, Node, NodeType};
use rustic_core::{IndexedFullStatus, LsOptions, Progress, Repository, RusticError};

/// What of a mode is set: who may read, write and run it. No setuid.
const PERMISSIONS: u32 = 0o777;

/// Why a backup could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The repository cannot be read.
    #[error("{0}")]
    Library(#[from] Box<RusticError>),
    /// The disk does not take it.
    #[error("{path}: {source}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What is in a folder of a snapshot, on its way to the disk.
pub(super) struct Writing<'r> {
    pub(super) repository: &'r Repository<IndexedFullStatus>,
    /// The folder, which is made.
    pub(super) destination: &'r Path,
    /// Whether files get the owners that they had.
    pub(super) give: bool,
    pub(super) progress: &'r Progress,
}

impl Writing<'_> {
    /// Writes all of it.
    pub(super) fn write(&self, root: &Node) -> Result<(), WriteError> {
        make_folder(self.destination).map_err(at(self.destination))?;
        let mut folders = Vec::new();
        let mut linked = HashMap::new();
        for entry in self.repository.ls(root, &LsOptions::default())? {
            let (path, node) = entry?;
            if !path.components().all(|part| matches!(part, Component::Normal(_))) {
                let source = io::Error::other("the backup names a file outside of its folder");
                return Err(WriteError::Disk { path, source });
            }
            let path = self.destination.join(path);
            match &node.node_type {
                NodeType::Dir => {
                    make_folder(&path).map_err(at(&path))?;
                    folders.push((path, node.meta));
                }
                NodeType::File => self.file(&path, &node, &mut linked)?,
                NodeType::Symlink { .. } => {
                    symlink(node.node_type.to_link(), &path).map_err(at(&path))?;
                    self.owner(&path, &node.meta).map_err(at(&path))?;
                }
                // None of these is in a backup of ours.
                NodeType::Dev { .. } | NodeType::Chardev { .. } | NodeType::Fifo | NodeType::Socket => {}
            }
        }
        // What lies in a folder changes its times, and may need more than its permissions.
        for (path, meta) in folders.into_iter().rev() {
            self.finish(&path, &meta).map_err(at(&path))?;
        }
        Ok(())
    }

    fn file(
        &self,
        path: &Path,
        node: &Node,
        linked: &mut HashMap<(u64, u64), PathBuf>,
    ) -> Result<(), WriteError> {
        if node.meta.links > 1 && node.meta.inode != 0 {
            let key = (node.meta.device_id, node.meta.inode);
            if let Some(first) = linked.get(&key) {
                self.progress.inc(node.meta.size);
                return fs::hard_link(first, path).map_err(at(path));
            }
            linked.insert(key, path.to_owned());
        }
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(at(path))?;
        let mut counted = Counted { file: &mut file, progress: self.progress, failed: None };
        let written = self.repository.dump(node, &mut counted);
        if let Some(source) = counted.failed {
            return Err(WriteError::Disk { path: path.to_owned(), source });
        }
        written?;
        drop(file);
        self.finish(path, &node.meta).map_err(at(path))
    }

    fn owner(&self, path: &Path, meta: &Metadata) -> io::Result<()> {
        if self.give { lchown(path, meta.uid, meta.gid) } else { Ok(()) }
    }

    /// Owner, times and permissions of what is written.
    fn finish(&self, path: &Path, meta: &Metadata) -> io::Result<()> {
        let opened = File::open(path)?;
        self.owner(path, meta)?;
        if let Some(time) =
            meta.mtime.and_then(|time| since_epoch(time.as_second(), time.subsec_nanosecond()))
        {
            opened.set_times(FileTimes::new().set_modified(time).set_accessed(time))?;
        }
        opened.set_permissions(Permissions::from_mode(meta.mode.unwrap_or(0o600) & PERMISSIONS))
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> WriteError {
    let path = path.to_owned();
    move |source| WriteError::Disk { path, source }
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

fn since_epoch(seconds: i64, nanoseconds: i32) -> Option<SystemTime> {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let at = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    let part = Duration::from_nanos(nanoseconds.unsigned_abs().into());
    if nanoseconds < 0 { at?.checked_sub(part) } else { at?.checked_add(part) }
}

/// Keeps the system's own error, of which the library tells no more than that there was one.
struct Counted<'f> {
    file: &'f mut File,
    progress: &'f Progress,
    failed: Option<io::Error>,
}

impl io::Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match io::Write::write(self.file, bytes) {
            Ok(count) => {
                self.progress.inc(count as u64);
                Ok(count)
            }
            Err(error) => {
                let kind = error.kind();
                if kind != io::ErrorKind::Interrupted {
                    self.failed = Some(error);
                }
                Err(kind.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
