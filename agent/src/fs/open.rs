//! Opening a folder below the handle of another.

use std::os::fd::AsRawFd;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

/// How a folder is opened: only where it is one, and never through a link.
pub(crate) const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The folder of this name, which is a single one. `Errno::XDEV` where something is mounted there and `mounts` is false.
pub(super) fn below(parent: BorrowedFd<'_>, name: &[u8], mounts: bool) -> Result<OwnedFd, Errno> {
    if !mounts {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        match openat2(parent, name, FOLDER, Mode::empty(), resolve) {
            // Older kernels, and filters of system calls that do not know it.
            Err(Errno::NOSYS | Errno::PERM) => {}
            Err(Errno::AGAIN | Errno::INTR) => {}
            done => return done,
        }
    }
    openat(parent, name, FOLDER, Mode::empty())
}

/// The folder above.
pub(super) fn above(folder: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    openat(folder, "..", FOLDER, Mode::empty())
}

/// Lets its owner into a folder whose mode keeps him out. True where that was done, so that it may be tried again.
pub(super) fn unlock(parent: BorrowedFd<'_>, name: &[u8]) -> bool {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(folder) = openat(parent, name, flags, Mode::empty()) else { return false };
    // A handle that opens nothing can only be changed by the name that the system has for it.
    let by_handle = format!("/proc/self/fd/{}", folder.as_fd().as_raw_fd());
    rustix::fs::chmod(by_handle, Mode::RWXU).is_ok()
}
