//! From a tar stream to a folder. The stream comes from another machine and is taken for hostile: everything is made
//! new, below a handle, in the folder that was made just before; no link is followed and none leads us out; and of
//! anything there is no more than was announced.
//!
//! The order of the stream is part of it (a folder, then what is in it): so nothing has to be remembered but the way
//! from the top to here.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, chownat, fchmod, fchown,
    futimens, linkat, mkdirat, openat, statat, symlinkat, utimensat,
};
use tar::{Archive, Entry, EntryType};

use super::error::TransferError;
use super::pack::{DEPTH, PATH, room};
use crate::fs::FOLDER;

/// What the disk keeps for its own.
pub(super) const RESERVE: u64 = 64 << 20;
/// The same of names.
const NAMES: u64 = 4096;
/// Bytes between two looks at how much room there is.
const LOOK_EVERY: u64 = 32 << 20;
/// Between the end of the archive and the end of the stream: it is filled up to a block.
const TRAILER: u64 = 64 << 10;
/// Bytes that are written at once.
const WRITE: usize = 128 * 1024;

/// Whose things are here.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Owners {
    /// We are root: owners can be set.
    pub(crate) settable: bool,
    /// What is his in the stream …
    pub(crate) there: Option<(u32, u32)>,
    /// … is his here.
    pub(crate) here: Option<(u32, u32)>,
}

impl Owners {
    fn of(&self, uid: u32, gid: u32) -> (u32, u32) {
        match self.here {
            Some(here) if self.there == Some((uid, gid)) => here,
            _ => (uid, gid),
        }
    }
}

/// No more than this is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

/// What was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

/// Unpacks into an empty folder; gives the reader back, read to its end.
pub(crate) fn unpack<R: Read>(
    root: OwnedFd,
    from: R,
    bounds: Bounds,
    owners: Owners,
) -> Result<(Unpacked, R), TransferError> {
    let mut archive = Archive::new(from);
    let mut unpacking = Unpacking {
        way: vec![Folder { name: Vec::new(), handle: root, last: None }],
        bounds,
        owners,
        taken: Unpacked::default(),
        looked: 0,
        buffer: vec![0; WRITE],
    };
    unpacking.look_at_room()?;
    let (mut long_name, mut long_link) = (None, None);
    for entry in archive.entries().map_err(TransferError::Link)?.raw(true) {
        let mut entry = entry.map_err(TransferError::Link)?;
        match entry.header().entry_type() {
            EntryType::GNULongName => long_name = Some(text(&mut entry)?),
            EntryType::GNULongLink => long_link = Some(text(&mut entry)?),
            kind => {
                let name = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
                let link = long_link.take().or_else(|| entry.link_name_bytes().map(|link| link.into_owned()));
                unpacking.entry(kind, &mut entry, &name, link.as_deref())?;
            }
        }
    }
    unpacking.up_to(1)?;
    let Unpacking { taken, mut way, .. } = unpacking;
    let mut from = archive.into_inner();
    let rest = io::copy(&mut (&mut from).take(TRAILER), &mut io::sink()).map_err(TransferError::Link)?;
    if rest == TRAILER {
        return Err(TransferError::refused("more comes after its end"));
    }
    // Only what is on the disk may be removed elsewhere.
    if let Some(root) = way.pop() {
        rustix::fs::syncfs(&root.handle).map_err(TransferError::file("writing to the disk", b"."))?;
    }
    Ok((taken, from))
}

