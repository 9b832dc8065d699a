//! The integration tests, one binary. `cargo test --test integration api::` runs a part.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

mod api;
mod architecture;
mod crash;
mod docker;
mod faults;
mod harness;
mod install;
mod release;
mod service;
