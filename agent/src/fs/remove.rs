//! The end of a tree.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Mode, fchmod, openat, renameat, unlinkat};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::open::{self, FOLDER};
use super::shown::shown;
use super::walk::{At, Bounds, Missed, Mounts, Next, Stopped, Visitor, walk};

/// How often a tree is gone through to which somebody adds meanwhile.
const PASSES: usize = 16;
/// How often folders in it are read once more for the same reason, all together.
const AGAIN: usize = 1000;
/// After this it is left for another time: of what somebody adds to as fast as it is removed there is no end.
const PATIENCE: Duration = Duration::from_secs(300);
/// The same where somebody waits for it and may call it off.
const LONG_PATIENCE: Duration = Duration::from_secs(3600);

/// Removes what has this path, and all that is in it; what is not there is removed already. Follows no link and enters no
/// other file system. Blocks.
///
/// # Errors
/// Something is left; what could be removed is gone. [`io::ErrorKind::TimedOut`] where there was no time for all of it.
pub(crate) fn remove(path: &Path, stop: &CancellationToken) -> io::Result<()> {
    remove_within(path, stop, PATIENCE)
}

/// Removes a data folder with all that games have made in it; one that is not there is removed already. Blocks.
///
/// # Errors
/// Something is left.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    match remove(path, &CancellationToken::new()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

pub(super) fn remove_within(path: &Path, stop: &CancellationToken, patience: Duration) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let parent = openat(CWD, parent, FOLDER, Mode::empty())?;
    remove_in(parent.as_fd(), name.as_encoded_bytes(), stop, patience, &mut |_| {})
}

/// The same for what has this name in a folder; `step` is told of entries that are removed. Blocks.
///
/// # Errors
/// Something is left.
pub(crate) fn remove_at(
    parent: BorrowedFd<'_>,
    name: &[u8],
    stop: &CancellationToken,
    step: &mut dyn FnMut(u64),
) -> io::Result<()> {
    remove_in(parent, name, stop, LONG_PATIENCE, step)
}

fn remove_in(
    parent: BorrowedFd<'_>,
    name: &[u8],
    stop: &CancellationToken,
    patience: Duration,
    step: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let mut left = None;
    let deadline = Instant::now() + patience;
    for _ in 0..PASSES {
        let top = match open_top(parent, name) {
            Ok(top) => top,
            Err(Errno::NOENT) => return Ok(()),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                unlinkat(parent, name, AtFlags::empty())?;
                step(1);
                return Ok(());
            }
            Err(errno) => return Err(errno.into()),
        };
        let top_again = top.try_clone()?;
        let mut removing =
            Removing { top: top_again, removed: 0, again: AGAIN, left: None, deadline, step: &mut *step };
        let bounds = Bounds { mounts: Mounts::Miss, ..Bounds::FAR };
        let walked = walk(top, bounds, stop, &mut removing);
        let removed = removing.removed;
        left = removing.left;
        walked?;
        match unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {
                step(1);
                return Ok(());
            }
            Err(Errno::NOTEMPTY | Errno::EXIST) if removed > 0 => {}
            Err(errno) => {
                left.get_or_insert_with(|| errno.into());
                break;
            }
        }
    }
    Err(left.unwrap_or_else(|| Errno::NOTEMPTY.into()))
}

fn open_top(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    match open::below(parent, name, false) {
        Err(Errno::ACCESS) if open::unlock(parent, name) => open::below(parent, name, false),
        other => other,
    }
}

struct Removing<'s> {
    top: OwnedFd,
    removed: u64,
    again: usize,
    /// The first thing that could not be removed.
    left: Option<io::Error>,
    deadline: Instant,
    step: &'s mut dyn FnMut(u64),
}

impl Removing<'_> {
    fn unlink(&mut self, at: &At<'_>, flags: AtFlags) -> Result<(), Errno> {
        let mut done = unlinkat(at.parent, at.name, flags);
        if done == Err(Errno::ACCESS) && fchmod(at.parent, Mode::RWXU).is_ok() {
            done = unlinkat(at.parent, at.name, flags);
        }
        match done {
            Ok(()) => {
                self.removed += 1;
                (self.step)(1);
            }
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        Ok(())
    }

    fn in_time(&self) -> io::Result<()> {
        if Instant::now() > self.deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it takes too long for once"));
        }
        Ok(())
    }

    fn keep(&mut self, path: &[u8], why: impl Into<io::Error>) {
        let why: io::Error = why.into();
        self.left.get_or_insert_with(|| io::Error::new(why.kind(), format!("{}: {why}", shown(path))));
    }
}

impl Visitor for Removing<'_> {
    type Error = io::Error;

    fn enter(&mut self, _at: &At<'_>, _folder: BorrowedFd<'_>) -> io::Result<bool> {
        Ok(true)
    }

    fn leave(&mut self, at: &At<'_>, _folder: BorrowedFd<'_>) -> io::Result<Next> {
        self.in_time()?;
        match self.unlink(at, AtFlags::REMOVEDIR) {
            Ok(()) => {}
            // Somebody added to it. Where something can't be removed for another reason, once more is no use.
            Err(Errno::NOTEMPTY | Errno::EXIST) if self.again > 0 && self.left.is_none() => {
                self.again -= 1;
                return Ok(Next::Again);
            }
            // The next pass has it.
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
            Err(errno) => self.keep(at.path, errno),
        }
        Ok(Next::On)
    }

    fn other(&mut self, at: &At<'_>) -> io::Result<()> {
        self.in_time()?;
        match self.unlink(at, AtFlags::empty()) {
            Ok(()) | Err(Errno::ISDIR) => {}
            Err(errno) => self.keep(at.path, errno),
        }
        Ok(())
    }

    /// It is brought up to the top, where the next pass finds it.
    fn too_deep(&mut self, at: &At<'_>) -> io::Result<()> {
        let name = format!(".deep-{:016x}", rand::random::<u64>());
        match renameat(at.parent, at.name, &self.top, name) {
            Ok(()) => self.removed += 1,
            Err(errno) => self.keep(at.path, errno),
        }
        Ok(())
    }

    fn missed(&mut self, path: &[u8], why: Missed) -> io::Result<()> {
        match why {
            // The next pass has it.
            Missed::Changed => {}
            Missed::Mounted => {
                let why =
                    io::Error::new(io::ErrorKind::CrossesDevices, "another file system is mounted there");
                self.keep(path, why);
            }
            Missed::Refused(errno) => self.keep(path, errno),
        }
        Ok(())
    }

    fn unlock(&mut self, at: &At<'_>) -> bool {
        open::unlock(at.parent, at.name)
    }
}

impl From<Stopped> for io::Error {
    fn from(stopped: Stopped) -> Self {
        Self::new(io::ErrorKind::Interrupted, stopped)
    }
}
