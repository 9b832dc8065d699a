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
mod duplicate_nodes;
mod frame_filter;
mod inbound;
mod inbound_rate;
mod kept_lines;
mod last_seen;
mod legacy;
mod link_stats;
mod log_limit;
mod node_snapshot;
mod reconcile;
mod registry;
mod session;
mod stats;
mod subscriptions;
mod transferred;
mod upgrades;

pub mod local;
pub mod remote;

#[cfg(test)]
pub(crate) mod tests;

pub use changes::{Changed, Changes, ChangesSince};
pub use console::{ConsoleFeed, Lines, Next, ReaderId};
pub use convert::{behaviour_record, create_message, port_message, update_message};
pub use differences::{Difference, Kind as DifferenceKind};
pub use link_stats::LinkSnapshot;
pub use registry::{Agents, NodeSnapshot, ServerSnapshot};
pub use session::{RequestError, Session};
pub use stats::{Sample, StatsFeed};
pub use subscriptions::{AgentTopic, ConsoleWatch, StatsWatch, TopicGuard};
