//! A game's console: raw bytes in, clean numbered lines out.
//!
//! Bytes go through a [`Cleaner`] into a [`Ring`]; [`Console`] is the handle that the reader of the container and
//! the followers share. Nothing here grows without bound: a line, the ring and a flood each have their limit, and
//! what is dropped is counted.

mod clean;
mod follow;
mod line;
mod ready;
mod resume;
mod ring;
mod shared;
mod style;

pub use clean::{Cleaner, LINE_MAX, plain};
pub use follow::{Batch, Follower};
pub use ready::{BadPattern, Ready};
pub use resume::Place;
pub use ring::Ring;
pub use shared::Console;

#[cfg(test)]
mod tests;
