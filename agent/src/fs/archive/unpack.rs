//! From a tar stream to a folder. Everything is made new, below a handle; no link is followed and none leads out, and of
//! anything there is no more than was allowed.
//!
//! The order of the stream is part of it (a folder, then what is in it): so nothing has to be remembered but the way
//! from the top to here.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Uid, chownat, fchmod, fchown, futimens, linkat, mkdirat, openat,
    statat, symlinkat, utimensat,
};
use rustix::io::Errno;
use tar::{Archive, Entry, EntryType};

use super::entry::{Form, Meta, Owners, parts};
use super::error::ArchiveError;
use super::pack::room;
use super::{DEPTH, PATH};
use crate::fs::open::FOLDER;
use crate::fs::shown::shown;

/// What the disk keeps for its own.
pub(crate) const RESERVE: u64 = 64 << 20;
/// The same of names.
const NAMES: u64 = 4096;
/// Bytes between two looks at how much room there is.
const LOOK_EVERY: u64 = 16 << 20;
/// Between the end of the archive and the end of the stream: it is filled up to a block.
const TRAILER: u64 = 64 << 10;
/// Bytes that are written at once.
const WRITE: usize = 128 * 1024;

/// No more than this is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
    pub(crate) folders: u64,
}

/// What was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
    /// Entries of those that a server's folder does not hold: pipes, sockets, devices.
    pub(crate) left_out: u64,
}

/// Unpacks into an empty folder; gives the reader back, read to its end where that is a transfer.
pub(crate) fn unpack<R: Read>(
    root: OwnedFd,
    from: R,
    form: Form,
    bounds: Bounds,
    owners: Owners,
) -> Result<(Unpacked, R), ArchiveError> {
    let mut archive = Archive::new(from);
    let mut unpacking = Unpacking {
        top: root,
        last: None,
        way: Vec::new(),
        form,
        bounds,
        owners,
        taken: Unpacked::default(),
        folders: 0,
        looked: 0,
        buffer: vec![0; WRITE],
    };
    unpacking.look_at_room()?;
    match form {
        Form::Transfer => unpacking.raw(&mut archive)?,
        Form::Engine => unpacking.any(&mut archive)?,
    }
    unpacking.end()?;
    let Unpacking { taken, top, .. } = unpacking;
    let mut from = archive.into_inner();
    if form == Form::Transfer {
        let rest = io::copy(&mut (&mut from).take(TRAILER), &mut io::sink()).map_err(ArchiveError::Stream)?;
        if rest == TRAILER {
            return Err(ArchiveError::refused("more comes after its end"));
        }
    }
    // Only what is on the disk may be removed elsewhere.
    rustix::fs::syncfs(&top).map_err(ArchiveError::file("writing to the disk", b"."))?;
    Ok((taken, from))
}

