//! Ctrl-Alt-Play: a game-server panel, its database and its node agent in one binary.
//!
//! In reading order: [`run`] starts everything, [`router`] lists every endpoint, the features follow, then what they stand
//! on.

pub mod router;

pub mod docs;
pub mod doctor;
pub mod health;
pub mod live;
pub mod moves;
pub mod nodes;
pub mod servers;
pub mod setup;
pub mod status;
pub mod templates;
pub mod transfers;
pub mod upgrades;
pub mod users;

pub mod agents;
pub mod app;
pub mod auth;
pub mod http;

pub mod admin;
pub mod cli;
pub mod clock;
pub mod config;
pub mod copies;
pub mod error;
pub mod ids;
pub mod logging;
pub mod mdns;
pub mod rate_limit;
pub mod secrets;
pub mod service;
pub mod shutdown;
pub mod tls;
pub mod trial;

mod join;
mod start;

pub use join::{Node, NodeError, run_node};
pub use start::{Running, StartError, raise_file_limit, run};
