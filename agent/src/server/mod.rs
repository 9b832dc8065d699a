//! One game server.
//!
//! Three things are kept apart: what is asked ([`queue`], which is pure, and holds the drawing of the life cycle),
//! what is done ([`launch`], [`jobs`], at the engine), and what is seen ([`state`], which has one writer: [`task`]).

mod attach;
mod catch_up;
mod context;
mod crash;
mod end;
mod events;
pub(crate) mod folder;
mod import_files;
mod jobs;
mod launch;
mod pause;
pub(crate) mod plan;
mod queue;
mod requests;
mod startup;
mod state;
mod stop;
mod sweep;
mod task;
mod terminal;
mod typing;
mod unpack;
mod zone;

pub(crate) use self::plan::for_everybody;
pub(crate) use self::startup::variables;
pub(crate) use context::{Context, StartStagger};
pub(crate) use state::{Request, Running, ServerRequest};
pub(crate) use sweep::Sweeper;
pub(crate) use task::{Handle, create, load, owner_of};
