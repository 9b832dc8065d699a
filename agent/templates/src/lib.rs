//! Templates: what a game needs to know, so that nobody has to type it.
//!
//! Pure: bytes and values in, bytes and values out. The panel imports and previews with it, the agent renders with it.

pub mod config_files;
pub mod egg;
pub mod file_denylist;
pub mod model;
pub mod placeholders;
pub mod render;
pub mod rules;
pub mod text;
pub mod value;
