//! Whose the restored files are: the data folder's owner's, also where root restores.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::Path;

/// User and group of a file or folder.
pub(super) fn of(path: &Path) -> io::Result<(u32, u32)> {
    let found = fs::metadata(path)?;
    Ok((found.uid(), found.gid()))
}

/// Gives a file or folder to the owner of `like`, and closes it to everybody else.
pub(super) fn give(path: &Path, like: &Path) -> io::Result<()> {
    let (uid, gid) = of(like)?;
    let found = fs::symlink_metadata(path)?;
    if (found.uid(), found.gid()) != (uid, gid) {
        lchown(path, Some(uid), Some(gid))?;
    }
    let mode = if found.is_dir() { 0o700 } else { 0o600 };
    fs::set_permissions(path, Permissions::from_mode(mode))
}
