//! Writes files atomically, and only if their content changes.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::error::ServiceError;

/// User and group id.
pub(super) type Owner = (u32, u32);
pub(super) const ROOT: Owner = (0, 0);

/// Writes a file owned by root unless it already has this content. Returns whether it was written.
pub(super) fn put(path: &Path, text: &str, mode: u32) -> Result<bool, ServiceError> {
    if has(path, text) {
        return Ok(false);
    }
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    write(path, &mut text.as_bytes(), mode, ROOT)?;
    Ok(true)
}

/// Whether a file has exactly this text.
pub(super) fn has(path: &Path, text: &str) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes == text.as_bytes())
}

/// Creates a folder that everyone may enter, and its parents.
pub(super) fn make_folder(path: &Path) -> Result<(), ServiceError> {
    let made = DirBuilder::new().recursive(true).mode(0o755).create(path);
    made.map_err(ServiceError::file("made", path))
}

/// Writes a file to a temporary path, syncs it, and renames it into place. Its mode is never wider than `mode`.
pub(super) fn write(path: &Path, from: &mut dyn Read, mode: u32, owner: Owner) -> Result<(), ServiceError> {
    let new = beside(path, ".new");
    let mut work = || {
        remove(&new)?;
        // `create_new` does not follow a link at this path.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        io::copy(from, &mut file)?;
        fchown(&file, Some(owner.0), Some(owner.1))?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        sync_folder(path)
    };
    work().map_err(|source| {
        let _ = fs::remove_file(&new);
        ServiceError::file("written", path)(source)
    })
}

/// Syncs this file's folder after a rename or removal.
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Removes a file. A missing file is fine.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// The path with `ending` appended.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/file");
        let me = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        make_folder(path.parent().unwrap()).unwrap();
        write(&path, &mut &b"one"[..], 0o640, me).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(!put(&path, "one", 0o640).unwrap());
        assert!(has(&path, "one") && !has(&path, "two") && !has(folder.path(), ""));
        // A leftover of an interrupted run, even a link to elsewhere, is replaced and not followed.
        let other = folder.path().join("other");
        fs::write(&other, "of somebody else").unwrap();
        std::os::unix::fs::symlink(&other, beside(&path, ".new")).unwrap();
        write(&path, &mut &b"two"[..], 0o600, me).unwrap();
        assert!(has(&path, "two") && has(&other, "of somebody else"));
        assert!(!beside(&path, ".new").exists());
    }
}
