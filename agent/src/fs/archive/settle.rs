//! From the staging folder to where an archive's files belong: each by one rename, so that whatever happens a file there is
//! the one that was or the one that came. A folder that is new comes with all that is in it.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, RenameFlags, openat, renameat, renameat_with, statat};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::PATH;
use super::error::ArchiveError;
use super::names::DEEP;
use super::watch::Outcome;
use crate::fs::open::FOLDER;
use crate::fs::walk::{At, Bounds, Missed, Mounts, Next, Visitor, walk};

/// Moves everything below one folder into another. What cannot have its place there is named in `outcome` and stays.
pub(super) fn settle(from: OwnedFd, to: OwnedFd, outcome: &mut Outcome) -> Result<(), ArchiveError> {
    let mut settling = Settling { way: vec![to], outcome };
    let bounds = Bounds { depth: DEEP + 1, path: PATH, mounts: Mounts::Miss };
    // Half of it is worse than all of it: this takes no time, and is not called off.
    walk(from, bounds, &CancellationToken::new(), &mut settling)
}

struct Settling<'o> {
    /// The folders there, from the top to the one that the walk is in here.
    way: Vec<OwnedFd>,
    outcome: &'o mut Outcome,
}

const TAKEN: &str = "something else has its name";

impl Settling<'_> {
    fn skip(&mut self, path: &[u8], why: &str) {
        self.outcome.entries = self.outcome.entries.saturating_sub(1);
        self.outcome.skip(path, why);
    }
}

impl Visitor for Settling<'_> {
    type Error = ArchiveError;

    fn enter(&mut self, at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<bool, ArchiveError> {
        let Some(to) = self.way.last() else { return Ok(false) };
        match renameat_with(at.parent, at.name, to, at.name, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(false),
            Err(Errno::EXIST | Errno::NOTEMPTY) => {}
            // A file system that can't rename so: where nothing has the name, plainly. A folder replaces none but an empty one.
            Err(Errno::INVAL | Errno::NOSYS) => {
                let there = statat(to, at.name, AtFlags::SYMLINK_NOFOLLOW);
                if matches!(there, Err(Errno::NOENT)) {
                    renameat(at.parent, at.name, to, at.name)
                        .map_err(ArchiveError::file("putting in its place", at.path))?;
                    return Ok(false);
                }
            }
            Err(errno) => return Err(ArchiveError::file("putting in its place", at.path)(errno)),
        }
        match openat(to, at.name, FOLDER, Mode::empty()) {
            Ok(there) => {
                self.way.push(there);
                Ok(true)
            }
            Err(Errno::NOTDIR | Errno::LOOP) => {
                self.skip(at.path, TAKEN);
                Ok(false)
            }
            Err(errno) => Err(ArchiveError::file("opening", at.path)(errno)),
        }
    }

    fn leave(&mut self, _at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<Next, ArchiveError> {
        self.way.pop();
        Ok(Next::On)
    }

    fn other(&mut self, at: &At<'_>) -> Result<(), ArchiveError> {
        let Some(to) = self.way.last() else { return Ok(()) };
        // A pipe or a socket of the game is in use, and not what anybody meant to replace.
        let there = statat(to.as_fd(), at.name, AtFlags::SYMLINK_NOFOLLOW);
        let replaced = there.map(|stat| FileType::from_raw_mode(stat.st_mode));
        if replaced.is_ok_and(|kind| !matches!(kind, FileType::RegularFile | FileType::Symlink)) {
            self.skip(at.path, TAKEN);
            return Ok(());
        }
        match renameat(at.parent, at.name, to, at.name) {
            Ok(()) => Ok(()),
            Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => {
                self.skip(at.path, TAKEN);
                Ok(())
            }
            Err(errno) => Err(ArchiveError::file("putting in its place", at.path)(errno)),
        }
    }

    fn too_deep(&mut self, at: &At<'_>) -> Result<(), ArchiveError> {
        self.skip(at.path, "it lies too deep");
        Ok(())
    }

    fn missed(&mut self, path: &[u8], why: Missed) -> Result<(), ArchiveError> {
        match why {
            Missed::Refused(errno) => Err(ArchiveError::file("opening", path)(errno)),
            Missed::Changed | Missed::Mounted => {
                self.skip(path, "it changed meanwhile");
                Ok(())
            }
        }
    }
}
