//! The walk through a tree. However deep it is, the walk holds a few folders open, needs no stack and joins no paths: the
//! way back from a folder is its `..`, taken only where it leads to the folder that it came from.

use std::ffi::CStr;

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, SeekFrom, Stat, fstat, statat};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::open;

/// Folders that are held open at once, beside the top.
const OPEN: usize = 8;
/// Entries between two looks whether the walk is still wanted.
const LOOK_EVERY: u64 = 64;
/// Entries after which other threads get their turn.
const YIELD_EVERY: u64 = 4096;

/// Nobody wants the walk any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it was called off")]
pub(crate) struct Stopped;

/// What is done with other file systems that are mounted below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mounts {
    /// They are part of the tree.
    Enter,
    /// They are missed.
    Miss,
}

/// How far a walk goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Folders within folders.
    pub(crate) depth: usize,
    /// Bytes of a path below the top.
    pub(crate) path: usize,
    /// Other file systems.
    pub(crate) mounts: Mounts,
}

impl Bounds {
    /// More than any tree has that was not made to do harm; some tens of megabytes of memory.
    pub(crate) const FAR: Self = Self { depth: 500_000, path: 8 << 20, mounts: Mounts::Enter };
}

/// Why something was not looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// Somebody put it elsewhere, or something else in its place, meanwhile.
    Changed,
    /// Another file system is mounted there.
    Mounted,
    /// The system said no.
    Refused(Errno),
}

/// Where the walk is.
pub(crate) struct At<'w> {
    /// The folder that holds it.
    pub(crate) parent: BorrowedFd<'w>,
    /// Its name there.
    pub(crate) name: &'w [u8],
    /// Its path below the top.
    pub(crate) path: &'w [u8],
    /// What it was when it was looked at.
    pub(crate) stat: &'w Stat,
}

/// What follows after the last entry of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The walk goes on beside it.
    On,
    /// It is read once more from its beginning.
    Again,
}

/// Who is shown what there is. Any error ends the walk.
pub(crate) trait Visitor {
    /// Why it ends.
    type Error: From<Stopped>;

    /// A folder, before what is in it; `false` passes over that.
    fn enter(&mut self, at: &At<'_>, folder: BorrowedFd<'_>) -> Result<bool, Self::Error>;

    /// The same folder, after all that is in it. `at.stat` is of this moment.
    fn leave(&mut self, at: &At<'_>, folder: BorrowedFd<'_>) -> Result<Next, Self::Error>;

