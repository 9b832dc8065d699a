//! A server's folder as a tar stream. A game may have filled it with links to anywhere: everything is reached by the
//! handle of the folder that it is in, and no link is ever followed.
//!
//! Each folder comes before what is in it, so that whoever unpacks needs to remember nothing but the way to where he
//! is. Left out are sockets, pipes and devices, which hold no data, and bits that let a program run as its owner.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use protocol::TransferSize;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat, readlinkat};
use tar::{Builder, EntryType, Header};
use tokio_util::sync::CancellationToken;

use super::error::ArchiveError;
use super::write::Attributes;
use super::{DEPTH, PATH};
use crate::fs::open::FOLDER;
use crate::fs::shown::shown;
use crate::fs::walk::{At, Bounds, Missed, Mounts, Next, Visitor, walk};

/// Bytes that are read of a file at once.
const READ: usize = 128 * 1024;

/// Opens a server's folder itself.
pub(crate) fn open(path: &Path) -> Result<OwnedFd, ArchiveError> {
    openat(rustix::fs::CWD, path, FOLDER, Mode::empty())
        .map_err(ArchiveError::file("opening the folder", path.as_os_str().as_encoded_bytes()))
}

/// No further than what unpacks it goes, which holds each folder on its way open.
const BOUNDS: Bounds = Bounds { depth: DEPTH, path: PATH, mounts: Mounts::Enter };

/// How much there is to send, where it is no more than `most` entries.
pub(crate) fn measure(
    root: &OwnedFd,
    most: u64,
    stop: &CancellationToken,
) -> Result<TransferSize, ArchiveError> {
    let mut counting = Packing::<io::Sink> { to: None, size: size_of(root)?, names: HashMap::new(), most };
    walk(again(root)?, BOUNDS, stop, &mut counting)?;
    Ok(counting.size)
}

/// Sends everything that is below the folder; says how much it was.
pub(crate) fn pack<W: Write>(
    root: &OwnedFd,
    to: W,
    stop: &CancellationToken,
) -> Result<(TransferSize, W), ArchiveError> {
    let to = Some(Builder::new(to));
    let mut packing = Packing { to, size: size_of(root)?, names: HashMap::new(), most: u64::MAX };
    walk(again(root)?, BOUNDS, stop, &mut packing)?;
    let Packing { to, size, .. } = packing;
    match to.map(Builder::into_inner) {
        Some(Ok(to)) => Ok((size, to)),
        Some(Err(error)) => Err(ArchiveError::Stream(error)),
        None => Err(ArchiveError::Stream(io::ErrorKind::BrokenPipe.into())),
    }
}

/// A handle of its own, which is read from the beginning.
fn again(root: &OwnedFd) -> Result<OwnedFd, ArchiveError> {
    openat(root, ".", FOLDER, Mode::empty()).map_err(ArchiveError::file("opening", b"."))
}

fn size_of(root: &OwnedFd) -> Result<TransferSize, ArchiveError> {
    let stat = fstat(root).map_err(ArchiveError::file("looking at", b"."))?;
    Ok(TransferSize { owner: Some(format!("{}:{}", stat.st_uid, stat.st_gid)), ..TransferSize::default() })
}

struct Packing<W: Write> {
    /// None counts only.
    to: Option<Builder<W>>,
    size: TransferSize,
    /// Files with more than one name, and the first of these.
    names: HashMap<(u64, u64), Vec<u8>>,
    /// Entries that may be looked at.
    most: u64,
}

impl<W: Write> Visitor for Packing<W> {
    type Error = ArchiveError;

    fn enter(&mut self, at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<bool, ArchiveError> {
        self.head(EntryType::Directory, at.stat, at.path, None, 0)?;
        Ok(true)
    }

    fn leave(&mut self, _at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<Next, ArchiveError> {
        Ok(Next::On)
    }

    fn other(&mut self, at: &At<'_>) -> Result<(), ArchiveError> {
        let &At { parent, name, path, stat } = at;
        if path.len() > PATH {
            return Err(deep(path));
        }
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                let target = readlinkat(parent, name, Vec::new())
                    .map_err(ArchiveError::file("reading the link", path))?;
                self.head(EntryType::Symlink, stat, path, Some(target.as_bytes()), 0)
            }
            FileType::RegularFile => {
                let key = (stat.st_dev, stat.st_ino);
                if stat.st_nlink > 1 {
                    if let Some(first) = self.names.get(&key).cloned() {
                        return self.head(EntryType::Link, stat, path, Some(&first), 0);
                    }
                    self.names.insert(key, path.to_owned());
                }
                self.file(parent, name, stat, path)
            }
            _ => {
                tracing::debug!(path = %shown(path), "neither file, folder nor link: left out");
                Ok(())
            }
        }
    }

    fn too_deep(&mut self, at: &At<'_>) -> Result<(), ArchiveError> {
        Err(deep(at.path))
    }

