//! The integration tests, one binary. `cargo test --test integration api::` runs a part.

mod api;
mod harness;
mod house;
