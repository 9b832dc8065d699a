//! Trees of files that a game made, and may still be changing: walked, counted, removed and given away by the handles of
//! the folders, never by joined paths.

pub(crate) mod archive;
mod copy;
mod error;
mod measure;
mod new_file;
mod open;
mod rel_path;
mod remove;
mod root_dir;
mod shown;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use copy::copy_content;
pub(crate) use error::{FileError, meaning};
pub(crate) use measure::measure_tree;
pub(crate) use new_file::{NewFile, Replace, is_unfinished, rename};
pub(crate) use open::FOLDER;
pub(crate) use rel_path::{RelPath, text_below};
pub use remove::remove_folder;
pub(crate) use remove::{remove, remove_at};
pub(crate) use root_dir::{RootDir, give, look, regular, special};
pub(crate) use shown::shown;
pub(crate) use walk::{At, Bounds, Missed, Mounts, Next, Stopped, Visitor, walk};
