//! How much room a folder takes.

use std::collections::HashSet;
use std::ffi::CString;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, openat, statat};

/// Folders within folders that are looked into; each open one takes a file descriptor.
const DEPTH: usize = 64;
/// Files that are counted.
const MOST: u64 = 2_000_000;
/// After this the walk ends where it is.
const PATIENCE: Duration = Duration::from_secs(60);
/// Files with several names that are told apart.
const LINKS: usize = 100_000;

/// What a folder holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that are taken on the disk (a sparse file takes less than its length).
    pub bytes: u64,
    /// Files and folders.
    pub files: u64,
    /// Nothing was left out for depth, number, time or rights.
    pub complete: bool,
}

/// Adds up what a folder and all below it take. It belongs to a game, which may do with it what it likes meanwhile:
/// symbolic links are never followed, other file systems not entered, names that vanish skipped. Blocks: not for an
/// async thread.
///
/// # Errors
/// The folder itself cannot be opened.
pub fn disk_usage(path: &Path) -> io::Result<Usage> {
    let root = openat(CWD, path, FOLDER, Mode::empty())?;
    let stat = rustix::fs::fstat(&root)?;
    let mut walk = Walk {
        usage: Usage { complete: true, ..Usage::default() },
        device: stat.st_dev as u64,
        seen: HashSet::new(),
        deadline: Instant::now() + PATIENCE,
    };
    walk.count(&stat);
    walk.folder(root);
    Ok(walk.usage)
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

struct Walk {
    usage: Usage,
    device: u64,
    seen: HashSet<u64>,
    deadline: Instant,
}

impl Walk {
    fn folder(&mut self, root: OwnedFd) {
        let Some(root) = self.open(root) else { return };
        let mut open = vec![root];
        while let Some(folder) = open.last_mut() {
            if self.usage.files >= MOST || Instant::now() > self.deadline {
                self.usage.complete = false;
                return;
            }
            let entry = match folder.read() {
                None => {
                    open.pop();
                    continue;
                }
                Some(Ok(entry)) => entry,
                Some(Err(_)) => {
                    self.usage.complete = false;
                    open.pop();
                    continue;
                }
            };
            let name: CString = entry.file_name().to_owned();
            if matches!(name.as_bytes(), b"." | b"..") {
                continue;
            }
            let below = match folder.fd() {
                Ok(fd) => self.entry(fd, &name),
                Err(_) => None,
            };
            if let Some(below) = below {
                if open.len() >= DEPTH {
                    self.usage.complete = false;
                } else if let Some(below) = self.open(below) {
                    open.push(below);
                }
            }
        }
    }

    /// Counts a name; gives the folder that it is.
    fn entry(&mut self, folder: BorrowedFd<'_>, name: &CString) -> Option<OwnedFd> {
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT).ok()?;
        if stat.st_dev as u64 != self.device || !self.count(&stat) {
            return None;
        }
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return None;
        }
        match openat(folder, name, FOLDER, Mode::empty()) {
            Ok(below) => Some(below),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR) => None,
            Err(_) => {
                self.usage.complete = false;
                None
            }
        }
    }

    /// False for one that was counted under another name.
    fn count(&mut self, stat: &Stat) -> bool {
        let folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if stat.st_nlink > 1
            && !folder
            && (self.seen.len() < LINKS || self.seen.contains(&stat.st_ino))
            && !self.seen.insert(stat.st_ino)
        {
            return false;
        }
        self.usage.files += 1;
        self.usage.bytes += u64::try_from(stat.st_blocks).unwrap_or(0) * 512;
        true
    }

    fn open(&mut self, folder: OwnedFd) -> Option<Dir> {
        let dir = Dir::new(folder).ok();
        self.usage.complete &= dir.is_some();
        dir
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    fn allocated(path: &Path) -> u64 {
        fs::symlink_metadata(path).unwrap().blocks() * 512
    }

    #[test]
    fn all_that_lies_below_once_and_as_it_lies_on_the_disk() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("world/region")).unwrap();
        fs::write(path("world/region/r.0.0"), vec![1; 300_000]).unwrap();
        fs::write(path("world/level"), vec![1; 10]).unwrap();
        fs::hard_link(path("world/level"), path("level-again")).unwrap();
        fs::File::create(path("sparse")).unwrap().set_len(1 << 40).unwrap();
        let expected: u64 = ["", "world", "world/region", "world/region/r.0.0", "world/level", "sparse"]
            .iter()
            .map(|name| allocated(&path(name)))
            .sum();
        let usage = disk_usage(root.path()).unwrap();
        assert_eq!(usage, Usage { bytes: expected, files: 6, complete: true });
        assert!(usage.bytes >= 300_000 && usage.bytes < 1 << 30, "{usage:?}");
    }

    #[test]
    fn links_lead_nowhere() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("large"), vec![1; 1 << 20]).unwrap();
        let root = tempfile::tempdir().unwrap();
        symlink(outside.path(), root.path().join("folder")).unwrap();
        symlink(outside.path().join("large"), root.path().join("file")).unwrap();
        symlink("loop", root.path().join("loop")).unwrap();
        let usage = disk_usage(root.path()).unwrap();
        assert_eq!((usage.files, usage.complete), (4, true));
        assert!(usage.bytes < 100_000, "{usage:?}");
        assert!(
            disk_usage(&root.path().join("folder")).is_err(),
            "nor does the folder itself, where it is one"
        );
    }

    #[test]
    fn a_folder_that_is_not_there_and_one_that_is_a_file() {
        let root = tempfile::tempdir().unwrap();
        assert!(disk_usage(&root.path().join("none")).is_err());
        fs::write(root.path().join("file"), "").unwrap();
        assert!(disk_usage(&root.path().join("file")).is_err());
    }

    #[test]
    fn folders_without_end_are_given_up_on() {
        let root = tempfile::tempdir().unwrap();
        let mut deep = root.path().to_owned();
        for _ in 0..DEPTH + 20 {
            deep.push("d");
        }
        fs::create_dir_all(&deep).unwrap();
        fs::write(root.path().join("beside"), "x").unwrap();
        let usage = disk_usage(root.path()).unwrap();
        assert!(!usage.complete);
        assert!((DEPTH as u64..DEPTH as u64 + 5).contains(&usage.files), "{usage:?}");
    }

    #[test]
    fn a_fifo_and_names_that_are_no_text_hold_nothing_up() {
        use std::os::unix::ffi::OsStrExt;
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"\xff\n\x1b[31m")), "x").unwrap();
        rustix::fs::mknodat(CWD, root.path().join("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert_eq!(disk_usage(root.path()).unwrap().files, 3);
    }
}
