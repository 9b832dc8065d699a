//! Permission bits. Never through a link, and never setuid or the like.

use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, Stat, fchmod, fstat, openat};

use super::job::Job;
use crate::fs::{
    At, Bounds, FOLDER, FileError, Missed, Mounts, Next, RelPath, Visitor, meaning, special, walk,
};

/// Changes the bits of a file or folder, and of all that is in it.
pub(super) fn chmod(job: &mut Job<'_>, path: &RelPath, mode: u32, recursive: bool) -> Result<(), FileError> {
    if mode > 0o7777 {
        return Err(FileError::Conflict("there are no such permission bits"));
    }
    let owner = job.root.owner()?.0;
    let bits = mode & 0o777;
    if path.is_root() {
        // The game's user has to reach its files.
        return Err(FileError::Denied);
    }
    let (folder, name) = job.root.parent(path)?;
    if recursive && let Ok(top) = openat(&folder, name, FOLDER, Mode::empty()) {
        let cancel = job.cancel.clone();
        let mut changing = Changing { job, path, bits, owner };
        let bounds = Bounds { mounts: Mounts::Miss, ..Bounds::FAR };
        walk(top, bounds, &cancel, &mut changing)?;
    }
    one(folder.as_fd(), name, bits, owner)?;
    job.progress.add(1, 0, path.as_bytes());
    Ok(())
}

/// Folders get the right to enter where they may be read.
fn for_folder(bits: u32) -> u32 {
    bits | (bits & 0o444) >> 2
}

fn one(parent: BorrowedFd<'_>, name: &[u8], bits: u32, owner: u32) -> Result<(), FileError> {
    // What it is is looked at by the handle that is changed.
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(parent, name, flags, Mode::empty()).map_err(meaning("open it"))?;
    by_handle(&file, bits, owner)
}

/// The same of what is open; `owner` is the server's user.
pub(super) fn by_handle(file: &OwnedFd, bits: u32, owner: u32) -> Result<(), FileError> {
    let stat = fstat(file).map_err(meaning("look at it"))?;
    let bits = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => for_folder(bits),
        // A file with a second name could be one of the host's.
        FileType::RegularFile if stat.st_nlink > 1 && stat.st_uid != owner => return Err(FileError::Denied),
        FileType::RegularFile => bits,
        _ => return Err(FileError::NotRegular(special(stat.st_mode).unwrap_or("something else"))),
    };
    // A handle that opens nothing can only be changed by the name that the system has for it.
    let by_handle = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::chmod(by_handle, Mode::from_raw_mode(bits)).map_err(meaning("set its mode"))
}

pub(super) fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

struct Changing<'a, 'j> {
    job: &'a mut Job<'j>,
    path: &'a RelPath,
    bits: u32,
    owner: u32,
}

impl Changing<'_, '_> {
    fn whole(&self, path: &[u8]) -> Vec<u8> {
        [self.path.as_bytes(), &b"/"[..], path].concat()
    }
}

impl Visitor for Changing<'_, '_> {
    type Error = FileError;

    fn enter(&mut self, _at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<bool, FileError> {
        Ok(true)
    }

    fn leave(&mut self, at: &At<'_>, folder: BorrowedFd<'_>) -> Result<Next, FileError> {
        fchmod(folder, Mode::from_raw_mode(for_folder(self.bits))).map_err(meaning("set its mode"))?;
        let whole = self.whole(at.path);
        self.job.progress.add(1, 0, &whole);
        Ok(Next::On)
    }

    fn other(&mut self, at: &At<'_>) -> Result<(), FileError> {
        let whole = self.whole(at.path);
        match one(at.parent, at.name, self.bits, self.owner) {
            Ok(()) => self.job.progress.add(1, 0, &whole),
            // Its bits mean nothing.
            Err(FileError::NotRegular("a link")) => {}
            Err(error) => self.job.progress.skip(&whole, error.sentence()),
        }
        Ok(())
    }

    fn too_deep(&mut self, at: &At<'_>) -> Result<(), FileError> {
        let whole = self.whole(at.path);
        self.job.progress.skip(&whole, "It lies too deep.");
        Ok(())
    }

    fn missed(&mut self, path: &[u8], _why: Missed) -> Result<(), FileError> {
        let whole = self.whole(path);
        self.job.progress.skip(&whole, "It could not be opened.");
        Ok(())
    }
}
