//! Trees of files as archives, and back. Both ends are hostile ground: a game may have filled the folder with links to
//! anywhere, and whoever sends an archive may have put anything into it. Everything is reached by the handle of the folder that
//! it is in, no link is followed, and whatever is taken is bounded.
//!
//! [`pack`](pack()) and [`unpack()`] are a server's whole folder as a tar stream between agents, and what an engine copies out of a
//! container. [`create`] and [`stage`] are archives that people make, download and upload, in all their formats.

mod entry;
mod error;
mod format;
mod names;
mod pack;
mod read;
mod settle;
mod staging;
mod unpack;
mod watch;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use entry::{Form, Owners};
pub(crate) use error::ArchiveError;
pub(crate) use format::Format;
pub(crate) use pack::{measure, open, pack, room};
pub(crate) use read::stage;
pub(crate) use staging::{Limits, UNPACK_RESERVE};
pub(crate) use unpack::{Bounds, RESERVE, Unpacked, unpack};
pub(crate) use watch::{Outcome, Step, Watch};
pub(crate) use write::{Attributes, Entries, common, create, is_within, write};

/// Folders within folders.
const DEPTH: usize = 128;
/// Bytes of a path below the server's folder.
const PATH: usize = 4096;
