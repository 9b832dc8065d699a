//! Legacy agents know the basic messages of the protocol only. Everything for them is here, and no other file knows them but the
//! connection (`remote.rs`), which puts an [`Adapter`] between the session and the wire once it knows that it talks to one.

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
