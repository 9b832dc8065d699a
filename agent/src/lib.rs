//! The node agent: the game servers of one machine. The protocol by which a panel asks for them is a crate beside it.
//!
//! [`start()`] runs an agent over a [`link`]. The floors, each knowing only those below it: `handlers` has what is done on
//! each message, `panel` what the panel is told; `supervisor` has all servers; `server` is one server's task; [`runtime`]
//! is what an engine can do, and [`docker`] does it. [`remote`] carries the link to another machine, [`streams`] bulk bytes
//! beside it, `transfers` a server's data. [`console`], [`stats`], [`host`] and [`persist`] are the parts they are made of.

pub mod backups;
mod config;
pub mod console;
pub mod dns;
pub mod docker;
mod files;
mod firewall;
mod fs;
mod handlers;
pub mod host;
pub mod legacy;
pub mod link;
mod panel;
pub mod persist;
mod players;
mod reach;
pub mod remote;
pub mod runtime;
pub mod schedules;
mod server;
mod start;
pub mod stats;
pub mod streams;
mod supervisor;
mod transfers;
pub mod upgrades;
pub mod zip;

pub use config::link_times::{DuplicateTimes, LegacyTimes, LinkTimes};
pub use config::{AgentConfig, RestartPolicy, Tunables};
pub use firewall::game_networks::GameNetworks;
pub use firewall::remove_firewall_rules;
pub use fs::remove_folder;
pub use start::error::Error;
pub use start::{Agent, start};
