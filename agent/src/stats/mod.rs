//! Resource usage of servers: turns the engine's counters into samples and stores those of the last ten minutes.

mod disk;
mod history;
mod kept;
mod meter;
mod size;
mod usages;

pub(crate) use disk::Large;
pub use disk::{Usage, disk_usage};
pub use history::History;
pub use kept::{KeptSamples, Samples};
pub use meter::{Counters, Meter};
pub(crate) use size::size;
pub(crate) use usages::Usages;
