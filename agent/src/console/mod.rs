//! A game's console: raw bytes in, clean numbered lines out.
//!
//! Bytes go through a [`Cleaner`] into a [`Ring`]; [`Console`] is the handle shared by the container's reader and the
//! followers. Everything is bounded: lines, the ring and floods each have a limit, and dropped lines are counted.

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
