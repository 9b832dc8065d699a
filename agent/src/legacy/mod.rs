//! Legacy panels and agents, which know only the basic messages of the protocol.
//!
//! An interpreter stands between our agent and such a panel: the agent speaks as ever, the interpreter asks it for what
//! that panel never asks for, and says it in the words that it knows.

mod commands;
mod interpreter;
mod output;
mod plain;

#[cfg(test)]
mod tests;

pub(crate) use interpreter::Interpreter;
pub use plain::plain;
