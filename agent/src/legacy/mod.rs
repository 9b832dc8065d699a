//! Legacy panels and agents, which know only the basic messages of the protocol.
//!
//! An interpreter between our agent and such a panel requests from the agent what the panel does not know to ask for,
//! and translates it into messages that the panel knows.

mod commands;
mod interpreter;
mod output;
mod plain;

#[cfg(test)]
mod tests;

pub(crate) use interpreter::Interpreter;
pub use plain::plain;
