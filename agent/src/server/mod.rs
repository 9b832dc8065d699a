//! One game server.
//!
//! Three things are kept apart: what is decided ([`life_cycle`], which is pure, and has the drawing), what is done
//! ([`launch`], [`jobs`], [`removal`], at the engine and on the disk), and what is known ([`state`], in parts with names,
//! which has one writer: [`task`]). The other files are steps of that task: [`requests`] and [`settings`] take what is
//! asked, [`actions`] and [`stop`] begin what was decided, [`events`], [`inspection`], [`end`] and [`pause`] take what
//! happened.

mod actions;
mod catch_up;
mod configure;
mod context;
mod disk_limit;
mod end;
mod engine_log;
mod events;
pub(crate) mod folder;
mod identity;
mod import_files;
mod inspection;
mod install;
mod jobs;
mod launch;
mod life_cycle;
mod output;
mod pause;
pub(crate) mod plan;
mod record;
mod removal;
mod requests;
mod rest;
mod run;
mod schedule;
mod settings;
mod shown;
mod startup;
mod state;
mod stop;
mod stop_steps;
mod sweep;
mod task;
mod template;
mod terminal;
mod typing;
mod zone;

pub(crate) use self::plan::for_everybody;
pub(crate) use self::startup::variables;
pub(crate) use context::{Context, Shared};
pub(crate) use install::log as install_log;
pub(crate) use life_cycle::Request;
pub(crate) use shown::Running;
pub(crate) use state::Server;
pub(crate) use task::{Handle, create, load, owner_of};