    fn missed(&mut self, path: &[u8], why: Missed) -> Result<(), ArchiveError> {
        match why {
            Missed::Refused(errno) => Err(ArchiveError::file("opening", path)(errno)),
            Missed::Changed | Missed::Mounted => Err(changed("folder", path)),
        }
    }
}

fn deep(path: &[u8]) -> ArchiveError {
    ArchiveError::refused(format!(
        "folders lie too deep to be moved (more than {DEPTH} within each other, or a path of more than {PATH} bytes): {}",
        shown(path)
    ))
}

impl<W: Write> Packing<W> {
    fn file(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &[u8],
        stat: &Stat,
        path: &[u8],
    ) -> Result<(), ArchiveError> {
        let bytes = u64::try_from(stat.st_size).unwrap_or(0);
        if self.to.is_none() {
            return self.count(bytes);
        }
        // A pipe that took the file's place must not hang us.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(folder, name, flags, Mode::empty()).map_err(ArchiveError::file("opening", path))?;
        let now = fstat(&file).map_err(ArchiveError::file("looking at", path))?;
        if (now.st_dev, now.st_ino, now.st_size) != (stat.st_dev, stat.st_ino, stat.st_size) {
            return Err(changed("file", path));
        }
        self.head(EntryType::Regular, stat, path, None, bytes)?;
        let Some(to) = &mut self.to else { return Ok(()) };
        let mut from = BufReader::with_capacity(READ, File::from(file).take(bytes));
        let sent = io::copy(&mut from, to.get_mut()).map_err(ArchiveError::Stream)?;
        if sent != bytes {
            return Err(changed("file", path));
        }
        let filling = (512 - bytes % 512) % 512;
        to.get_mut()
            .write_all(&[0; 512][..usize::try_from(filling).unwrap_or(0)])
            .map_err(ArchiveError::Stream)
    }

    fn count(&mut self, bytes: u64) -> Result<(), ArchiveError> {
        self.size.entries += 1;
        if self.size.entries > self.most {
            return Err(ArchiveError::refused("there are too many files"));
        }
        self.size.bytes += bytes;
        Ok(())
    }

    fn head(
        &mut self,
        kind: EntryType,
        stat: &Stat,
        path: &[u8],
        link: Option<&[u8]>,
        bytes: u64,
    ) -> Result<(), ArchiveError> {
        self.count(bytes)?;
        let Some(to) = &mut self.to else { return Ok(()) };
        head(to, kind, &stat.into(), path, link, bytes).map_err(ArchiveError::Stream)
    }
}

/// Writes what comes before an entry's content.
pub(super) fn head<W: Write>(
    to: &mut Builder<W>,
    kind: EntryType,
    about: &Attributes,
    path: &[u8],
    link: Option<&[u8]>,
    bytes: u64,
) -> io::Result<()> {
    let mut head = Header::new_gnu();
    head.set_entry_type(kind);
    head.set_mode(about.mode & 0o777);
    head.set_uid(about.uid.into());
    head.set_gid(about.gid.into());
    head.set_mtime(u64::try_from(about.modified).unwrap_or(0));
    head.set_size(bytes);
    if path.len() > 100 {
        long(to, EntryType::GNULongName, path)?;
    }
    if let Some(link) = link {
        if link.len() > 100 {
            long(to, EntryType::GNULongLink, link)?;
        }
        put(&mut head.as_old_mut().linkname, link);
    }
    put(&mut head.as_old_mut().name, path);
    head.set_cksum();
    to.get_mut().write_all(head.as_bytes())
}

/// A name that has no room in a header comes before it.
fn long<W: Write>(to: &mut Builder<W>, kind: EntryType, name: &[u8]) -> io::Result<()> {
    let mut head = Header::new_gnu();
    head.set_entry_type(kind);
    put(&mut head.as_old_mut().name, b"././@LongLink");
    head.set_mode(0o644);
    head.set_uid(0);
    head.set_gid(0);
    head.set_mtime(0);
    head.set_size(name.len() as u64 + 1);
    head.set_cksum();
    let data = name.chain(&b"\0"[..]);
    to.append(&head, data)
}

fn put(field: &mut [u8; 100], text: &[u8]) {
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text[..length]);
}

fn changed(what: &str, path: &[u8]) -> ArchiveError {
    ArchiveError::refused(format!("the {what} {} changed while it was read", shown(path)))
}

/// Room for bytes and for names on the file system of a folder.
pub(crate) fn room(folder: impl AsFd) -> (u64, u64) {
    let Ok(stat) = rustix::fs::fstatvfs(folder) else { return (u64::MAX, u64::MAX) };
    // Some file systems do not count names.
    let names = if stat.f_files == 0 { u64::MAX } else { stat.f_favail };
    (stat.f_bavail.saturating_mul(stat.f_frsize), names)
}
