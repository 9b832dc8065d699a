//! The node agent: the game servers of one machine. The protocol by which a panel asks for them is a crate beside it.
//!
//! [`start`] runs an agent over a [`link`]. The floors, each knowing only those below it: `handlers` has what is done on
//! each message; `supervisor` has all servers; `server` is one server's task; [`runtime`] is what an engine can do, and
//! [`docker`] does it. [`remote`] carries the link to another machine, [`streams`] bulk bytes beside it, `transfers` a
//! server's data. [`console`], [`stats`], [`host`] and [`persist`] are the parts they are made of.

mod agent;
mod config;
pub mod console;
pub mod dns;
pub mod docker;
mod engine;
mod error;
mod files;
mod firewall;
mod fs;
mod game_networks;
mod handlers;
pub mod host;
pub mod hostpath;
pub mod legacy;
pub mod link;
pub mod log_counter;
pub mod metered_stream;
mod pauses;
pub mod persist;
pub mod release;
pub mod remote;
mod reply_cache;
mod reporter;
pub mod runtime;
mod server;
pub mod stats;
pub mod streams;
mod subscriptions;
mod supervisor;
mod timeouts;
mod transfers;
pub mod upgrades;

pub use agent::{Agent, start};
pub use config::{AgentConfig, RestartPolicy, Tunables};
pub use error::Error;
pub use firewall::remove_firewall_rules;
pub use fs::remove_folder;
pub use game_networks::GameNetworks;
pub use timeouts::LinkTimes;
