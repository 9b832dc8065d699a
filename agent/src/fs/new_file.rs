//! A file that is written whole or not at all: under a name that nobody looks for, until its content is on the disk.

use std::fs::File;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, fchmod, fstat, openat, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;

use super::error::{FileError, meaning};
use super::rel_path::RelPath;
use super::root_dir::{RootDir, give, look, special};

/// What names of files begin with that are being written within a server's folder.
const WRITING: &str = ".writing-";
/// Whether a name is that of a file that is being written, and has not got its own yet.
pub(crate) fn is_unfinished(name: &[u8]) -> bool {
    name.strip_prefix(WRITING.as_bytes())
        .is_some_and(|rest| rest.len() == 16 && rest.iter().all(u8::is_ascii_hexdigit))
}

/// What a new file may be read and written by.
const NEW: u32 = 0o644;
/// Names that are tried.
const NAMES: usize = 16;

/// Whether something that has the name may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replace {
    /// A plain file may.
    File,
    /// Nothing may.
    Nothing,
}

/// A file that is being written. Dropped without [`NewFile::commit`] there is nothing of it.
#[derive(Debug)]
pub(crate) struct NewFile {
    /// Where it is to be, and its name there.
    folder: OwnedFd,
    name: Vec<u8>,
    /// Where it is until then; none: in the same folder.
    aside: Option<OwnedFd>,
    writing: String,
    file: File,
    owner: (u32, u32),
    mode: u32,
    placed: bool,
}

impl NewFile {
    /// Begins a file at this path; folders above it are made. What it replaces gives it its owner and mode. It is written
    /// in `aside` where that is on the same file system, where the game does not see it.
    pub(crate) fn begin(
        root: &RootDir,
        path: &RelPath,
        aside: Option<&OwnedFd>,
        replace: Replace,
    ) -> Result<Self, FileError> {
        if path.is_folder() {
            return Err(FileError::NotRegular("a folder"));
        }
        let (folder, name) = root.parent_made(path)?;
        let (owner, mode) = match look(&folder, name) {
            // A link is not followed, and not replaced either: it may be what others read.
            Ok(stat) => match special(stat.st_mode) {
                _ if replace == Replace::Nothing => return Err(FileError::Exists),
                Some(kind) => return Err(FileError::NotRegular(kind)),
                // Neither setuid nor the like: a game could have put it there.
                None => ((stat.st_uid, stat.st_gid), stat.st_mode & 0o777),
            },
            Err(FileError::NotFound) => (root.owner()?, NEW),
            Err(error) => return Err(error),
        };
        let device = |fd: &OwnedFd| fstat(fd).map(|stat| stat.st_dev);
        let aside =
            aside.filter(|aside| matches!((device(aside), device(&folder)), (Ok(a), Ok(b)) if a == b));
        let aside = aside.and_then(|aside| aside.try_clone().ok());
        let (writing, file) = create(aside.as_ref().unwrap_or(&folder))?;
        Ok(Self { folder, name: name.to_vec(), aside, writing, file, owner, mode, placed: false })
    }

    /// What its content is written to.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Its permission bits, where they are not those of what it replaces.
    pub(crate) fn set_mode(&mut self, mode: u32) {
        self.mode = mode & 0o777;
    }

    /// The folder in which it will be, and its name there.
    pub(crate) fn place(&self) -> (&OwnedFd, &[u8]) {
        (&self.folder, &self.name)
    }

    /// Gives it its place, once it is on the disk. Gives the folder, in which a crash may still undo it.
    pub(crate) fn commit(mut self, replace: Replace) -> Result<OwnedFd, FileError> {
        give(self.file.as_fd(), self.owner)?;
        fchmod(self.file.as_fd(), Mode::from_raw_mode(self.mode)).map_err(meaning("set its mode"))?;
        self.file.sync_all().map_err(FileError::io("write it"))?;
        let from = self.aside.as_ref().unwrap_or(&self.folder);
        rename(from, self.writing.as_bytes(), &self.folder, &self.name, replace)?;
        self.placed = true;
        self.folder.try_clone().map_err(FileError::io("keep the folder"))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.placed {
            let _ = unlinkat(self.aside.as_ref().unwrap_or(&self.folder), &self.writing, AtFlags::empty());
        }
    }
}

/// A new file of ours under a name that nobody has.
fn create(folder: &OwnedFd) -> Result<(String, File), FileError> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..NAMES {
        let name = format!("{WRITING}{:016x}", rand::random::<u64>());
        match openat(folder, &name, flags, Mode::from_raw_mode(0o600)) {
            Ok(file) => return Ok((name, File::from(file))),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(meaning("make a file beside it")(errno)),
        }
    }
    Err(FileError::ConcurrentChange)
}

/// Renames, and replaces no more than is allowed.
pub(crate) fn rename(
    from: impl AsFd,
    name: &[u8],
    to: impl AsFd,
    new_name: &[u8],
    replace: Replace,
) -> Result<(), FileError> {
    let done = match replace {
        Replace::File => match look(&to, new_name) {
            // A folder would be replaced where it is empty.
            Ok(stat) if special(stat.st_mode).is_some() => return Err(FileError::Exists),
            _ => renameat(&from, name, &to, new_name),
        },
        Replace::Nothing => match renameat_with(&from, name, &to, new_name, RenameFlags::NOREPLACE) {
            // The file system does not know the flag.
            Err(Errno::INVAL | Errno::NOSYS) => match look(&to, new_name) {
                Err(FileError::NotFound) => renameat(&from, name, &to, new_name),
                Ok(_) => Err(Errno::EXIST),
                Err(error) => return Err(error),
            },
            done => done,
        },
    };
    done.map_err(|errno| match errno {
        Errno::XDEV => FileError::OtherFileSystem,
        Errno::INVAL => FileError::BadPath("leads into what is moved"),
        errno => meaning("rename it")(errno),
    })
}
