//! A server's folder on the host: creation, ownership, removal. Its content is controlled by the game and may include
//! links to anywhere, so nothing here follows a link.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, Gid, Mode, Uid, chownat, fchown, openat};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use crate::fs::{At, Bounds, FOLDER, Missed, Next, Visitor, shown, walk};

/// Free bytes below which nothing is started: a world that cannot be saved is worse than a game that is down.
const ROOM: u64 = 1 << 20;
/// Prefix of folders waiting for removal. Server ids never start with a dot.
const DELETED: &str = ".deleted-";
const INCOMING: &str = ".incoming-";
const BRINGING: &str = ".bringing-";
const FILES: &str = ".files-";
const RESTORING: &str = ".restoring-";
const TESTING: &str = ".testing-";

/// `DATA_DIR/servers`.
pub(crate) fn servers(data_dir: &Path) -> PathBuf {
    data_dir.join("servers")
}

/// `DATA_DIR/servers/ID`.
pub(crate) fn of(data_dir: &Path, id: &str) -> PathBuf {
    servers(data_dir).join(id)
}

/// A server's file data outside its folder: trash, previous versions, uploads.
pub(crate) fn files_of(data_dir: &Path, id: &str) -> PathBuf {
    servers(data_dir).join(format!("{FILES}{id}"))
}

/// Ids of servers with such data.
pub(crate) fn with_files(data_dir: &Path) -> Vec<String> {
    let id = |path: PathBuf| Some(path.file_name()?.to_str()?.strip_prefix(FILES)?.to_owned());
    named(data_dir, &[FILES]).into_iter().filter_map(id).collect()
}

/// Where the data of an incoming transfer is stored until it is complete. Server ids never start with a dot.
pub(crate) fn incoming(data_dir: &Path, id: &str) -> PathBuf {
    servers(data_dir).join(format!("{INCOMING}{id}"))
}

/// Where files copied out of a container are stored until they are complete.
pub(crate) fn bringing(data_dir: &Path, id: &str) -> PathBuf {
    servers(data_dir).join(format!("{BRINGING}{id}"))
}

/// Where files of a backup being restored are stored until they are complete.
pub(crate) fn restoring(data_dir: &Path, id: &str) -> PathBuf {
    servers(data_dir).join(format!("{RESTORING}{id}"))
}

/// Where the files of a restore test lie as long as it runs.
pub(crate) fn testing(data_dir: &Path, id: &str) -> PathBuf {
    servers(data_dir).join(format!("{TESTING}{id}"))
}

/// The servers of which there is a restore test, or was one when the agent was killed.
pub(crate) fn tests(data_dir: &Path) -> Vec<String> {
    let id = |path: PathBuf| Some(path.file_name()?.to_str()?.strip_prefix(TESTING)?.to_owned());
    named(data_dir, &[TESTING]).into_iter().filter_map(id).collect()
}

/// Where complete transferred data is stored until the server is created.
pub(crate) fn arrived(data_dir: &Path, id: &str) -> PathBuf {
    servers(data_dir).join(format!(".arrived-{id}"))
}

/// Parses a numeric `uid:gid`. `u32::MAX` is refused, since it means "leave unchanged" to the kernel.
pub(crate) fn parse_pair(pair: &str) -> Option<(u32, u32)> {
    let (uid, gid) = pair.split_once(':')?;
    let id = |text: &str| text.parse().ok().filter(|id| *id != u32::MAX);
    Some((id(uid)?, id(gid)?))
}

/// The uid and gid of this process.
pub(crate) fn own_ids() -> (u32, u32) {
    fs::metadata("/proc/self").map_or((u32::MAX, u32::MAX), |meta| (meta.uid(), meta.gid()))
}

/// Whether this process may change file owners and access a game's files. Depends on capabilities: a service may have
/// them without being root, and root in a container may lack them.
pub(crate) fn may_give() -> bool {
    use rustix::thread::{CapabilitySet, capabilities};
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| {
        let needed = CapabilitySet::CHOWN | CapabilitySet::DAC_OVERRIDE | CapabilitySet::FOWNER;
        capabilities(None).is_ok_and(|ours| ours.effective.contains(needed))
    })
}

