//! What somebody may not touch of what lies within a folder that he deletes: files that a template denies him.

use rustix::fd::BorrowedFd;
use rustix::fs::{Mode, openat};
use templates::file_denylist::FileDenylist;

use super::job::Job;
use crate::fs::{At, Bounds, FOLDER, FileError, Missed, Next, RelPath, Visitor, text_below, walk};

const SENTENCE: &str = "it holds files that are only for those who may configure the server";

/// An error where something within this folder is denied to whoever asked for the job.
pub(super) fn check_within(job: &Job<'_>, path: &RelPath) -> Result<(), FileError> {
    if job.denied.is_empty() {
        return Ok(());
    }
    let (folder, name) = job.root.parent(path)?;
    // What is no folder was compared by its path.
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
            // What cannot be looked into may hold one.
            Missed::Refused(_) => Err(FileError::Kept(SENTENCE)),
            Missed::Changed | Missed::Mounted => Ok(()),
        }
    }
}
