//! The installation of a server by its template's script, in a container of its own.
//!
//! ```text
//!  image fetched ──▶ make ──▶ container noted in the server's file ──▶ run ──▶ installed, or why not
//! ```
//!
//! The note comes before the start: an agent that ends meanwhile finds the container again and goes on with it, and where it is
//! gone says that the installation was cut off. It is never run a second time without being asked.

pub(crate) mod log;
mod make;
mod run;
mod script;
mod steps;

pub(super) use self::make::Make;
pub(super) use self::run::Run;
use super::context::Context;
use super::identity;
use crate::runtime::{EngineError, Owner};
use protocol::ServerId;

/// Why a server is not installed.
#[derive(Debug)]
pub(super) enum InstallError {
    /// Somebody cancelled it.
    Cancelled,
    /// The image of the script cannot be had.
    Fetch(String),
    /// For a person; and the script's exit code, where it had one.
    Failed(String, Option<i64>),
    /// Its container is gone, and nobody saw how it ended.
    CutOff,
    /// The engine could not do something.
    Engine(EngineError),
}

impl From<EngineError> for InstallError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

/// Removes what installations of a server left.
pub(super) async fn remove(context: &Context, server_id: &ServerId) -> Result<(), EngineError> {
    if let Some(seen) = context.engine.inspect_install(server_id).await?
        && seen.owner != Owner::Foreign
    {
        context.engine.remove(&seen.id).await?;
    }
    let (data_dir, state_dir, id) = (context.data_dir.clone(), context.state_dir(), server_id.to_owned());
    let removed = tokio::task::spawn_blocking(move || {
        log::remove(&data_dir, &id);
        identity::remove(&state_dir, &id);
        script::remove(&data_dir, &id)
    });
    if let Ok(Err(error)) = removed.await {
        tracing::warn!(server = %server_id, %error, "an install script could not be removed");
    }
    Ok(())
}
