//! What reading an archive may take.

use super::super::error::ArchiveError;

/// Memory that unpacking may take for what a format looks back at: as much as `xz -9`, `7z -mx=9` and `zstd --ultra` want, and half
/// as much again.
pub(super) const MEMORY: u64 = 130 << 20;
/// The same as a power of two, for `zstd`.
pub(super) const WINDOW_LOG: u32 = 27;
/// Bytes that are read of an archive at once.
pub(super) const READ: usize = 128 << 10;

/// The library could not read it.
pub(super) fn broken(error: impl std::fmt::Display) -> ArchiveError {
    ArchiveError::Broken(error.to_string())
}
