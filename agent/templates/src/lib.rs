//! Game templates: the native form, import and export of eggs, config files, placeholders and rules of variables.
//!
//! This crate does no I/O: bytes and values in, bytes and values out. The panel uses it to import and to preview, the
//! agent to render config files and the environment.

pub mod config_files;
pub mod egg;
pub mod file_denylist;
pub mod model;
pub mod placeholders;
pub mod render;
pub mod rules;
pub mod text;
pub mod value;
