//! Writes the files of a backup into a new folder that is nobody else's. By numbers alone, since names of users would be looked up
//! through the C library, and one file after another, so that memory stays small.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustic_core::repofile::{Metadata, Node, NodeType};
use rustic_core::{Progress, RusticError};

use super::contents::{self, DEPTH, Readable};

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
    pub(super) repository: &'r Readable,
    /// The folder, which is made.
    pub(super) destination: &'r Path,
    /// Whether files get the owners that they had.
    pub(super) give: bool,
    pub(super) progress: &'r Progress,
}

impl Writing<'_> {
    /// Writes all that is in a folder into the destination.
    pub(super) fn write(&self, root: &Node) -> Result<(), WriteError> {
        make_folder(self.destination).map_err(at(self.destination))?;
        let mut linked = HashMap::new();
        self.inside(self.destination, root, &mut linked, 0)
    }

    /// Writes what lies at some paths into the destination. The folders above it are no more than a way to it.
    pub(super) fn write_chosen(&self, chosen: &[(Vec<u8>, Node)]) -> Result<(), WriteError> {
        make_folder(self.destination).map_err(at(self.destination))?;
        let mut linked = HashMap::new();
        for (path, node) in chosen {
            let mut place = self.destination.to_owned();
            let mut parts = path.split(|byte| *byte == b'/').peekable();
            while let Some(part) = parts.next() {
                place.push(OsStr::from_bytes(part));
                if parts.peek().is_some() && !place.is_dir() {
                    make_folder(&place).map_err(at(&place))?;
                }
            }
            self.node(&place, node, &mut linked, 0)?;
        }
        Ok(())
    }

    fn inside(
        &self,
        place: &Path,
        folder: &Node,
        linked: &mut HashMap<(u64, u64), PathBuf>,
        depth: usize,
    ) -> Result<(), WriteError> {
        if depth >= DEPTH {
            let source = io::Error::other("folders lie too deep in the backup");
            return Err(WriteError::Disk { path: place.to_owned(), source });
        }
        for node in contents::entries(self.repository, folder)? {
            self.node(&place.join(OsStr::from_bytes(&contents::name(&node))), &node, linked, depth + 1)?;
        }
        Ok(())
    }

    fn node(
        &self,
        path: &Path,
        node: &Node,
        linked: &mut HashMap<(u64, u64), PathBuf>,
        depth: usize,
    ) -> Result<(), WriteError> {
        match &node.node_type {
            NodeType::Dir => {
                make_folder(path).map_err(at(path))?;
                self.inside(path, node, linked, depth)?;
                // What lies in a folder changes its times, and may need more than its permissions.
                self.finish(path, &node.meta).map_err(at(path))
            }
            NodeType::File => self.file(path, node, linked),
            NodeType::Symlink { .. } => {
                symlink(node.node_type.to_link(), path).map_err(at(path))?;
                self.owner(path, &node.meta).map_err(at(path))
            }
            // None of these is in a backup of ours.
            NodeType::Dev { .. } | NodeType::Chardev { .. } | NodeType::Fifo | NodeType::Socket => Ok(()),
        }
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
