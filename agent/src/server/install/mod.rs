//! Installs a server with its template's script, in a separate container.
//!
//! ```text
//!  image fetched ──▶ make ──▶ container noted in the server's file ──▶ run ──▶ installed, or why not
//! ```
//!
//! The container is recorded before it is started, so an agent that restarts meanwhile finds it and continues. If the
//! container is gone, the installation is reported as interrupted. It is never run a second time without a request.

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

/// Why an installation failed.
#[derive(Debug)]
pub(super) enum InstallError {
    /// A user cancelled it.
    Cancelled,
    /// The install image is not available.
    Fetch(String),
    /// A message for users, and the script's exit code, if it had one.
    Failed(String, Option<i64>),
    /// The container is gone, and how it ended is unknown.
    CutOff,
    /// An engine call failed.
    Engine(EngineError),
}

impl From<EngineError> for InstallError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

/// Removes the container and files left by installations of a server.
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
