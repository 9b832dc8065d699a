//! One game server.
//!
//! Three concerns are kept apart: decisions ([`life_cycle`], which is pure and has the state diagram), actions
//! ([`launch`], [`jobs`] and [`removal`], at the engine and on the disk), and state ([`state`], split into named parts,
//! with one writer: [`task`]). The other modules are steps of that task: [`requests`] and [`settings`] take requests,
//! [`actions`] and [`stop`] start what was decided, and [`events`], [`inspection`], [`end`] and [`pause`] handle
//! events.

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
pub(crate) mod restore_test;
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
