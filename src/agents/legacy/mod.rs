//! Support for legacy agents, which know only the basic messages of the protocol. Outside this folder only the
//! connection (`remote.rs`) knows of them: it puts an [`Adapter`] between session and wire once it has recognised a
//! legacy agent.

mod adapter;
mod answers;
mod in_flight;
mod kept_lines;
mod node;
mod requests;
mod state_poll;

#[cfg(test)]
mod tests;

pub(super) use adapter::{Adapter, Shared};
pub(super) use node::{describe, is_limited};
pub(super) use state_poll::start as poll_states;
