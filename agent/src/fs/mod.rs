//! Trees of files that a game made, and may still be changing: walked, counted, removed and given away by the handles of
//! the folders, never by joined paths.

pub(crate) mod archive;
mod open;
mod remove;
mod shown;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use open::FOLDER;
pub(crate) use remove::remove;
pub use remove::remove_folder;
pub(crate) use shown::shown;
pub(crate) use walk::{At, Bounds, Missed, Mounts, Next, Stopped, Visitor, walk};
