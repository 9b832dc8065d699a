//! What all formats that are written have in common.

use std::io;

use rustix::fs::Stat;

use super::content::Content;

/// A format in which entries are written one after the other.
pub(super) trait Entries {
    fn folder(&mut self, path: &[u8], stat: &Stat) -> io::Result<()>;
    fn symlink(&mut self, path: &[u8], stat: &Stat, target: &[u8]) -> io::Result<()>;
    /// `content` has as many bytes as it says, or fewer.
    fn file(&mut self, path: &[u8], stat: &Stat, content: &mut Content<'_, '_>) -> io::Result<()>;
}
