//! Ctrl-Alt-Play: a game-server panel, its database and its node agent in one binary.
//!
//! Suggested reading order: [`run`] starts everything, [`router`] lists every endpoint, then the features, then the
//! modules that they use.

pub mod players;
pub mod reach;
pub mod registries;
pub mod router;
pub mod shares;

pub mod backups;
pub mod docs;
pub mod doctor;
pub mod files;
pub mod live;
pub mod nodes;
pub mod schedules;
pub mod servers;
pub mod setup;
pub mod status;
pub mod streams;
pub mod templates;
pub mod transfers;
pub mod upgrades;
pub mod users;

pub mod agents;
pub mod app;
pub mod auth;
pub mod http;

pub mod cli;
pub mod config;
pub mod db_backups;
pub mod error;
pub mod net;
pub mod revision;
pub mod sftp;
pub mod sources;
pub mod ssh_keys;
pub mod start;
pub mod system;

pub use start::agent_mode::{Node, NodeError, run_node};
pub use start::{Running, StartError, raise_file_limit, run};
