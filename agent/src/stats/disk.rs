//! How much room a folder takes.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fd::BorrowedFd;
use rustix::fs::{CWD, FileType, Mode, Stat, openat};
use tokio_util::sync::CancellationToken;

use crate::fs::{At, Bounds, FOLDER, Missed, Mounts, Next, Stopped, Visitor, walk};

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
/// symbolic links are never followed, other file systems not entered, names that vanish skipped. Ends early, with what
/// it has, when `stop` is cancelled. Blocks: not for an async thread.
///
/// # Errors
/// The folder itself cannot be opened.
pub fn disk_usage(path: &Path, stop: &CancellationToken) -> io::Result<Usage> {
    let top = openat(CWD, path, FOLDER, Mode::empty())?;
    let stat = rustix::fs::fstat(&top)?;
    let mut counting = Counting {
        usage: Usage { complete: true, ..Usage::default() },
        device: stat.st_dev,
        seen: HashSet::new(),
        deadline: Instant::now() + PATIENCE,
    };
    counting.count(&stat);
    let bounds = Bounds { mounts: Mounts::Miss, ..Bounds::FAR };
    if walk(top, bounds, stop, &mut counting).is_err() {
        counting.usage.complete = false;
    }
    Ok(counting.usage)
}

struct Counting {
    usage: Usage,
    device: u64,
    seen: HashSet<u64>,
    deadline: Instant,
}

impl Counting {
    fn elsewhere(&self, stat: &Stat) -> bool {
        stat.st_dev != self.device
    }

    /// Once, also what has several names.
    fn count(&mut self, stat: &Stat) {
        let folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if stat.st_nlink > 1
            && !folder
            && (self.seen.len() < LINKS || self.seen.contains(&stat.st_ino))
            && !self.seen.insert(stat.st_ino)
        {
            return;
        }
        self.usage.files += 1;
        self.usage.bytes += u64::try_from(stat.st_blocks).unwrap_or(0) * 512;
    }

    fn enough(&self) -> Result<(), Stopped> {
        let enough = self.usage.files >= MOST || Instant::now() > self.deadline;
        if enough { Err(Stopped) } else { Ok(()) }
    }
}

impl Visitor for Counting {
    type Error = Stopped;

    fn enter(&mut self, at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<bool, Stopped> {
        if self.elsewhere(at.stat) {
            return Ok(false);
        }
        self.count(at.stat);
        self.enough().map(|()| true)
    }

    fn leave(&mut self, _at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<Next, Stopped> {
        Ok(Next::On)
    }

    fn other(&mut self, at: &At<'_>) -> Result<(), Stopped> {
        if !self.elsewhere(at.stat) {
            self.count(at.stat);
        }
        self.enough()
    }

    fn too_deep(&mut self, _at: &At<'_>) -> Result<(), Stopped> {
        self.usage.complete = false;
        Ok(())
    }

    fn missed(&mut self, _path: &[u8], why: Missed) -> Result<(), Stopped> {
        self.usage.complete &= why == Missed::Mounted;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    fn count(path: &Path) -> io::Result<Usage> {
        disk_usage(path, &CancellationToken::new())
    }

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
        let usage = count(root.path()).unwrap();
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
        let usage = count(root.path()).unwrap();
        assert_eq!((usage.files, usage.complete), (4, true));
        assert!(usage.bytes < 100_000, "{usage:?}");
        assert!(count(&root.path().join("folder")).is_err(), "nor does the folder itself, where it is one");
    }

    #[test]
    fn a_folder_that_is_not_there_and_one_that_is_a_file() {
        let root = tempfile::tempdir().unwrap();
        assert!(count(&root.path().join("none")).is_err());
        fs::write(root.path().join("file"), "").unwrap();
        assert!(count(&root.path().join("file")).is_err());
    }

    #[test]
    fn what_is_no_longer_wanted_ends() {
        let root = tempfile::tempdir().unwrap();
        for n in 0..500 {
            fs::write(root.path().join(n.to_string()), "x").unwrap();
        }
        let stop = CancellationToken::new();
        stop.cancel();
        let usage = disk_usage(root.path(), &stop).unwrap();
        assert!(!usage.complete && usage.files < 200, "{usage:?}");
    }

    #[test]
    fn a_fifo_and_names_that_are_no_text_hold_nothing_up() {
        use std::os::unix::ffi::OsStrExt;
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"\xff\n\x1b[31m")), "x").unwrap();
        rustix::fs::mknodat(CWD, root.path().join("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert_eq!(count(root.path()).unwrap().files, 3);
    }
}
