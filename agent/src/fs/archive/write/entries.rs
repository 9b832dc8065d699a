//! What all formats that are written have in common.

use std::io::{self, Read};

use rustix::fs::Stat;

/// What is written of a file, a folder or a link beside its path and its content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes {
    /// Its kind and permissions, as in a `stat`.
    pub(crate) mode: u32,
    /// Whose it is.
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// When its content changed last, in seconds since the epoch.
    pub(crate) modified: i64,
}

#[allow(clippy::useless_conversion, reason = "the types differ between processors")]
impl From<&Stat> for Attributes {
    fn from(stat: &Stat) -> Self {
        Self { mode: stat.st_mode, uid: stat.st_uid, gid: stat.st_gid, modified: stat.st_mtime.into() }
    }
}

/// A format in which entries are written one after the other.
pub(crate) trait Entries {
    fn folder(&mut self, path: &[u8], about: &Attributes) -> io::Result<()>;
    fn symlink(&mut self, path: &[u8], about: &Attributes, target: &[u8]) -> io::Result<()>;
    /// `content` has so many bytes, or fewer.
    fn file(&mut self, path: &[u8], about: &Attributes, bytes: u64, content: &mut dyn Read)
    -> io::Result<()>;
}