/// A name that came before its entry.
fn text<R: Read>(entry: &mut Entry<'_, R>) -> Result<Vec<u8>, ArchiveError> {
    let mut name = Vec::new();
    let longest = PATH as u64 + 2;
    entry.take(longest).read_to_end(&mut name).map_err(ArchiveError::Stream)?;
    if name.len() as u64 == longest {
        return Err(ArchiveError::refused("a name is too long"));
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

struct Unpacking {
    top: OwnedFd,
    /// What the top is to become; `None` where no entry told of it.
    last: Option<Meta>,
    /// The folders from the top to here, without the top.
    way: Vec<Folder>,
    form: Form,
    bounds: Bounds,
    owners: Owners,
    taken: Unpacked,
    /// Folders that came.
    folders: u64,
    /// Bytes that were taken at the last look at the room.
    looked: u64,
    buffer: Vec<u8>,
}

impl Unpacking {
    /// Entry by entry as they come, with long names as the entries before them: what else there may be is refused.
    fn raw<R: Read>(&mut self, archive: &mut Archive<R>) -> Result<(), ArchiveError> {
        let (mut long_name, mut long_link) = (None, None);
        for entry in archive.entries().map_err(ArchiveError::Stream)?.raw(true) {
            let mut entry = entry.map_err(ArchiveError::Stream)?;
            match entry.header().entry_type() {
                EntryType::GNULongName => long_name = Some(text(&mut entry)?),
                EntryType::GNULongLink => long_link = Some(text(&mut entry)?),
                kind => {
                    let name = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
                    let link =
                        long_link.take().or_else(|| entry.link_name_bytes().map(|link| link.into_owned()));
                    self.entry(kind, &mut entry, &name, link.as_deref())?;
                }
            }
        }
        Ok(())
    }

    /// Entry by entry as the library understands them, with headers of all kinds.
    fn any<R: Read>(&mut self, archive: &mut Archive<R>) -> Result<(), ArchiveError> {
        for entry in archive.entries().map_err(ArchiveError::Stream)? {
            let mut entry = entry.map_err(ArchiveError::Stream)?;
            let kind = entry.header().entry_type();
            let name = entry.path_bytes().into_owned();
            let link = entry.link_name_bytes().map(|link| link.into_owned());
            self.entry(kind, &mut entry, &name, link.as_deref())?;
        }
        Ok(())
    }

    fn entry<R: Read>(
        &mut self,
        kind: EntryType,
        entry: &mut Entry<'_, R>,
        name: &[u8],
        link: Option<&[u8]>,
    ) -> Result<(), ArchiveError> {
        self.taken.entries += 1;
        if self.taken.entries > self.bounds.entries {
            return Err(ArchiveError::refused("there is more in it than was announced"));
        }
        // The name itself takes no bytes.
        if self.taken.entries.is_multiple_of(NAMES / 4) {
            self.look_at_room()?;
        }
        let (meta, parts) = (Meta::read(entry, kind, self.form)?, parts(name, self.form)?);
        let Some((last, above)) = parts.split_last() else {
            if kind == EntryType::Directory {
                self.last = Some(meta);
            }
            return Ok(());
        };
        self.go_to(above)?;
        let link = || {
            link.filter(|link| !link.is_empty()).ok_or_else(|| ArchiveError::refused("a link without target"))
        };
        match (kind, self.form) {
            (EntryType::Directory, _) => self.folder(last, name, meta),
            (EntryType::Regular, _) | (EntryType::Continuous | EntryType::GNUSparse, Form::Engine) => {
                self.file(entry, last, name, meta)
            }
            (EntryType::Symlink, _) => self.symlink(last, name, link()?, meta),
            (EntryType::Link, _) => self.second_name(last, name, link()?),
            (_, Form::Engine) => {
                self.taken.left_out += 1;
                Ok(())
            }
            (other, Form::Transfer) => {
                Err(ArchiveError::refused(format!("it holds what no server's folder does ({other:?})")))
            }
        }
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.way.last().map_or(&self.top, |folder| &folder.handle).as_fd()
    }

    /// Goes to the folder in which the next entry is.
    fn go_to(&mut self, above: &[&[u8]]) -> Result<(), ArchiveError> {
        let same = self.way.iter().zip(above).take_while(|(folder, name)| folder.name == **name).count();
        // What a transfer enters further was made just before.
        if same < above.len() && self.form == Form::Transfer {
            return Err(ArchiveError::refused("something comes before the folder that it is in"));
        }
        self.up_to(same)?;
        for name in &above[same..] {
            self.make(name, name, Mode::from_raw_mode(0o755))?;
            self.enter(name, name, None)?;
        }
        Ok(())
    }

    /// Leaves folders until so many are left; what is left is finished.
    fn up_to(&mut self, left: usize) -> Result<(), ArchiveError> {
        while self.way.len() > left {
            let Some(folder) = self.way.pop() else { return Ok(()) };
            if let Some(meta) = folder.last {
                self.finish(&folder.handle, &folder.name, meta)?;
            }
        }
        Ok(())
    }

    /// Leaves all folders.
    fn end(&mut self) -> Result<(), ArchiveError> {
        self.up_to(0)?;
        self.last.take().map_or(Ok(()), |meta| self.finish(&self.top, b".", meta))
    }

    fn finish(&self, handle: impl AsFd, name: &[u8], meta: Meta) -> Result<(), ArchiveError> {
        let handle = handle.as_fd();
        if let Some((uid, gid)) = self.owners.of(meta) {
            let given = fchown(handle, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            self.given(given, name)?;
        }
        fchmod(handle, Mode::from_raw_mode(meta.mode))
            .map_err(ArchiveError::file("changing the mode of", name))?;
        futimens(handle, &meta.times()).map_err(ArchiveError::file("changing the time of", name))
    }

    /// What the agent may not give away stays its own, where that was foreseen.
    fn given(&self, given: rustix::io::Result<()>, name: &[u8]) -> Result<(), ArchiveError> {
        match given {
            Err(Errno::PERM) if self.owners.all => Ok(()),
            other => other.map_err(ArchiveError::file("giving away", name)),
        }
    }

    fn folder(&mut self, last: &[u8], name: &[u8], meta: Meta) -> Result<(), ArchiveError> {
        self.folders += 1;
        if self.folders > self.bounds.folders {
            return Err(ArchiveError::refused("it holds too many folders"));
        }
        self.make(last, name, Mode::RWXU)?;
        self.enter(last, name, Some(meta))
    }

    /// Makes a folder here. One that is there already is none that this transfer made.
    fn make(&self, last: &[u8], name: &[u8], mode: Mode) -> Result<(), ArchiveError> {
        match mkdirat(self.here(), last, mode) {
            Err(Errno::EXIST) if self.form == Form::Engine => Ok(()),
            made => made.map_err(ArchiveError::file("making", name)),
        }
    }

    /// Enters a folder here. `last`: what it is to become when all is in it.
    fn enter(&mut self, part: &[u8], name: &[u8], last: Option<Meta>) -> Result<(), ArchiveError> {
        if self.way.len() >= DEPTH {
            return Err(ArchiveError::refused("folders lie too deep"));
        }
        let handle =
            openat(self.here(), part, FOLDER, Mode::empty()).map_err(ArchiveError::file("opening", name))?;
        self.way.push(Folder { name: part.to_vec(), handle, last });
        Ok(())
    }

    fn file<R: Read>(
        &mut self,
        entry: &mut Entry<'_, R>,
        last: &[u8],
        name: &[u8],
        meta: Meta,
    ) -> Result<(), ArchiveError> {
        let announced = entry.size();
        if announced > self.bounds.bytes.saturating_sub(self.taken.bytes) {
            return Err(ArchiveError::refused("there is more in it than was announced"));
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(self.here(), last, flags, Mode::RUSR | Mode::WUSR)
            .map_err(ArchiveError::file("making", name))?;
        let mut file = File::from(made);
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut left = announced;
        while left > 0 {
            let read = entry.read(&mut buffer).map_err(ArchiveError::Stream)?;
            if read == 0 {
                return Err(ArchiveError::Stream(io::ErrorKind::UnexpectedEof.into()));
            }
            file.write_all(&buffer[..read]).map_err(|source| ArchiveError::File {
                doing: "writing",
                path: shown(name),
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

    fn symlink(&self, last: &[u8], name: &[u8], target: &[u8], meta: Meta) -> Result<(), ArchiveError> {
        let here = self.here();
        symlinkat(target, here, last).map_err(ArchiveError::file("making the link", name))?;
        if let Some((uid, gid)) = self.owners.of(meta) {
            let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            self.given(chownat(here, last, uid, gid, AtFlags::SYMLINK_NOFOLLOW), name)?;
        }
        utimensat(here, last, &meta.times(), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(ArchiveError::file("changing the time of", name))
    }

    /// A second name of a file that came before.
    fn second_name(&self, last: &[u8], name: &[u8], first: &[u8]) -> Result<(), ArchiveError> {
        let parts = parts(first, self.form)?;
        let (target, above) =
            parts.split_last().ok_or_else(|| ArchiveError::refused("a link without target"))?;
        let top = self.top.as_fd();
        let mut below: Option<OwnedFd> = None;
        for part in above {
            let at = below.as_ref().map_or(top, AsFd::as_fd);
            let next =
                openat(at, *part, FOLDER, Mode::empty()).map_err(ArchiveError::file("opening", first))?;
            below = Some(next);
        }
        let at = below.as_ref().map_or(top, AsFd::as_fd);
        let stat = statat(at, *target, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(ArchiveError::file("looking at", first))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        // An engine tells of links that have a second name, too.
        if kind != FileType::RegularFile && (kind != FileType::Symlink || self.form == Form::Transfer) {
            return Err(ArchiveError::refused("a second name of what is no file"));
        }
        linkat(at, *target, self.here(), last, AtFlags::empty())
            .map_err(ArchiveError::file("making the second name", name))
    }

    fn look_at_room(&mut self) -> Result<(), ArchiveError> {
        self.looked = self.taken.bytes;
        let (bytes, names) = room(self.here());
        if bytes < RESERVE || names < NAMES { Err(ArchiveError::NoRoom) } else { Ok(()) }
    }
}
