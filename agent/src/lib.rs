//! The node agent.
pub mod console;
pub mod host;
pub mod persist;
pub mod protocol;
pub mod stats;
