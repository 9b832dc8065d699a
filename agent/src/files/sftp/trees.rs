//! A server's folder, as a client sees it: all that is done by a path.

use std::os::fd::AsRawFd;
use std::sync::Arc;

use bytes::Bytes;
use protocol::ServerId;
use rustix::fd::OwnedFd;
use rustix::fs::{
    Advice, AtFlags, CWD, Mode, OFlags, Timespec, Timestamps, fadvise, fstat, fstatvfs, ftruncate, mkdirat,
    openat, readlinkat, renameat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use sftp::{Attrs, NameEntry, OpenFlags, StatVfs, StatusCode};

use super::answer::Refused;
use super::attributes::attrs;
use super::folder::Folder;
use super::handles::OpenFile;
use crate::files::chmod;
use crate::files::context::{FilesContext, over_quota};
use crate::fs::{FOLDER, FileError, RelPath, Replace, RootDir, give, look, meaning, regular, rename};

/// What a new file or folder may be read and written by, where the client does not say.
const NEW_FILE: u32 = 0o644;
const NEW_FOLDER: u32 = 0o755;
/// Mode bits removed from new files and folders, as sshd's umask does: clients request 0777.
const UMASK: u32 = 0o022;
/// The unit in which room is told.
const BLOCK: u64 = 4096;

/// A server's folder.
#[derive(Debug)]
pub(super) struct Tree {
    context: Arc<FilesContext>,
    server_id: ServerId,
    root: RootDir,
    writable: bool,
    dirty: bool,
}

impl Tree {
    pub(super) fn open(
        context: Arc<FilesContext>,
        server_id: ServerId,
        writable: bool,
    ) -> Result<Self, FileError> {
        let root = context.root(&server_id)?;
        Ok(Self { context, server_id, root, writable, dirty: false })
    }

    pub(super) fn server_id(&self) -> &ServerId {
        &self.server_id
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Brings all that was written to the disk.
    pub(super) fn settle(&mut self) {
        self.dirty = false;
        let synced = self
            .root
            .folder(&RelPath::root())
            .and_then(|root| rustix::fs::syncfs(root).map_err(meaning("write it")));
        if let Err(error) = synced {
            tracing::warn!(server = %self.server_id, %error, "bringing files to the disk");
        }
    }

    /// Refuses changes in a read-only session.
    fn change(&mut self) -> Result<(), Refused> {
        if !self.writable {
            let sentence = "You may read the files of this server, but not change them.";
            return Err(Refused::new(StatusCode::PermissionDenied, sentence));
        }
        self.dirty = true;
        Ok(())
    }

    /// An error where the server's disk has no room for so much more.
    fn grow(&self, bytes: u64) -> Result<(), FileError> {
        if bytes > 0
            && let Some(free) = self.context.free(&self.server_id)
        {
            if free < bytes {
                return Err(over_quota(free));
            }
            self.context.usages.wrote(&self.server_id, bytes);
        }
        Ok(())
    }

    pub(super) fn open_file(
        &mut self,
        path: &[u8],
        flags: OpenFlags,
        attrs: Attrs,
    ) -> Result<OpenFile, Refused> {
        let path = RelPath::of_bytes(path)?;
        let writable = flags.has(OpenFlags::WRITE) || flags.has(OpenFlags::APPEND);
        let append = flags.has(OpenFlags::APPEND);
        let mut access = match (writable, flags.has(OpenFlags::READ)) {
            (false, _) => OFlags::RDONLY,
            (true, false) => OFlags::WRONLY,
            (true, true) => OFlags::RDWR,
        };
        if !writable {
            let file = self.existing(&path, access)?;
            // It is read ahead further; where that is not possible, it is not.
            let _ = fadvise(&file, 0, None, Advice::Sequential);
            return Ok(OpenFile { file, writable, append, size: 0 });
        }
        self.change()?;
        if append {
            access |= OFlags::APPEND;
        }
        if flags.has(OpenFlags::CREATE) {
            self.grow_one()?;
            match self.create(&path, access, attrs.permissions) {
                Err(FileError::Exists) if !flags.has(OpenFlags::EXCLUSIVE) => {}
                made => return Ok(OpenFile { file: made?, writable, append, size: 0 }),
            }
        }
        if flags.has(OpenFlags::TRUNCATE) {
            access |= OFlags::TRUNC;
        }
        let file = self.existing(&path, access)?;
        let stat = fstat(&file).map_err(meaning("look at it"))?;
        Ok(OpenFile { file, writable, append, size: u64::try_from(stat.st_size).unwrap_or(0) })
    }

    /// No new file where the disk's limit is used up.
    fn grow_one(&self) -> Result<(), FileError> {
        self.context.afford(&self.server_id, 1)
    }

    /// Opens a plain file that is there. What it is is looked at before it is opened for real: opening a device may do
    /// something, and a pipe's other end would notice.
    fn existing(&self, path: &RelPath, access: OFlags) -> Result<OwnedFd, FileError> {
        let found = self.root.get(path, OFlags::PATH)?;
        let stat = regular(&found)?;
        if access.intersects(OFlags::WRONLY | OFlags::RDWR)
            && stat.st_nlink > 1
            && stat.st_uid != self.root.owner()?.0
        {
            // A file with a second name could be one of the host's.
            return Err(FileError::Denied);
        }
        rustix::fs::open(by_handle(&found), access | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
            .map_err(meaning("open it"))
    }

    fn create(&self, path: &RelPath, access: OFlags, mode: Option<u32>) -> Result<OwnedFd, FileError> {
        if path.is_folder() {
            return Err(FileError::NotRegular("a folder"));
        }
        let (folder, name) = self.root.parent(path)?;
        let flags = access | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&folder, name, flags, Mode::from_raw_mode(0o600)).map_err(meaning("make it"))?;
        give(&file, self.root.owner()?)?;
        let mode = mode.unwrap_or(NEW_FILE) & 0o777 & !UMASK;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(meaning("set its mode"))?;
        Ok(file)
    }

    pub(super) fn write(&mut self, file: &mut OpenFile, offset: u64, data: &[u8]) -> Result<(), Refused> {
        if !file.writable {
            return Err(Refused::new(StatusCode::PermissionDenied, "The file is open for reading only."));
        }
        let offset = if file.append { file.size } else { offset };
        let end = offset.saturating_add(data.len() as u64);
        self.grow(end.saturating_sub(file.size))?;
        self.dirty = true;
        Ok(file.write(offset, data)?)
    }

    pub(super) fn stat(&self, path: &[u8]) -> Result<Attrs, Refused> {
        let found = self.root.get(&RelPath::of_bytes(path)?, OFlags::PATH)?;
        Ok(attrs(&fstat(&found).map_err(meaning("look at it"))?))
    }

    pub(super) fn lstat(&self, path: &[u8]) -> Result<Attrs, Refused> {
        let path = RelPath::of_bytes(path)?;
        if path.is_folder() {
            return self.stat(path.as_bytes());
        }
        let (folder, name) = self.root.parent(&path)?;
        Ok(attrs(&look(&folder, name)?))
    }

    /// Sets attributes; if a link is not followed, only its times can be set.
    pub(super) fn set(&mut self, path: &[u8], attrs: Attrs, follow: bool) -> Result<(), Refused> {
        self.change()?;
        let path = RelPath::of_bytes(path)?;
        let found = match follow {
            true => self.root.get(&path, OFlags::PATH)?,
            false => self.root.get(&path, OFlags::PATH | OFlags::NOFOLLOW)?,
        };
        if path.is_root() && attrs.permissions.is_some() {
            // The game's user has to reach its files.
            return Err(FileError::Denied.into());
        }
        if let Some(size) = attrs.size {
            let file = self.existing(&path, OFlags::WRONLY)?;
            self.resize(&file, size)?;
        }
        self.set_handle(&found, Attrs { size: None, ..attrs })
    }

    pub(super) fn set_open(&mut self, file: &mut OpenFile, attrs: Attrs) -> Result<(), Refused> {
        self.change()?;
        if let Some(size) = attrs.size {
            if !file.writable {
                return Err(Refused::new(StatusCode::PermissionDenied, "The file is open for reading only."));
            }
            self.resize(&file.file, size)?;
            file.size = size;
        }
        self.set_handle(&file.file, attrs)
    }

    fn resize(&self, file: &OwnedFd, size: u64) -> Result<(), FileError> {
        let there = u64::try_from(regular(file)?.st_size).unwrap_or(0);
        self.grow(size.saturating_sub(there))?;
        ftruncate(file, size).map_err(meaning("change its size"))
    }

    fn set_handle(&self, file: &OwnedFd, attrs: Attrs) -> Result<(), Refused> {
        let stat = fstat(file).map_err(meaning("look at it"))?;
        if attrs.owner.is_some_and(|owner| owner != (stat.st_uid, stat.st_gid)) {
            let sentence = "All files belong to the server's own user.";
            return Err(Refused::new(StatusCode::PermissionDenied, sentence));
        }
        if let Some(mode) = attrs.permissions {
            chmod::by_handle(file, mode & 0o777, self.root.owner()?.0)?;
        }
        if let Some((accessed, changed)) = attrs.times {
            if stat.st_nlink > 1 && chmod::is_file(&stat) && stat.st_uid != self.root.owner()?.0 {
                return Err(FileError::Denied.into());
            }
            let at = |seconds: u32| Timespec { tv_sec: seconds.into(), tv_nsec: 0 };
            let times = Timestamps { last_access: at(accessed), last_modification: at(changed) };
            utimensat(CWD, by_handle(file), &times, AtFlags::empty()).map_err(meaning("set its time"))?;
        }
        Ok(())
    }

    pub(super) fn open_folder(&self, path: &[u8]) -> Result<Folder, Refused> {
        Ok(Folder::new(self.root.folder(&RelPath::of_bytes(path)?)?)?)
    }

    pub(super) fn make_folder(&mut self, path: &[u8], attrs: Attrs) -> Result<(), Refused> {
        self.change()?;
        self.grow_one()?;
        let path = RelPath::of_bytes(path)?;
        let Ok((folder, name)) = self.root.parent(&path) else {
            return Err(if path.is_root() { FileError::Exists } else { FileError::NotFound }.into());
        };
        mkdirat(&folder, name, Mode::RWXU).map_err(meaning("make a folder"))?;
        let made = openat(&folder, name, FOLDER, Mode::empty()).map_err(meaning("open it"))?;
        give(&made, self.root.owner()?)?;
        let mode = attrs.permissions.unwrap_or(NEW_FOLDER) & 0o777 & !UMASK;
        rustix::fs::fchmod(&made, Mode::from_raw_mode(mode)).map_err(meaning("set its mode"))?;
        Ok(())
    }

    pub(super) fn remove_folder(&mut self, path: &[u8]) -> Result<(), Refused> {
        self.change()?;
        let path = RelPath::of_bytes(path)?;
        let (folder, name) = self.root.parent(&path)?;
        unlinkat(&folder, name, AtFlags::REMOVEDIR).map_err(|errno| match errno {
            Errno::NOTEMPTY | Errno::EXIST => Refused::new(StatusCode::Failure, "The folder is not empty."),
            Errno::NOTDIR => Refused::new(StatusCode::Failure, "That is no folder."),
            errno => meaning("remove it")(errno).into(),
        })
    }

    pub(super) fn remove(&mut self, path: &[u8]) -> Result<(), Refused> {
        self.change()?;
        let path = RelPath::of_bytes(path)?;
        let (folder, name) = self.root.parent(&path)?;
        Ok(unlinkat(&folder, name, AtFlags::empty()).map_err(meaning("remove it"))?)
    }

    /// `replace`: as the system does it, what has the new name is replaced in the same step.
    pub(super) fn rename(&mut self, from: &[u8], to: &[u8], replace: bool) -> Result<(), Refused> {
        self.change()?;
        let (from, to) = (RelPath::of_bytes(from)?, RelPath::of_bytes(to)?);
        let (folder, name) = self.root.parent(&from)?;
        let (new_folder, new_name) = self.root.parent(&to)?;
        if replace {
            return Ok(renameat(&folder, name, &new_folder, new_name).map_err(meaning("rename it"))?);
        }
        Ok(rename(&folder, name, &new_folder, new_name, Replace::Nothing)?)
    }

    pub(super) fn read_link(&self, path: &[u8]) -> Result<NameEntry, Refused> {
        let path = RelPath::of_bytes(path)?;
        let (folder, name) = self.root.parent(&path)?;
        let target = readlinkat(&folder, name, Vec::new()).map_err(|errno| match errno {
            Errno::INVAL => Refused::new(StatusCode::Failure, "That is no link."),
            errno => meaning("read the link")(errno).into(),
        })?;
        let name = Bytes::copy_from_slice(target.to_bytes());
        Ok(NameEntry { long: name.clone(), name, attrs: Attrs::default() })
    }

    /// Makes a link that leads to somewhere in the server's folder. An absolute target begins there too, and becomes one
    /// that the game understands as well.
    pub(super) fn make_link(&mut self, target: &[u8], link: &[u8]) -> Result<(), Refused> {
        self.change()?;
        self.grow_one()?;
        let link = RelPath::of_bytes(link)?;
        let (folder, name) = self.root.parent(&link)?;
        let target = link_target(target, &link)?;
        symlinkat(target.as_slice(), &folder, name).map_err(meaning("make the link"))?;
        let owner = self.root.owner()?;
        let (user, group) = (rustix::fs::Uid::from_raw(owner.0), rustix::fs::Gid::from_raw(owner.1));
        match rustix::fs::chownat(&folder, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(()) | Err(Errno::PERM) => Ok(()),
            Err(errno) => Err(meaning("give it to the game")(errno).into()),
        }
    }

    /// How much room there is: of the server's limit, where it has one.
    pub(super) fn room(&self) -> Result<StatVfs, Refused> {
        let root = self.root.folder(&RelPath::root())?;
        let disk = fstatvfs(&root).map_err(meaning("look at the disk"))?;
        let unit = disk.f_frsize.max(1);
        let blocks = |count: u64| count.saturating_mul(unit) / BLOCK;
        let (mut all, mut free) = (blocks(disk.f_blocks), blocks(disk.f_bavail));
        if let Some(left) = self.context.free(&self.server_id) {
            let used = self.context.usages.bytes(&self.server_id).unwrap_or(0);
            free = free.min(left / BLOCK);
            all = all.min((used.saturating_add(left)) / BLOCK);
        }
        Ok(StatVfs {
            block: BLOCK,
            fragment: BLOCK,
            blocks: all,
            free,
            available: free,
            files: [disk.f_files, disk.f_ffree, disk.f_favail],
            id: 0,
            flags: u64::from(!self.writable) | 2,
            name_max: disk.f_namemax,
        })
    }
}

/// Path of an open handle, for system calls that take only paths.
fn by_handle(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// What a link at this place is to say so that it leads there.
fn link_target(target: &[u8], link: &RelPath) -> Result<Vec<u8>, Refused> {
    let outside = || Refused::new(StatusCode::PermissionDenied, "A link must stay in the server's folder.");
    if target.is_empty() || target.contains(&0) {
        return Err(FileError::BadPath("is none").into());
    }
    let above = link.as_bytes().iter().filter(|byte| **byte == b'/').count();
    if let Some(absolute) = target.strip_prefix(b"/") {
        let path = RelPath::of_bytes(absolute)?;
        let mut relative = b"../".repeat(above);
        relative.extend_from_slice(if path.is_root() { b"." } else { path.as_bytes() });
        return Ok(relative);
    }
    let mut depth = above;
    for name in target.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => depth = depth.checked_sub(1).ok_or_else(outside)?,
            _ => depth += 1,
        }
    }
    Ok(target.to_vec())
}
