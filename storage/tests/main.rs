//! The store as the panel uses it: on real files, from several processes, killed, on a full disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests are tests too")]

mod common;
mod concurrency;
mod full_disk;
mod killed;
mod processes;
mod schema_files;
