//! The agents: who is connected, what they last said, and how to ask them something.
//!
//! - [`Agents`] is the registry: node → session, and the last known state of every server.
//! - [`Session`] is one connected agent: requests with deadlines over a bounded queue.
//! - `changes` counts what changed, so that live connections can ask "what is new since?".
//! - `console` and `stats` are what is followed while somebody watches.
//! - `reconcile` makes an agent's servers what the store says they should be, `differences` holds what that can't mend.
//! - [`local`] starts the agent that lives in this process, [`remote`] speaks with those on other machines.

mod changes;
mod console;
mod convert;
mod decoding;
mod differences;
mod figures;
mod frame_filter;
mod kept_lines;
mod last_seen;
mod log_limit;
mod moved;
mod pace;
mod part_one;
mod receive;
mod reconcile;
mod registry;
mod rivals;
mod session;
mod stats;
mod upgrades;
mod watching;

pub mod local;
pub mod remote;

#[cfg(test)]
pub(crate) mod tests;

pub use changes::{Changed, Changes, Seen};
pub use console::{ConsoleFeed, Lines, Next, ReaderId};
pub use convert::{behaviour_record, create_message, port_message, update_message};
pub use differences::{Difference, Kind as DifferenceKind};
pub use figures::LinkSeen;
pub use registry::{Agents, NodeSeen, ServerSeen};
pub use session::{AskError, Session};
pub use stats::{Sample, StatsFeed};
pub use watching::{ConsoleWatch, Interest, InterestGuard, StatsWatch};
