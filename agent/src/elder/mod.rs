//! Other makes of panels and agents, which know the first part of the protocol only.

mod plain;

pub use plain::plain;
