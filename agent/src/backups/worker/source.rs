//! A server's folder as the library reads it. What lies in there belongs to a game, which runs and may put a link in the place
//! of a folder between two looks: so each folder and file is opened below the handle of the one above it, and no link is
//! followed. Files that change meanwhile are counted.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustic_core::jiff::Timestamp;
use rustic_core::repofile::{Metadata, Node, NodeType};
use rustic_core::{ErrorKind, ReadSource, ReadSourceEntry, ReadSourceOpen, RusticError, RusticResult};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, readlinkat, statat};
use rustix::io::Errno;

use super::guard::{Guard, VANISHED};
use super::ignored::Ignored;
use super::throttle::Throttle;

/// Folders in folders.
const DEPTH: usize = 256;
/// Entries of one folder.
const ENTRIES: usize = 2_000_000;
/// Go's bits for a folder and a link, which restic has in its modes.
const GO_DIRECTORY: u32 = 1 << 31;
const GO_SYMLINK: u32 = 1 << 27;
/// What of a mode is kept: who may read, write and run it. No setuid.
const PERMISSIONS: u32 = 0o777;

/// A folder that is backed up.
#[derive(Debug)]
pub(super) struct Source {
    root: Arc<OwnedFd>,
    /// What its path is in the backup.
    shown: PathBuf,
    guard: Guard,
    ignored: Arc<Ignored>,
    throttle: Arc<Throttle>,
}

impl Source {
    /// Opens the folder.
    pub(super) fn open(
        path: &Path,
        shown: PathBuf,
        guard: Guard,
        ignored: Ignored,
        throttle: Throttle,
    ) -> io::Result<Self> {
        let root = openat(rustix::fs::CWD, path, folder_flags(), Mode::empty())?;
        Ok(Self {
            root: Arc::new(root),
            shown,
            guard,
            ignored: Arc::new(ignored),
            throttle: Arc::new(throttle),
        })
    }

    fn walk(&self, guard: Guard) -> Walk {
        let mut walk = Walk {
            guard,
            shown: self.shown.clone(),
            ignored: Arc::clone(&self.ignored),
            throttle: Arc::clone(&self.throttle),
            open: Vec::new(),
        };
        walk.enter(Arc::clone(&self.root), self.shown.clone());
        walk
    }
}

impl ReadSource for Source {
    type Open = Contents;
    type Iter = Walk;

    fn size(&self) -> RusticResult<Option<u64>> {
        let sizes = self.walk(Guard::default());
        Ok(Some(sizes.filter_map(Result::ok).map(|entry| entry.node.meta.size).sum()))
    }

    fn entries(&self) -> Walk {
        self.walk(self.guard.clone())
    }
}

fn folder_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// Goes through a folder in the order that the library wants: by name, what is in a folder after the folder.
pub(super) struct Walk {
    guard: Guard,
    shown: PathBuf,
    ignored: Arc<Ignored>,
    throttle: Arc<Throttle>,
    open: Vec<OpenFolder>,
}

struct OpenFolder {
    fd: Arc<OwnedFd>,
    path: PathBuf,
    names: std::vec::IntoIter<OsString>,
}

impl Walk {
    fn enter(&mut self, fd: Arc<OwnedFd>, path: PathBuf) {
        match names(&fd) {
            Ok(mut names) => {
                names.sort_unstable();
                self.open.push(OpenFolder { fd, path, names: names.into_iter() });
            }
            Err(error) => self.guard.problem(&format!("{}: {error}", path.display())),
        }
    }

    /// The entry of this name, or none where it is nothing that is kept.
    fn entry(
        &mut self,
        parent: &Arc<OwnedFd>,
        path: PathBuf,
        name: &OsStr,
    ) -> Option<ReadSourceEntry<Contents>> {
        let stat = match statat(parent.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => {
                self.guard.changed(&path.display().to_string());
                return None;
            }
            Err(errno) => {
                self.guard.problem(&format!("{}: {errno}", path.display()));
                return None;
            }
        };
        let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if path.strip_prefix(&self.shown).is_ok_and(|path| self.ignored.has(path, is_folder)) {
            return None;
        }
        let mut meta = metadata(&stat);
        let (node_type, open) = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                meta.size = u64::try_from(stat.st_size).unwrap_or(0);
                let contents = Contents {
                    parent: Arc::clone(parent),
                    name: name.to_owned(),
                    path: path.clone(),
                    stat,
                    guard: self.guard.clone(),
                    throttle: Arc::clone(&self.throttle),
                };
                (NodeType::File, Some(contents))
            }
            FileType::Directory => {
                if self.open.len() >= DEPTH {
                    self.guard.problem(&format!("Folders lie too deep: {}", path.display()));
                    return None;
                }
                match openat(parent.as_fd(), name, folder_flags(), Mode::empty()) {
                    Ok(fd) => self.enter(Arc::new(fd), path.clone()),
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                        self.guard.changed(&path.display().to_string());
                        return None;
                    }
                    Err(errno) => {
                        self.guard.problem(&format!("{}: {errno}", path.display()));
                        return None;
                    }
                }
                meta.mode = Some(stat.st_mode & PERMISSIONS | GO_DIRECTORY);
                (NodeType::Dir, None)
            }
            FileType::Symlink => {
                let target = readlinkat(parent.as_fd(), name, Vec::new()).ok()?;
                meta.mode = Some(stat.st_mode & PERMISSIONS | GO_SYMLINK);
                (NodeType::from_link(Path::new(OsStr::from_bytes(target.as_bytes()))), None)
            }
            // Sockets, pipes and devices hold nothing.
            _ => return None,
        };
        Some(ReadSourceEntry { node: Node::new_node(name, node_type, meta), path, open })
    }
}

