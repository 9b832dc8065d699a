//! Checks a folder for files that the template denies to the caller, before the folder is deleted.

use rustix::fd::BorrowedFd;
use rustix::fs::{Mode, openat};
use templates::file_denylist::FileDenylist;

use super::job::Job;
use crate::fs::{At, Bounds, FOLDER, FileError, Missed, Next, RelPath, Visitor, text_below, walk};

const SENTENCE: &str = "it holds files that are only for those who may configure the server";

/// Fails if the folder contains a file that is denied to the caller.
pub(super) fn check_within(job: &Job<'_>, path: &RelPath) -> Result<(), FileError> {
    if job.denied.is_empty() {
        return Ok(());
    }
    let (folder, name) = job.root.parent(path)?;
    // The panel has checked the path of anything but a folder.
    let Ok(top) = openat(&folder, name, FOLDER, Mode::empty()) else { return Ok(()) };
    walk(top, Bounds::FAR, job.cancel, &mut Looking { top: path, denied: &job.denied })
}

struct Looking<'a> {
    top: &'a RelPath,
    denied: &'a FileDenylist,
}

impl Looking<'_> {
    fn look(&self, below: &[u8], is_folder: bool) -> Result<(), FileError> {
        let path = text_below(&[self.top.as_bytes(), b"/", below].concat());
        if self.denied.denies(&path, is_folder) { Err(FileError::Kept(SENTENCE)) } else { Ok(()) }
    }
}

impl Visitor for Looking<'_> {
    type Error = FileError;

    fn enter(&mut self, at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<bool, FileError> {
        self.look(at.path, true).map(|()| true)
    }

    fn leave(&mut self, _at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<Next, FileError> {
        Ok(Next::On)
    }

    fn other(&mut self, at: &At<'_>) -> Result<(), FileError> {
        self.look(at.path, false)
    }

    fn too_deep(&mut self, at: &At<'_>) -> Result<(), FileError> {
        self.look(at.path, true)
    }

    fn missed(&mut self, _path: &[u8], why: Missed) -> Result<(), FileError> {
        match why {
            // An unreadable folder may contain one.
            Missed::Refused(_) => Err(FileError::Kept(SENTENCE)),
            Missed::Changed | Missed::Mounted => Ok(()),
        }
    }
}
