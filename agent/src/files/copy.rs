//! Copies of files and folders: whole, or not at all. A folder is copied beside the server's, and gets its place by a
//! rename when all of it is on the disk.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, chownat, fchmod, fstatvfs, mkdirat, openat, openat2,
    readlinkat, symlinkat,
};
use tokio_util::sync::CancellationToken;

use super::job::Job;
use super::store::{fresh_number, sync};
use crate::fs::{
    At, Bounds, FOLDER, FileError, Missed, Mounts, NewFile, Next, RelPath, Replace, Visitor, copy_content,
    give, look, meaning, measure_tree, regular, remove_at, rename, special, walk,
};

/// Entries of a folder that is copied.
const MOST: u64 = 5_000_000;
/// How deep folders may lie in each other, and bytes of a path: the copy is found by its paths.
const BOUNDS: Bounds = Bounds { depth: 1_000, path: 3_800, mounts: Mounts::Enter };

/// Copies a file, a link or a folder.
pub(super) fn copy(job: &mut Job<'_>, from: &RelPath, to: &RelPath) -> Result<(), FileError> {
    if to.is_within(from) {
        return Err(FileError::BadPath("leads into what is copied"));
    }
    let (folder, name) = job.root.parent(from)?;
    let stat = look(&folder, name)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => tree(job, &folder, name, from, to),
        FileType::RegularFile => file(job, &folder, name, to),
        FileType::Symlink => {
            let (into, new_name) = job.root.parent_made(to)?;
            link(&folder, name, &into, new_name, job.root.owner()?)?;
            job.progress.add(1, 0, to.as_bytes());
            sync(&into)
        }
        _ => Err(FileError::NotRegular(special(stat.st_mode).unwrap_or("something else"))),
    }
}

/// Opens a plain file for reading; nothing else waits or is followed.
fn open_file(folder: impl AsFd, name: &[u8]) -> Result<(OwnedFd, Stat), FileError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, Mode::empty()).map_err(meaning("open it"))?;
    let stat = regular(&file)?;
    Ok((file, stat))
}

fn file(job: &mut Job<'_>, folder: &OwnedFd, name: &[u8], to: &RelPath) -> Result<(), FileError> {
    let (from, stat) = open_file(folder, name)?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    job.afford(size)?;
    job.progress.expect(size);
    let parts = job.store.parts()?;
    let mut new = NewFile::begin(job.root, to, Some(&parts), Replace::Nothing)?;
    new.set_mode(stat.st_mode);
    let (progress, cancel) = (&mut job.progress, job.cancel);
    copy_content(&from, new.file(), size, &mut |bytes| {
        progress.add(0, bytes, to.as_bytes());
        wanted(cancel)
    })?;
    let placed = new.commit(Replace::Nothing)?;
    job.progress.add(1, 0, to.as_bytes());
    sync(placed)
}

fn wanted(cancel: &CancellationToken) -> Result<(), FileError> {
    if cancel.is_cancelled() { Err(FileError::Cancelled) } else { Ok(()) }
}

fn link(
    folder: impl AsFd,
    name: &[u8],
    into: impl AsFd,
    new_name: &[u8],
    (uid, gid): (u32, u32),
) -> Result<(), FileError> {
    let target = readlinkat(folder, name, Vec::new()).map_err(meaning("read the link"))?;
    symlinkat(&target, &into, new_name).map_err(meaning("make the link"))?;
    let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
    // Who may not give it away keeps it.
    let _ = chownat(into, new_name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW);
    Ok(())
}

fn tree(
    job: &mut Job<'_>,
    folder: &OwnedFd,
    name: &[u8],
    from: &RelPath,
    to: &RelPath,
) -> Result<(), FileError> {
    let open = || openat(folder, name, FOLDER, Mode::empty()).map_err(meaning("open it"));
    let (into, new_name) = job.root.parent_made(to)?;
    if look(&into, new_name).is_ok() {
        return Err(FileError::Exists);
    }
    let size = measure_tree(open()?, MOST, job.cancel)?;
    job.afford(size.on_disk)?;
    job.progress.expect(size.bytes);
    let parts = job.store.parts()?;
    let disk = fstatvfs(&parts).map_err(meaning("look at the disk"))?;
    if disk.f_bavail.saturating_mul(disk.f_frsize) < size.on_disk {
        return Err(FileError::DiskFull);
    }
    let writing = format!("copy-{}", fresh_number());
    mkdirat(&parts, &writing, Mode::RWXU).map_err(meaning("make the copy"))?;
    let copied = fill(job, open()?, &parts, &writing, from)
        .and_then(|()| rename(&parts, writing.as_bytes(), &into, new_name, Replace::Nothing));
    if copied.is_err() {
        // The sweeper has what is left.
        let _ = remove_at(parts.as_fd(), writing.as_bytes(), &CancellationToken::new(), &mut |_| {});
        return copied;
    }
    sync(into)
}

