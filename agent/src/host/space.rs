//! Memory and disk: what is used of how much.

use std::path::Path;

use protocol::Space;
use rustix::fs::{StatVfsMountFlags, statvfs};

use super::sources::Sources;

/// `total - used` is what the kernel would give without swapping.
#[must_use]
pub fn memory(sources: &Sources) -> Space {
    let info = sources.proc("meminfo");
    let total = bytes(&info, "MemTotal").unwrap_or(0);
    let available = bytes(&info, "MemAvailable").or_else(|| bytes(&info, "MemFree")).unwrap_or(0);
    Space { used: total.saturating_sub(available), total }
}

/// Bytes of swap, zram included; none where that cannot be told.
#[must_use]
pub fn swap(sources: &Sources) -> Option<u64> {
    bytes(&sources.proc("meminfo"), "SwapTotal")
}

fn bytes(info: &str, key: &str) -> Option<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// `total - used` is what a game, which is not root, can still write.
pub(super) fn disk(path: &Path) -> Option<Space> {
    file_system(path).map(|fs| fs.space)
}

/// A file system as far as it can be in trouble.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileSystem {
    /// In bytes.
    pub space: Space,
    /// Names that can still be made, of how many; none where the file system does not count them.
    pub names: Option<(u64, u64)>,
    /// Nothing can be written to it.
    pub read_only: bool,
}

/// Of the folder, or where it is not made yet, of the first one above it that is there.
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
