//! Storage back ends for a repository's files: one trait, and one implementation per kind of target. Error messages
//! never contain secrets.

mod files;
mod folder;
mod http;
mod library;
mod open;
mod rest;
mod s3;
mod sftp;
mod sftp_session;
mod sigv4;

pub(super) use self::files::{Kind, Store};
#[cfg(test)]
pub(super) use self::folder::FolderStore;
pub(super) use self::library::LibraryStore;
pub(super) use self::open::{Node, Opened, open};
