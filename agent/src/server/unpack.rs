//! From the engine's archive of a container's folder to a folder of ours. What is in it was made by a game: nothing in
//! it may lead out, and only what a server's folder may hold is taken.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT, Uid, chownat, fchmod, fchown,
    futimens, linkat, mkdirat, openat, openat2, symlinkat,
};
use rustix::io::Errno;
use tar::{Archive, Entry, EntryType};

/// Folders within folders.
const DEPTH: usize = 128;
/// Folders, each of which is remembered to the end.
const FOLDERS: usize = 1_000_000;
/// What the disk keeps for itself.
const RESERVE: u64 = 64 << 20;
/// Bytes between two looks at the room that is left.
const LOOK_EVERY: u64 = 16 << 20;

/// What was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct UnpackedFiles {
    pub(super) bytes: u64,
    /// Pipes, sockets, devices.
    pub(super) left_out: u64,
}

struct Unpacking<'f> {
    root: &'f OwnedFd,
    owner: Option<(u32, u32)>,
    taken: UnpackedFiles,
    looked: u64,
    /// Folders get their modes and times when all is in them.
    folders: Vec<(Vec<u8>, u32, i64)>,
}

/// Unpacks into a new folder of ours. `owner` is whose everything becomes; where we are not root, it is ours.
pub(super) fn unpack(
    root: &OwnedFd,
    from: impl Read,
    owner: Option<(u32, u32)>,
) -> io::Result<UnpackedFiles> {
    let mut archive = Archive::new(from);
    let mut this = Unpacking { root, owner, taken: UnpackedFiles::default(), looked: 0, folders: Vec::new() };
    this.look_at_room()?;
    for entry in archive.entries()? {
        this.entry(&mut entry?)?;
    }
    let Unpacking { folders, taken, .. } = this;
    for (path, mode, seconds) in folders.into_iter().rev() {
        let folder = open(root, &path)?;
        finish(&folder, owner, mode, seconds)?;
    }
    rustix::fs::syncfs(root)?;
    Ok(taken)
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// `./a//b/` is `a/b`; the top is empty.
fn plain(path: &[u8]) -> io::Result<Vec<u8>> {
    let names = path.split(|byte| *byte == b'/').filter(|name| !matches!(name, [] | [b'.']));
    let names: Vec<&[u8]> = names.collect();
    if names.iter().any(|name| *name == b".." || name.contains(&0)) {
        return Err(bad("a name in it leads out"));
    }
    if names.len() > DEPTH {
        return Err(bad("its folders lie too deep"));
    }
    Ok(names.join(&b'/'))
}

fn open(root: &OwnedFd, path: &[u8]) -> io::Result<OwnedFd> {
    let path = if path.is_empty() { b"." } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat2(root, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)?)
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

fn finish(file: impl AsFd, owner: Option<(u32, u32)>, mode: u32, seconds: i64) -> io::Result<()> {
    give(fchown(file.as_fd(), uid(owner), gid(owner)))?;
    // Neither setuid nor the like.
    fchmod(file.as_fd(), Mode::from_raw_mode(mode & 0o777))?;
    let omitted = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let changed = Timespec { tv_sec: seconds, tv_nsec: 0 };
    Ok(futimens(file, &Timestamps { last_access: omitted, last_modification: changed })?)
}

fn uid(owner: Option<(u32, u32)>) -> Option<Uid> {
    owner.map(|(uid, _)| Uid::from_raw(uid))
}

fn gid(owner: Option<(u32, u32)>) -> Option<Gid> {
    owner.map(|(_, gid)| Gid::from_raw(gid))
}

/// Only root can give something away; who is not keeps it.
fn give(given: rustix::io::Result<()>) -> io::Result<()> {
    match given {
        Err(Errno::PERM) => Ok(()),
        other => Ok(other?),
    }
}

impl Unpacking<'_> {
    fn entry(&mut self, entry: &mut Entry<'_, impl Read>) -> io::Result<()> {
        let path = plain(&entry.path_bytes())?;
        let mode = entry.header().mode().unwrap_or(0o644);
        let seconds = i64::try_from(entry.header().mtime().unwrap_or(0)).unwrap_or(0);
        let kind = entry.header().entry_type();
        if self.folders.len() > FOLDERS {
            return Err(bad("it holds too many folders"));
        }
        if path.is_empty() {
            if kind == EntryType::Directory {
                self.folders.push((path, mode, seconds));
            }
            return Ok(());
        }
        let (above, name) = split(&path);
        let parent = self.parent(above)?;
        match kind {
            EntryType::Directory => {
                match mkdirat(&parent, name, Mode::RWXU) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(errno.into()),
                }
                self.folders.push((path, mode, seconds));
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut file = File::from(openat(&parent, name, flags, Mode::RUSR | Mode::WUSR)?);
                self.fill(&mut file, entry)?;
                finish(&file, self.owner, mode, seconds)?;
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().ok_or_else(|| bad("a link in it has no target"))?;
                symlinkat(&*target, &parent, name)?;
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                give(chownat(&parent, name, uid(self.owner), gid(self.owner), flags))?;
            }
            EntryType::Link => {
                let target = entry.link_name_bytes().ok_or_else(|| bad("a link in it has no target"))?;
                let target = plain(&target)?;
                let (above, first) = split(&target);
                linkat(self.parent(above)?, first, &parent, name, AtFlags::empty())?;
            }
            _ => self.taken.left_out += 1,
        }
        Ok(())
    }

    /// The folder at this path; made where no entry told of it.
    fn parent(&self, path: &[u8]) -> io::Result<OwnedFd> {
        match open(self.root, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_empty() => {
                let (above, name) = split(path);
                mkdirat(self.parent(above)?, name, Mode::from_raw_mode(0o755))?;
                open(self.root, path)
            }
            other => other,
        }
    }

    fn fill(&mut self, file: &mut File, entry: &mut Entry<'_, impl Read>) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = entry.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            file.write_all(&buffer[..read])?;
            self.taken.bytes += read as u64;
            if self.taken.bytes - self.looked >= LOOK_EVERY {
                self.look_at_room()?;
            }
        }
    }

    fn look_at_room(&mut self) -> io::Result<()> {
        self.looked = self.taken.bytes;
        let stat = rustix::fs::fstatvfs(self.root)?;
        if stat.f_bavail.saturating_mul(stat.f_frsize) < RESERVE {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use tar::{Builder, Header};

    use super::*;

    fn entry(builder: &mut Builder<Vec<u8>>, kind: EntryType, path: &str, link: &str, content: &str) {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o4755);
        header.set_mtime(1_000_000_000);
        header.set_size(content.len() as u64);
        // As somebody would who means harm: the library itself would refuse.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }

    type Made<'e> = &'e [(EntryType, &'e str, &'e str, &'e str)];

    fn take(entries: Made<'_>) -> (tempfile::TempDir, io::Result<UnpackedFiles>) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("in")).unwrap();
        fs::write(dir.path().join("canary"), "canary").unwrap();
        let mut builder = Builder::new(Vec::new());
        for (kind, path, link, content) in entries {
            entry(&mut builder, *kind, path, link, content);
        }
        let bytes = builder.into_inner().unwrap();
        let root: OwnedFd = File::open(dir.path().join("in")).unwrap().into();
        let taken = unpack(&root, &bytes[..], Some((1234, 1235)));
        assert_eq!(fs::read_to_string(dir.path().join("canary")).unwrap(), "canary");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "something came out");
        (dir, taken)
    }

    #[test]
    fn a_world_comes_whole() {
        use EntryType as E;
        let (dir, taken) = take(&[
            (E::Directory, "./", "", ""),
            (E::Directory, "./world/", "", ""),
            (E::Regular, "./world/level.dat", "", "level"),
            (E::Link, "./world/level.old", "./world/level.dat", ""),
            (E::Symlink, "./current", "world/level.dat", ""),
            (E::Regular, "deep/er/file", "", "x"),
            (E::Fifo, "./pipe", "", ""),
        ]);
        assert_eq!(taken.unwrap(), UnpackedFiles { bytes: 6, left_out: 1 });
        let at = |path: &str| dir.path().join("in").join(path);
        assert_eq!(fs::read_to_string(at("current")).unwrap(), "level");
        assert_eq!(fs::read_to_string(at("world/level.old")).unwrap(), "level");
        let meta = fs::metadata(at("world/level.dat")).unwrap();
        assert_eq!((meta.permissions().mode() & 0o7777, meta.mtime()), (0o755, 1_000_000_000));
        assert_eq!(fs::metadata(at("world")).unwrap().mtime(), 1_000_000_000);
        if super::super::folder::may_give() {
            for path in ["", "world", "world/level.dat", "current"] {
                let meta = fs::symlink_metadata(at(path)).unwrap();
                assert_eq!((meta.uid(), meta.gid()), (1234, 1235), "{path}");
            }
        }
    }

    #[test]
    fn nothing_comes_out() {
        use EntryType as E;
        let file = (E::Regular, "../canary", "", "bad");
        assert!(take(&[file]).1.is_err());
        assert!(take(&[(E::Regular, "a/../../canary", "", "bad")]).1.is_err());
        assert!(take(&[(E::Symlink, "out", "..", ""), (E::Regular, "out/canary", "", "bad")]).1.is_err());
        assert!(take(&[(E::Symlink, "out", "/tmp", ""), (E::Directory, "out/new", "", "")]).1.is_err());
        assert!(take(&[(E::Link, "mine", "../canary", "")]).1.is_err());
        assert!(take(&[(E::Symlink, "out", "..", ""), (E::Link, "mine", "out/canary", "")]).1.is_err());
        // A link in place of a file is not written through.
        assert!(take(&[(E::Symlink, "f", "../canary", ""), (E::Regular, "f", "", "bad")]).1.is_err());
        // Absolute names are below the top like all others.
        let (dir, taken) = take(&[(E::Regular, "/canary", "", "good")]);
        taken.unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("in/canary")).unwrap(), "good");
    }
}
