//! Disk usage of a folder.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fd::BorrowedFd;
use rustix::fs::{CWD, FileType, Mode, Stat, openat};
use tokio_util::sync::CancellationToken;

use crate::fs::{At, Bounds, FOLDER, Missed, Mounts, Next, Stopped, Visitor, walk};

/// Maximum number of files counted.
const MOST: u64 = 2_000_000;
/// Time limit of the walk.
const PATIENCE: Duration = Duration::from_secs(60);
/// Maximum number of hard-linked files tracked.
const LINKS: usize = 100_000;
/// Number of largest files and folders reported.
const LARGEST: usize = 50;

/// The disk usage of a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes used on the disk (a sparse file uses less than its length).
    pub bytes: u64,
    /// Number of files and folders.
    pub files: u64,
    /// Whether nothing was skipped because of depth, number, time or permissions.
    pub complete: bool,
}

/// A file or folder and its disk usage, including its content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Large {
    /// Bytes on the disk.
    pub(crate) bytes: u64,
    /// Path relative to the measured folder.
    pub(crate) path: Vec<u8>,
    /// Whether it is a folder.
    pub(crate) is_folder: bool,
}

/// Sums up the disk usage of a folder. A game controls its content and may change it meanwhile: symbolic links are
/// never followed, other file systems not entered, and vanished names skipped. Ends early with a partial result when
/// `stop` is cancelled. Blocks: not for an async thread.
///
/// # Errors
/// The folder itself cannot be opened.
pub fn disk_usage(path: &Path, stop: &CancellationToken) -> io::Result<Usage> {
    measure(path, stop).map(|(usage, _)| usage)
}

/// Like [`disk_usage`], and returns the largest entries, largest first.
///
/// # Errors
/// The folder itself cannot be opened.
pub(crate) fn measure(path: &Path, stop: &CancellationToken) -> io::Result<(Usage, Vec<Large>)> {
    let top = openat(CWD, path, FOLDER, Mode::empty())?;
    let stat = rustix::fs::fstat(&top)?;
    let mut counting = Counting {
        usage: Usage { complete: true, ..Usage::default() },
        device: stat.st_dev,
        seen: HashSet::new(),
        deadline: Instant::now() + PATIENCE,
        above: Vec::new(),
        largest: BinaryHeap::new(),
    };
    counting.count(&stat);
    let bounds = Bounds { mounts: Mounts::Miss, ..Bounds::FAR };
    if walk(top, bounds, stop, &mut counting).is_err() {
        counting.usage.complete = false;
    }
    let Counting { usage, largest, .. } = counting;
    let largest = largest.into_sorted_vec().into_iter().map(|Reverse(large)| large).collect();
    Ok((usage, largest))
}

/// Number of folders between it and the top.
fn depth(path: &[u8]) -> usize {
    memchr::memchr_iter(b'/', path).count()
}

struct Counting {
    usage: Usage,
    device: u64,
    seen: HashSet<u64>,
    deadline: Instant,
    /// Bytes counted before each folder on the path from the top to here.
    above: Vec<u64>,
    /// A min-heap: the smallest is removed first.
    largest: BinaryHeap<Reverse<Large>>,
}

impl Counting {
    fn elsewhere(&self, stat: &Stat) -> bool {
        stat.st_dev != self.device
    }

    fn put(&mut self, bytes: u64, path: &[u8], is_folder: bool) {
        let full = self.largest.len() >= LARGEST;
        if bytes == 0 || (full && self.largest.peek().is_some_and(|Reverse(least)| least.bytes >= bytes)) {
            return;
        }
        if full {
            self.largest.pop();
        }
        self.largest.push(Reverse(Large { bytes, path: path.to_owned(), is_folder }));
    }

    /// Counts an entry; hard-linked files only once.
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
        self.above.truncate(depth(at.path));
        self.above.push(self.usage.bytes);
        self.count(at.stat);
        self.enough().map(|()| true)
    }

    fn leave(&mut self, at: &At<'_>, _folder: BorrowedFd<'_>) -> Result<Next, Stopped> {
        // If the walk was interrupted, some folders were never left.
        self.above.truncate(depth(at.path) + 1);
        if let Some(before) = self.above.pop() {
            self.put(self.usage.bytes - before, at.path, true);
        }
        Ok(Next::On)
    }

    fn other(&mut self, at: &At<'_>) -> Result<(), Stopped> {
        if !self.elsewhere(at.stat) {
            let before = self.usage.bytes;
            self.count(at.stat);
            self.put(self.usage.bytes - before, at.path, false);
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
    fn what_takes_most_comes_first() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("world/region")).unwrap();
        for n in 1..=60 {
            fs::write(root.path().join(format!("world/region/{n}")), vec![1; n * 8192]).unwrap();
        }
        fs::write(root.path().join("log"), vec![1; 4 << 20]).unwrap();
        let (usage, largest) = measure(root.path(), &CancellationToken::new()).unwrap();
        assert_eq!((usage.files, largest.len()), (64, 50));
        let names: Vec<String> =
            largest.iter().map(|large| String::from_utf8_lossy(&large.path).into_owned()).collect();
        assert_eq!(names[..5], ["world", "world/region", "log", "world/region/60", "world/region/59"]);
        assert!(largest[0].is_folder && !largest[2].is_folder);
        assert_eq!(largest[2].bytes, allocated(&root.path().join("log")));
        assert_eq!(largest[1].bytes + allocated(&root.path().join("world")), largest[0].bytes);
        assert!(largest.is_sorted_by(|a, b| a.bytes >= b.bytes));
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