/// Whether the disk has enough free space to start a game. One cheap system call.
pub(crate) fn has_room(data_dir: &Path) -> bool {
    let room = |path: &Path| rustix::fs::statvfs(path).ok();
    let Some(stat) = room(&servers(data_dir)).or_else(|| room(data_dir)) else { return true };
    let bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
    bytes >= ROOM && (stat.f_files == 0 || stat.f_favail > 0)
}

/// Creates the folder and changes the owner of everything in it. Returns quickly if the owner is already right.
pub(crate) fn prepare(
    data_dir: &Path,
    id: &str,
    owner: Option<(u32, u32)>,
    stop: &CancellationToken,
) -> io::Result<PathBuf> {
    let path = of(data_dir, id);
    DirBuilder::new().recursive(true).mode(0o700).create(servers(data_dir))?;
    // A transferred server has its data already.
    if fs::symlink_metadata(&path).is_err() && fs::rename(arrived(data_dir, id), &path).is_ok() {
        File::open(servers(data_dir))?.sync_all()?;
    }
    match DirBuilder::new().mode(0o755).create(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        done => done?,
    }
    let folder = openat(rustix::fs::CWD, &path, FOLDER, Mode::empty())?;
    let Some((uid, gid)) = owner else { return Ok(path) };
    let stat = rustix::fs::fstat(&folder)?;
    if (stat.st_uid, stat.st_gid) == (uid, gid) {
        return Ok(path);
    }
    if !may_give() {
        // The owner cannot be changed. The data folder is closed to others, so this opens it to the game only.
        if stat.st_uid == own_ids().0 && stat.st_uid != uid {
            File::from(folder).set_permissions(fs::Permissions::from_mode(0o777))?;
        }
        return Ok(path);
    }
    let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    // The content comes first: if this is interrupted, the owner of the folder itself still shows that it must be
    // repeated.
    walk(folder.try_clone()?, Bounds::FAR, stop, &mut Giving(uid, gid))?;
    fchown(&folder, uid, gid)?;
    Ok(path)
}

/// Takes ownership of the folder itself, not its content, so that the next [`prepare`] changes the owner of everything
/// in it.
pub(crate) fn take(path: &Path) -> io::Result<()> {
    if !may_give() {
        return Ok(());
    }
    let folder = openat(rustix::fs::CWD, path, FOLDER, Mode::empty())?;
    Ok(fchown(&folder, Some(Uid::ROOT), Some(Gid::ROOT))?)
}

/// Changes the owner of a folder's content, then of the folder. Does not follow links.
struct Giving(Option<Uid>, Option<Gid>);

impl Visitor for Giving {
    type Error = io::Error;

    fn enter(&mut self, _at: &At<'_>, _folder: BorrowedFd<'_>) -> io::Result<bool> {
        Ok(true)
    }

    fn leave(&mut self, _at: &At<'_>, folder: BorrowedFd<'_>) -> io::Result<Next> {
        fchown(folder, self.0, self.1)?;
        Ok(Next::On)
    }

