//! A game's console: raw bytes in, clean numbered lines out.
//!
//! Bytes go through a [`Cleaner`] into a [`Ring`]; [`Console`] is the handle that the reader of the container and
//! the followers share. Nothing here grows without bound: a line, the ring and a flood each have their limit, and
//! what is dropped is counted.

mod clean;
mod engine_log;
mod follow;
mod line;
mod line_hash;
mod ready;
mod resume;
mod ring;
mod shared;
mod style;
mod trail;

pub use clean::{Cleaner, plain};
pub use engine_log::{EngineLog, LogLine, WHOLE};
pub use follow::{Batch, Follower};
pub use line::LINE_MAX;
pub use ready::{BadPattern, Ready, ReadyWatch};
pub use resume::ConsoleMark;
pub use ring::Ring;
pub use shared::Console;
pub use trail::{Trail, TrailMatch};

#[cfg(test)]
mod tests;