/// A name that came before its entry.
fn text<R: Read>(entry: &mut Entry<'_, R>) -> Result<Vec<u8>, TransferError> {
    let mut name = Vec::new();
    let longest = PATH as u64 + 2;
    entry.take(longest).read_to_end(&mut name).map_err(TransferError::Link)?;
    if name.len() as u64 == longest {
        return Err(TransferError::refused("a name is too long"));
    }
    if name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

/// A folder on the way from the top to here, and what it is to become when all is in it.
struct Folder {
    name: Vec<u8>,
    handle: OwnedFd,
    last: Option<Meta>,
}

/// What an entry says of itself.
#[derive(Clone, Copy)]
struct Meta {
    mode: u32,
    uid: u32,
    gid: u32,
    seconds: i64,
}

impl Meta {
    fn times(self) -> Timestamps {
        let omitted = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        Timestamps { last_access: omitted, last_modification: Timespec { tv_sec: self.seconds, tv_nsec: 0 } }
    }
}

struct Unpacking {
    way: Vec<Folder>,
    bounds: Bounds,
    owners: Owners,
    taken: Unpacked,
    /// Bytes that were taken at the last look at the room.
    looked: u64,
    buffer: Vec<u8>,
}

impl Unpacking {
    fn entry<R: Read>(
        &mut self,
        kind: EntryType,
        entry: &mut Entry<'_, R>,
        name: &[u8],
        link: Option<&[u8]>,
    ) -> Result<(), TransferError> {
        self.taken.entries += 1;
        if self.taken.entries > self.bounds.entries {
            return Err(TransferError::refused("there is more in it than was announced"));
        }
        // The name itself takes no bytes.
        if self.taken.entries.is_multiple_of(NAMES / 4) {
            self.look_at_room()?;
        }
        let parts = parts(name)?;
        let (last, above) =
            parts.split_last().ok_or_else(|| TransferError::refused("an entry has no name"))?;
        self.go_to(above)?;
        let meta = meta(entry, kind)?;
        let link = || {
            link.filter(|link| !link.is_empty())
                .ok_or_else(|| TransferError::refused("a link without target"))
        };
        match kind {
            EntryType::Directory => self.folder(last, name, meta),
            EntryType::Regular => self.file(entry, last, name, meta),
            EntryType::Symlink => self.symlink(last, name, link()?, meta),
            EntryType::Link => self.second_name(last, name, link()?),
            other => {
                Err(TransferError::refused(format!("it holds what no server's folder does ({other:?})")))
            }
        }
    }

    fn here(&self) -> Result<&OwnedFd, TransferError> {
        let folder = self.way.last().map(|folder| &folder.handle);
        folder.ok_or_else(|| TransferError::refused("it has no top"))
    }

    /// Goes up to where the two ways part. What is to be entered further must have been made just before.
    fn go_to(&mut self, above: &[&[u8]]) -> Result<(), TransferError> {
        let same = self.way[1..].iter().zip(above).take_while(|(folder, name)| folder.name == **name).count();
        if same < above.len() {
            return Err(TransferError::refused("something comes before the folder that it is in"));
        }
        self.up_to(above.len() + 1)
    }

    /// Leaves folders until so many are left; what is left is finished.
    fn up_to(&mut self, left: usize) -> Result<(), TransferError> {
        while self.way.len() > left {
            let Some(folder) = self.way.pop() else { return Ok(()) };
            if let Some(meta) = folder.last {
                self.finish(&folder.handle, &folder.name, meta)?;
            }
        }
        Ok(())
    }

    fn finish(&self, handle: impl AsFd, name: &[u8], meta: Meta) -> Result<(), TransferError> {
        let handle = handle.as_fd();
        if self.owners.settable {
            let (uid, gid) = self.owners.of(meta.uid, meta.gid);
            fchown(handle, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
                .map_err(TransferError::file("giving away", name))?;
        }
        fchmod(handle, Mode::from_raw_mode(meta.mode))
            .map_err(TransferError::file("changing the mode of", name))?;
        futimens(handle, &meta.times()).map_err(TransferError::file("changing the time of", name))
    }

    fn folder(&mut self, last: &[u8], name: &[u8], meta: Meta) -> Result<(), TransferError> {
        if self.way.len() > DEPTH {
            return Err(TransferError::refused("folders lie too deep"));
        }
        mkdirat(self.here()?, last, Mode::RWXU).map_err(TransferError::file("making", name))?;
        let handle = openat(self.here()?, last, FOLDER, Mode::empty())
            .map_err(TransferError::file("opening", name))?;
        self.way.push(Folder { name: last.to_vec(), handle, last: Some(meta) });
        Ok(())
    }

    fn file<R: Read>(
        &mut self,
        entry: &mut Entry<'_, R>,
        last: &[u8],
        name: &[u8],
        meta: Meta,
    ) -> Result<(), TransferError> {
        let announced = entry.size();
        if announced > self.bounds.bytes.saturating_sub(self.taken.bytes) {
            return Err(TransferError::refused("there is more in it than was announced"));
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(self.here()?, last, flags, Mode::RUSR | Mode::WUSR)
            .map_err(TransferError::file("making", name))?;
        let mut file = File::from(made);
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut left = announced;
        while left > 0 {
            let read = entry.read(&mut buffer).map_err(TransferError::Link)?;
            if read == 0 {
                return Err(TransferError::Link(io::ErrorKind::UnexpectedEof.into()));
            }
            file.write_all(&buffer[..read]).map_err(|source| TransferError::File {
                doing: "writing",
                path: String::from_utf8_lossy(name).into_owned(),
                source,
            })?;
            left = left.saturating_sub(read as u64);
            self.taken.bytes += read as u64;
            if self.taken.bytes - self.looked > LOOK_EVERY {
                self.look_at_room()?;
            }
        }
        self.buffer = buffer;
        self.finish(&file, name, meta)
    }

    fn symlink(&self, last: &[u8], name: &[u8], target: &[u8], meta: Meta) -> Result<(), TransferError> {
        let here = self.here()?;
        symlinkat(target, here, last).map_err(TransferError::file("making the link", name))?;
        if self.owners.settable {
            let (uid, gid) = self.owners.of(meta.uid, meta.gid);
            let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            chownat(here, last, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(TransferError::file("giving away", name))?;
        }
        utimensat(here, last, &meta.times(), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(TransferError::file("changing the time of", name))
    }

    /// A second name of a file that came before.
    fn second_name(&self, last: &[u8], name: &[u8], first: &[u8]) -> Result<(), TransferError> {
        let parts = parts(first)?;
        let (target, above) =
            parts.split_last().ok_or_else(|| TransferError::refused("a link without target"))?;
        let top = self.way.first().map(|folder| folder.handle.as_fd());
        let top = top.ok_or_else(|| TransferError::refused("it has no top"))?;
        let mut below: Option<OwnedFd> = None;
        for part in above {
            let at = below.as_ref().map_or(top, AsFd::as_fd);
            let next =
                openat(at, *part, FOLDER, Mode::empty()).map_err(TransferError::file("opening", first))?;
            below = Some(next);
        }
        let at = below.as_ref().map_or(top, AsFd::as_fd);
        let stat = statat(at, *target, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(TransferError::file("looking at", first))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(TransferError::refused("a second name of what is no file"));
        }
        linkat(at, *target, self.here()?, last, AtFlags::empty())
            .map_err(TransferError::file("making the second name", name))
    }

    fn look_at_room(&mut self) -> Result<(), TransferError> {
        self.looked = self.taken.bytes;
        let (bytes, names) = room(self.here()?);
        if bytes < RESERVE || names < NAMES { Err(TransferError::NoRoom) } else { Ok(()) }
    }
}

/// The parts of a path, none of which leads anywhere but down.
fn parts(path: &[u8]) -> Result<Vec<&[u8]>, TransferError> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let parts: Vec<&[u8]> = path.split(|b| *b == b'/').collect();
    let good = |part: &&[u8]| {
        !part.is_empty() && part.len() <= 255 && !matches!(*part, b"." | b"..") && !part.contains(&0)
    };
    if path.len() <= PATH && parts.iter().all(good) {
        return Ok(parts);
    }
    Err(TransferError::refused(format!(
        "{:?} is no path below a server's folder",
        String::from_utf8_lossy(path)
    )))
}

fn meta<R: Read>(entry: &Entry<'_, R>, kind: EntryType) -> Result<Meta, TransferError> {
    let head = entry.header();
    let mode = head.mode().map_err(TransferError::Link)?;
    if mode & 0o7000 != 0 && kind != EntryType::Symlink {
        return Err(TransferError::refused("a program would run as its owner"));
    }
    let id = |id: io::Result<u64>| {
        let id = id.map_err(TransferError::Link)?;
        u32::try_from(id)
            .ok()
            .filter(|id| *id != u32::MAX)
            .ok_or_else(|| TransferError::refused("an owner is none"))
    };
    let seconds = i64::try_from(head.mtime().map_err(TransferError::Link)?)
        .map_err(|_| TransferError::refused("a time is none"))?;
    Ok(Meta { mode: mode & 0o777, uid: id(head.uid())?, gid: id(head.gid())?, seconds })
}
