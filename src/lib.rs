//! Ctrl-Alt-Play: a game-server panel, its database and its node agent in one binary.
//!
//! In reading order: [`router`] lists every endpoint, the features follow, then what they stand on.

pub mod router;

pub mod app;
pub mod auth;
pub mod http;

pub mod clock;
pub mod config;
pub mod error;
pub mod ids;
pub mod shutdown;
