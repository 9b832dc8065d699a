//! Makes the service's user the owner of the data folder. The contents of games' folders belong to the games and are
//! not changed.

use std::ffi::CStr;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::Path;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, chownat, openat, statat};
use rustix::process::{Gid, Uid};

use super::error::ServiceError;
use super::put::{Owner, make_folder};

/// Deepest level of folders that is visited. The panel's own files are two levels deep.
const DEEPEST: usize = 32;
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Creates the folder for this user only, if it does not exist.
pub(super) fn make(data_dir: &Path, owner: Owner) -> Result<(), ServiceError> {
    if data_dir.is_dir() {
        return Ok(());
    }
    if let Some(above) = data_dir.parent() {
        make_folder(above)?;
    }
    let made = DirBuilder::new().mode(0o700).create(data_dir);
    made.and_then(|()| chown(data_dir, Some(owner.0), Some(owner.1)))
        .map_err(ServiceError::file("made", data_dir))
}

/// Whether something in it belongs to another user; true if the user does not exist yet.
pub(super) fn has_others(data_dir: &Path, user: Option<Owner>) -> bool {
    let Some(user) = user else { return true };
    // Unreadable folders count as another user's.
    each(data_dir, user, &mut |_, _| Err(io::ErrorKind::Interrupted.into())).is_err()
}

/// Changes the owner of everything that does not belong to this user.
pub(super) fn give(data_dir: &Path, user: Owner) -> Result<(), ServiceError> {
    let (uid, gid) = (Uid::from_raw(user.0), Gid::from_raw(user.1));
    each(data_dir, user, &mut |folder, name| {
        Ok(chownat(folder, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
    })
    .map_err(ServiceError::file("given to the service's user", data_dir))
}

type Found<'f> = &'f mut dyn FnMut(BorrowedFd<'_>, &CStr) -> io::Result<()>;

/// Calls `found` for everything that does not belong to `owner`; the folder itself last, so that an interrupted run is
/// repeated.
fn each(data_dir: &Path, owner: Owner, found: Found<'_>) -> io::Result<()> {
    let top = match openat(CWD, data_dir, FOLDER, Mode::empty()) {
        Ok(top) => top,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::ACCESS) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    inside(&top, owner, Place::Top, 0, found)?;
    if rustix::fs::fstat(&top)?.st_uid != owner.0 {
        found(top.as_fd(), c".")?;
    }
    Ok(())
}

/// Position in the data folder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    /// `servers`. Its visible folders belong to the games and are skipped; of hidden ones only the owner is changed,
    /// not what is in them.
    Servers,
    Other,
}

fn inside(folder: &OwnedFd, owner: Owner, place: Place, depth: usize, found: Found<'_>) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let hidden = name.to_bytes().starts_with(b".");
        let skipped = match place {
            // The guard takes care of it.
            Place::Top => name == c"upgrade",
            Place::Servers => !hidden,
            Place::Other => false,
        };
        if skipped || matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let stat = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(rustix::io::Errno::NOENT) => continue,
            Err(errno) => return Err(errno.into()),
        };
        let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if is_folder && place != Place::Servers && depth < DEEPEST {
            let below = if place == Place::Top && name == c"servers" { Place::Servers } else { Place::Other };
            // Does not follow a link that has been put there in the meantime.
            let opened = openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty());
            match opened {
                Ok(opened) => inside(&opened, owner, below, depth + 1, found)?,
                Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::ACCESS) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        if stat.st_uid != owner.0 {
            found(folder.as_fd(), name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_the_games_files_and_the_guards_folder() {
        let folder = tempfile::tempdir().unwrap();
        for path in
            ["secrets/jwt", "panel.redb", "servers/abc/level", "servers/.arrived-x/y", "upgrade/staged"]
        {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink("/etc", folder.path().join("link")).unwrap();
        let me = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        assert!(!has_others(folder.path(), Some(me)) && has_others(folder.path(), None));
        let mut names = Vec::new();
        let other = (me.0 + 1, me.1);
        each(folder.path(), other, &mut |_, name| {
            names.push(name.to_string_lossy().into_owned());
            Ok(())
        })
        .unwrap();
        assert_eq!(names.pop().as_deref(), Some("."), "the folder itself is the last");
        names.sort();
        assert_eq!(names, [".arrived-x", "jwt", "link", "panel.redb", "secrets", "servers"]);
        assert!(has_others(folder.path(), Some(other)));
        assert!(!has_others(&folder.path().join("nowhere"), Some(me)));
    }
}