    fn other(&mut self, at: &At<'_>) -> io::Result<()> {
        // A file with several hard links could be one of the host's.
        if at.stat.st_nlink > 1 {
            return Ok(());
        }
        match chownat(at.parent, at.name, self.0, self.1, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn too_deep(&mut self, at: &At<'_>) -> io::Result<()> {
        Err(io::Error::other(format!("{}: folders lie too deep", shown(at.path))))
    }

    fn missed(&mut self, path: &[u8], why: Missed) -> io::Result<()> {
        let why = match why {
            Missed::Refused(errno) => errno.into(),
            Missed::Changed | Missed::Mounted => io::Error::other("it changed meanwhile"),
        };
        Err(io::Error::new(why.kind(), format!("{}: {why}", shown(path))))
    }
}

/// Moves a server's folder aside at once; the sweeper removes it later. Returns its new path, or `None` if there was no
/// folder.
pub(crate) fn discard(data_dir: &Path, id: &str, path: &Path) -> io::Result<Option<PathBuf>> {
    for n in 0..1_000 {
        // Server ids never start with a dot.
        let gone = servers(data_dir).join(format!("{DELETED}{id}-{n}"));
        if fs::symlink_metadata(&gone).is_ok() {
            continue;
        }
        return match fs::rename(path, &gone) {
            Ok(()) => Ok(Some(gone)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
    }
    Err(io::Error::other("too many deleted folders are still there"))
}

/// Folders moved aside by [`discard`] and not removed yet.
pub(crate) fn leftovers(data_dir: &Path) -> Vec<PathBuf> {
    named(data_dir, &[DELETED])
}

/// Moves aside what unfinished transfers, imports and restores of an earlier run left behind.
pub(crate) fn discard_unfinished(data_dir: &Path) {
    for path in named(data_dir, &[INCOMING, BRINGING, RESTORING]) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let id = [INCOMING, BRINGING, RESTORING]
            .iter()
            .find_map(|beginning| name.strip_prefix(beginning))
            .unwrap_or(name);
        if let Err(error) = discard(data_dir, id, &path) {
            tracing::warn!(path = %path.display(), %error, "what an earlier run left could not be taken out of the way");
        }
    }
}

fn named(data_dir: &Path, beginnings: &[&str]) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(servers(data_dir)) else { return Vec::new() };
    let ours = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        beginnings.iter().any(|beginning| name.starts_with(beginning))
    };
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(ours).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn prepared(data_dir: &Path, owner: Option<(u32, u32)>) -> io::Result<PathBuf> {
        prepare(data_dir, "a", owner, &CancellationToken::new())
    }

    #[test]
    fn a_folder_is_made_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = prepared(dir.path(), Some(own_ids())).unwrap();
        fs::write(path.join("world"), "x").unwrap();
        assert_eq!(prepared(dir.path(), Some(own_ids())).unwrap(), path);
        assert_eq!(fs::read(path.join("world")).unwrap(), b"x");
    }

    #[test]
    fn a_link_in_place_of_the_folder_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::create_dir(servers(dir.path())).unwrap();
        symlink(outside.path(), of(dir.path(), "a")).unwrap();
        assert!(prepared(dir.path(), Some(own_ids())).is_err());
    }

    #[test]
    fn owners_change_without_following_links() {
        if !may_give() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let canary = outside.path().join("canary");
        fs::write(&canary, "x").unwrap();
        let path = prepared(dir.path(), Some((0, 0))).unwrap();
        fs::create_dir(path.join("d")).unwrap();
        fs::write(path.join("d/f"), "x").unwrap();
        symlink(&canary, path.join("d/link")).unwrap();
        symlink(outside.path(), path.join("out")).unwrap();
        fs::hard_link(&canary, path.join("second")).unwrap();
        prepared(dir.path(), Some((988, 987))).unwrap();
        let owner = |path: PathBuf| {
            let meta = fs::symlink_metadata(path).unwrap();
            (meta.uid(), meta.gid())
        };
        for name in ["", "d", "d/f", "d/link", "out"] {
            assert_eq!(owner(path.join(name)), (988, 987), "{name}");
        }
        assert_eq!(owner(canary), (0, 0));
        assert_eq!(owner(outside.path().to_owned()), (0, 0));
    }

    #[test]
    fn a_deleted_folder_goes_at_once_and_takes_nothing_else_along() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("canary"), "x").unwrap();
        let path = prepared(dir.path(), None).unwrap();
        symlink(outside.path(), path.join("out")).unwrap();
        let gone = discard(dir.path(), "a", &path).unwrap().unwrap();
        assert!(!path.exists());
        assert_eq!(leftovers(dir.path()), std::slice::from_ref(&gone));
        crate::fs::remove(&gone, &CancellationToken::new()).unwrap();
        assert!(leftovers(dir.path()).is_empty());
        assert!(outside.path().join("canary").exists());
        assert_eq!(discard(dir.path(), "a", &path).unwrap(), None);
    }
}