fn fill(
    job: &mut Job<'_>,
    source: OwnedFd,
    parts: &OwnedFd,
    writing: &str,
    from: &RelPath,
) -> Result<(), FileError> {
    let top = openat(parts, writing, FOLDER, Mode::empty()).map_err(meaning("open the copy"))?;
    let owner = job.root.owner()?;
    let mode = rustix::fs::fstat(&source).map_err(meaning("look at it"))?.st_mode & 0o777;
    let cancel = job.cancel.clone();
    let mut copying =
        Copying { job, top: top.try_clone().map_err(FileError::io("copy it"))?, here: None, owner, from };
    walk(source, BOUNDS, &cancel, &mut copying)?;
    copying.job.progress.add(1, 0, from.as_bytes());
    give(&top, owner)?;
    fchmod(&top, Mode::from_raw_mode(mode)).map_err(meaning("set its mode"))?;
    // Once for all of it: a call for each file would take longer than the copy.
    rustix::fs::syncfs(&top).map_err(meaning("write it"))
}

struct Copying<'a, 'j> {
    job: &'a mut Job<'j>,
    /// The copy.
    top: OwnedFd,
    /// The folder of it that was last written to, and its path.
    here: Option<(Vec<u8>, OwnedFd)>,
    owner: (u32, u32),
    from: &'a RelPath,
}

impl Copying<'_, '_> {
    /// A folder of the copy.
    fn folder(&mut self, path: &[u8]) -> Result<&OwnedFd, FileError> {
        let kept = self.here.take().filter(|(known, _)| known == path);
        let folder = match kept {
            Some((_, folder)) => folder,
            None if path.is_empty() => self.top.try_clone().map_err(FileError::io("copy it"))?,
            None => {
                let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
                openat2(&self.top, path, FOLDER, Mode::empty(), resolve).map_err(meaning("open the copy"))?
            }
        };
        Ok(&self.here.insert((path.to_vec(), folder)).1)
    }

    /// The folder that holds this path in the copy.
    fn parent(&mut self, path: &[u8]) -> Result<&OwnedFd, FileError> {
        let end = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        self.folder(&path[..end])
    }

    fn whole(&self, path: &[u8]) -> Vec<u8> {
        [self.from.as_bytes(), &b"/"[..], path].concat()
    }

    fn one(&mut self, at: &At<'_>) -> Result<(), FileError> {
        let (from, stat) = open_file(at.parent, at.name)?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let owner = self.owner;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let into = self.parent(at.path)?;
        let to = openat(into, at.name, flags, Mode::RUSR | Mode::WUSR).map_err(meaning("make the copy"))?;
        let path = self.whole(at.path);
        let (progress, cancel) = (&mut self.job.progress, self.job.cancel);
        copy_content(&from, &to, size, &mut |bytes| {
            progress.add(0, bytes, &path);
            wanted(cancel)
        })?;
        give(&to, owner)?;
        fchmod(&to, Mode::from_raw_mode(stat.st_mode & 0o777)).map_err(meaning("set its mode"))
    }

    /// What the game does meanwhile takes nothing but itself out of the copy.
    fn passed(&mut self, path: &[u8], error: FileError) -> Result<(), FileError> {
        match error {
            FileError::NotFound | FileError::NotRegular(_) | FileError::Denied | FileError::Escape => {
                let whole = self.whole(path);
                self.job.progress.skip(&whole, error.sentence());
                Ok(())
            }
            error => Err(error),
        }
    }
}

impl Visitor for Copying<'_, '_> {
    type Error = FileError;

    fn enter(&mut self, at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<bool, FileError> {
        let into = self.parent(at.path)?;
        mkdirat(into, at.name, Mode::RWXU).map_err(meaning("make the copy"))?;
        Ok(true)
    }

    fn leave(&mut self, at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<Next, FileError> {
        let (owner, mode) = (self.owner, at.stat.st_mode & 0o777);
        let folder = self.folder(at.path)?;
        give(folder, owner)?;
        fchmod(folder, Mode::from_raw_mode(mode)).map_err(meaning("set its mode"))?;
        self.here = None;
        let path = self.whole(at.path);
        self.job.progress.add(1, 0, &path);
        Ok(Next::On)
    }

    fn other(&mut self, at: &At<'_>) -> Result<(), FileError> {
        let copied = match FileType::from_raw_mode(at.stat.st_mode) {
            FileType::RegularFile => self.one(at),
            FileType::Symlink => {
                let owner = self.owner;
                let into = self.parent(at.path)?;
                link(at.parent, at.name, into, at.name, owner)
            }
            _ => Err(FileError::NotRegular(special(at.stat.st_mode).unwrap_or("something else"))),
        };
        match copied {
            Ok(()) => {
                let path = self.whole(at.path);
                self.job.progress.add(1, 0, &path);
                Ok(())
            }
            Err(error) => self.passed(at.path, error),
        }
    }

    fn too_deep(&mut self, at: &At<'_>) -> Result<(), FileError> {
        let whole = self.whole(at.path);
        self.job.progress.skip(&whole, "It lies too deep.");
        Ok(())
    }

    fn missed(&mut self, path: &[u8], _why: Missed) -> Result<(), FileError> {
        let whole = self.whole(path);
        self.job.progress.skip(&whole, "It could not be read.");
        Ok(())
    }
}
