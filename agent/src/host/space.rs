//! Memory and disk usage.

use std::path::Path;

use protocol::Space;
use rustix::fs::{StatVfsMountFlags, statvfs};

use super::sources::Sources;

/// Memory usage; `total - used` is what the kernel can provide without swapping.
#[must_use]
pub fn memory(sources: &Sources) -> Space {
    let info = sources.proc("meminfo");
    let total = bytes(&info, "MemTotal").unwrap_or(0);
    let available = bytes(&info, "MemAvailable").or_else(|| bytes(&info, "MemFree")).unwrap_or(0);
    Space { used: total.saturating_sub(available), total }
}

/// Bytes of swap, including zram; `None` if that cannot be determined.
#[must_use]
pub fn swap(sources: &Sources) -> Option<u64> {
    bytes(&sources.proc("meminfo"), "SwapTotal")
}

fn bytes(info: &str, key: &str) -> Option<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Disk usage; `total - used` is what a game, which is not root, can still write.
pub(super) fn disk(path: &Path) -> Option<Space> {
    file_system(path).map(|fs| fs.space)
}

/// The state of a file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileSystem {
    /// Usage in bytes.
    pub space: Space,
    /// Free and total inodes; `None` if the file system does not count them.
    pub names: Option<(u64, u64)>,
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// The file system of the folder or, if that does not exist yet, of its first existing parent.
#[must_use]
pub fn file_system(path: &Path) -> Option<FileSystem> {
    let stat = path.ancestors().find_map(|path| statvfs(path).ok())?;
    let total = stat.f_blocks.saturating_mul(stat.f_frsize);
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    Some(FileSystem {
        space: Space { used: total.saturating_sub(free), total },
        names: (stat.f_files > 0).then_some((stat.f_favail, stat.f_files)),
        read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
    })
}