impl Iterator for Walk {
    type Item = RusticResult<ReadSourceEntry<Contents>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let folder = self.open.last_mut()?;
            let Some(name) = folder.names.next() else {
                self.open.pop();
                continue;
            };
            let (parent, path) = (Arc::clone(&folder.fd), folder.path.join(&name));
            if let Some(entry) = self.entry(&parent, path, &name) {
                return Some(Ok(entry));
            }
        }
    }
}

fn names(fd: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(fd)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        if names.len() >= ENTRIES {
            return Err(io::Error::other("there are too many entries in one folder"));
        }
        names.push(OsStr::from_bytes(name).to_owned());
    }
    Ok(names)
}

fn time(seconds: i64, nanoseconds: u64) -> Option<Timestamp> {
    Timestamp::new(seconds, i32::try_from(nanoseconds).ok()?).ok()
}

#[allow(clippy::useless_conversion, reason = "the types differ between processors")]
#[allow(clippy::unnecessary_cast, reason = "the types differ between processors")]
fn metadata(stat: &Stat) -> Metadata {
    let mtime = time(stat.st_mtime as i64, stat.st_mtime_nsec as u64);
    Metadata {
        mode: Some(stat.st_mode & PERMISSIONS),
        mtime,
        atime: mtime,
        ctime: time(stat.st_ctime as i64, stat.st_ctime_nsec as u64),
        uid: Some(stat.st_uid),
        gid: Some(stat.st_gid),
        inode: stat.st_ino.into(),
        device_id: stat.st_dev.into(),
        links: stat.st_nlink.into(),
        ..Metadata::default()
    }
}

/// A file that is yet to be read.
#[derive(Debug)]
pub(super) struct Contents {
    parent: Arc<OwnedFd>,
    name: OsString,
    path: PathBuf,
    stat: Stat,
    guard: Guard,
    throttle: Arc<Throttle>,
}

impl ReadSourceOpen for Contents {
    type Reader = Reading;

    fn open(self) -> RusticResult<Reading> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = openat(self.parent.as_fd(), &self.name, flags, Mode::empty());
        let same = |fd: &OwnedFd| {
            rustix::fs::fstat(fd)
                .is_ok_and(|now| (now.st_dev, now.st_ino) == (self.stat.st_dev, self.stat.st_ino))
        };
        match opened {
            Ok(fd) if same(&fd) => {
                let left = u64::try_from(self.stat.st_size).unwrap_or(0);
                Ok(Reading { file: File::from(fd), left, contents: self, told: false })
            }
            Ok(_) | Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => {
                self.guard.changed(&self.path.display().to_string());
                Err(RusticError::new(ErrorKind::InputOutput, VANISHED))
            }
            Err(errno) => Err(RusticError::with_source(
                ErrorKind::InputOutput,
                "The file could not be opened.",
                io::Error::from(errno),
            )),
        }
    }
}

/// A file that is being read: as long as it was when its folder was listed, whatever becomes of it meanwhile, since its
/// length is in the backup already.
#[derive(Debug)]
pub(super) struct Reading {
    file: File,
    left: u64,
    contents: Contents,
    told: bool,
}

impl Reading {
    fn changed(&mut self) {
        if !std::mem::replace(&mut self.told, true) {
            self.contents.guard.changed(&self.contents.path.display().to_string());
        }
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            if self.left == 0 && !self.told {
                let before = &self.contents.stat;
                let kept = |now: &Stat| {
                    (now.st_size, now.st_mtime, now.st_mtime_nsec)
                        == (before.st_size, before.st_mtime, before.st_mtime_nsec)
                };
                if !rustix::fs::fstat(&self.file).is_ok_and(|now| kept(&now)) {
                    self.changed();
                }
            }
            return Ok(0);
        }
        let mut got = self.file.read(&mut buffer[..most])?;
        if got == 0 {
            // It was cut short.
            self.changed();
            buffer[..most].fill(0);
            got = most;
        }
        self.left -= got as u64;
        self.contents.throttle.take(got as u64);
        Ok(got)
    }
}