    /// Anything but a folder.
    fn other(&mut self, at: &At<'_>) -> Result<(), Self::Error>;

    /// A folder below the depth that the walk goes to.
    fn too_deep(&mut self, at: &At<'_>) -> Result<(), Self::Error>;

    /// What should have been looked into and could not be.
    fn missed(&mut self, path: &[u8], why: Missed) -> Result<(), Self::Error>;

    /// A folder could not be opened for its mode; `true` where that was changed.
    fn unlock(&mut self, _at: &At<'_>) -> bool {
        false
    }
}

/// A folder on the way from the top to here.
struct Frame {
    /// None where others are in the foreground.
    dir: Option<Dir>,
    /// By which it is known again.
    id: (u64, u64),
    /// Where reading goes on.
    next: i64,
    /// Bytes of the path before its own name.
    above: usize,
}

struct Walk {
    frames: Vec<Frame>,
    path: Vec<u8>,
    bounds: Bounds,
}

/// Shows a visitor all that is below a folder, but not the folder itself.
pub(crate) fn walk<V: Visitor>(
    top: OwnedFd,
    bounds: Bounds,
    stop: &CancellationToken,
    visitor: &mut V,
) -> Result<(), V::Error> {
    let id = fstat(&top).map(|stat| identity(&stat));
    let opened = id.and_then(|id| Ok(Frame { dir: Some(Dir::new(top)?), id, next: 0, above: 0 }));
    let top = match opened {
        Ok(top) => top,
        Err(errno) => return visitor.missed(b"", Missed::Refused(errno)),
    };
    let mut walk = Walk { frames: vec![top], path: Vec::new(), bounds };
    let mut seen: u64 = 0;
    loop {
        seen += 1;
        if seen.is_multiple_of(LOOK_EVERY) && stop.is_cancelled() {
            return Err(Stopped.into());
        }
        if seen.is_multiple_of(YIELD_EVERY) {
            std::thread::yield_now();
        }
        let Some(frame) = walk.frames.last_mut() else { return Ok(()) };
        match frame.dir.as_mut().and_then(Dir::read) {
            Some(Ok(entry)) => {
                frame.next = entry.offset();
                let name = entry.file_name();
                if !matches!(name.to_bytes(), b"." | b"..") {
                    walk.entry(name, visitor)?;
                }
            }
            read => {
                if let Some(Err(errno)) = read {
                    visitor.missed(&walk.path, Missed::Refused(errno))?;
                }
                if !walk.back(visitor)? {
                    return Ok(());
                }
            }
        }
    }
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

impl Walk {
    fn entry<V: Visitor>(&mut self, name: &CStr, visitor: &mut V) -> Result<(), V::Error> {
        let above = self.path.len();
        if above > 0 {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name.to_bytes());
        let entered = self.look(name, above, visitor)?;
        if !entered {
            self.path.truncate(above);
        }
        Ok(())
    }

    /// Shows one entry; true where the walk is inside it now.
    fn look<V: Visitor>(&mut self, name: &CStr, above: usize, visitor: &mut V) -> Result<bool, V::Error> {
        let depth = self.frames.len();
        let Some(parent) = self.frames.last().and_then(Frame::fd) else { return Ok(false) };
        let mut stat = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return visitor.missed(&self.path, Missed::Refused(errno)).map(|()| false),
        };
        let name = name.to_bytes();
        let at = At { parent, name, path: &self.path, stat: &stat };
        if !is_folder(&stat) {
            return visitor.other(&at).map(|()| false);
        }
        if depth > self.bounds.depth || self.path.len() > self.bounds.path {
            return visitor.too_deep(&at).map(|()| false);
        }
        let mounts = self.bounds.mounts == Mounts::Enter;
        let mut opened = open::below(parent, name, mounts);
        if opened.as_ref().is_err_and(|errno| *errno == Errno::ACCESS) && visitor.unlock(&at) {
            opened = open::below(parent, name, mounts);
        }
        if opened.as_ref().is_err_and(|errno| matches!(*errno, Errno::MFILE | Errno::NFILE)) {
            self.narrow();
            let Some(parent) = self.frames.last().and_then(Frame::fd) else { return Ok(false) };
            opened = open::below(parent, name, mounts);
        }
        let found = opened.and_then(|folder| {
            stat = fstat(&folder)?;
            Dir::new(folder)
        });
        let dir = match found {
            Ok(dir) => dir,
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => {
                let why = match errno {
                    Errno::LOOP | Errno::NOTDIR => Missed::Changed,
                    Errno::XDEV => Missed::Mounted,
                    errno => Missed::Refused(errno),
                };
                return visitor.missed(&self.path, why).map(|()| false);
            }
        };
        let Some(parent) = self.frames.last().and_then(Frame::fd) else { return Ok(false) };
        let (Ok(folder), id) = (dir.fd(), identity(&stat)) else { return Ok(false) };
        if !visitor.enter(&At { parent, name, path: &self.path, stat: &stat }, folder)? {
            return Ok(false);
        }
        self.frames.push(Frame { dir: Some(dir), id, next: 0, above });
        // The top stays open: the walk always has a place to go back to.
        if let Some(far) = self.frames.len().checked_sub(OPEN + 1).filter(|far| *far > 0)
            && let Some(far) = self.frames.get_mut(far)
        {
            far.dir = None;
        }
        Ok(true)
    }

    /// Closes all but the top and the last.
    fn narrow(&mut self) {
        let last = self.frames.len().saturating_sub(1);
        for frame in self.frames.iter_mut().take(last).skip(1) {
            frame.dir = None;
        }
    }

    /// From a folder that was read to the one above; false at the top.
    fn back<V: Visitor>(&mut self, visitor: &mut V) -> Result<bool, V::Error> {
        let Some(mut child) = self.frames.pop() else { return Ok(false) };
        if self.frames.is_empty() {
            return Ok(false);
        }
        let Some(folder) = child.fd() else { return Ok(false) };
        let mut reopened = self.reopen(folder);
        if reopened.is_err_and(|why| matches!(why, Missed::Refused(Errno::MFILE | Errno::NFILE))) {
            self.narrow();
            reopened = self.reopen(folder);
        }
        if let Err(why) = reopened {
            visitor.missed(&self.path, why)?;
            self.path.truncate(child.above);
            while let Some(frame) = self.frames.pop_if(|frame| frame.dir.is_none()) {
                self.path.truncate(frame.above);
            }
            return Ok(true);
        }
        let Some(parent) = self.frames.last().and_then(Frame::fd) else { return Ok(false) };
        let next = match fstat(folder) {
            Ok(stat) => {
                let name = &self.path[(child.above + usize::from(child.above > 0)).min(self.path.len())..];
                visitor.leave(&At { parent, name, path: &self.path, stat: &stat }, folder)?
            }
            Err(errno) => visitor.missed(&self.path, Missed::Refused(errno)).map(|()| Next::On)?,
        };
        match next {
            Next::On => self.path.truncate(child.above),
            Next::Again => {
                if let Some(dir) = &mut child.dir {
                    dir.rewind();
                }
                self.frames.push(child);
            }
        }
        Ok(true)
    }

    /// Makes sure that the last folder is open, by way of one that was in it.
    fn reopen(&mut self, child: BorrowedFd<'_>) -> Result<(), Missed> {
        let Some(frame) = self.frames.last_mut() else { return Ok(()) };
        if frame.dir.is_some() {
            return Ok(());
        }
        let folder = open::above(child).map_err(Missed::Refused)?;
        let stat = fstat(&folder).map_err(Missed::Refused)?;
        if identity(&stat) != frame.id {
            return Err(Missed::Changed);
        }
        rustix::fs::seek(&folder, SeekFrom::Start(frame.next as u64)).map_err(Missed::Refused)?;
        frame.dir = Some(Dir::new(folder).map_err(Missed::Refused)?);
        Ok(())
    }
}

impl Frame {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.dir.as_ref().and_then(|dir| dir.fd().ok())
    }
}
