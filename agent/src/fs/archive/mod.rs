//! A server's folder as a tar stream, and back. Both ends are hostile ground: a game may have filled the folder with links to
//! anywhere, and whoever sends a stream may have put anything into it. Everything is reached by the handle of the folder that
//! it is in, no link is followed, and whatever is taken is bounded.

mod entry;
mod error;
mod pack;
mod unpack;

#[cfg(test)]
mod tests;

pub(crate) use entry::{Form, Owners};
pub(crate) use error::ArchiveError;
pub(crate) use pack::{measure, open, pack, room};
pub(crate) use unpack::{Bounds, RESERVE, Unpacked, unpack};

/// Folders within folders.
const DEPTH: usize = 128;
/// Bytes of a path below the server's folder.
const PATH: usize = 4096;
