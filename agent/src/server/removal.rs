//! Removes a server: its container, its folder, its file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::{folder, install};
use crate::persist::{self, PersistError};
use crate::runtime::{EngineError, Owner};
use protocol::ServerId;

/// Pause before a failed removal is retried.
const REMOVE_AGAIN: Duration = Duration::from_secs(2);

/// Why a server was not removed. It is unchanged, except that its container may be gone, which each start recreates.
#[derive(Debug)]
pub(super) enum RemoveError {
    Engine(EngineError),
    File(PersistError),
    Folder(std::io::Error),
}

impl std::fmt::Display for RemoveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Engine(error) => f.write_str(&error.message),
            Self::File(error) => error.fmt(f),
            Self::Folder(error) => write!(f, "its folder: {error}"),
        }
    }
}

/// Removes the container, the folder and the server's file, in this order. The intent is recorded first and cleared
/// last, so if this is interrupted anywhere, the agent's next run continues. A failure before the folder is gone is
/// undone, unless an earlier run `begun` the removal: then it is retried until it succeeds.
pub(super) async fn remove(
    context: Arc<Context>,
    server_id: ServerId,
    begun: bool,
) -> Result<(), RemoveError> {
    let (dir, id) = (context.state_dir(), server_id.clone());
    if begun {
        tracing::info!(server = %server_id, "the deletion of a server that was cut short goes on");
        if !context.watch.there().await {
            std::future::pending::<()>().await;
        }
    } else {
        on_disk(move || persist::begin_deletion(&dir, &id)).await.map_err(RemoveError::File)?;
    }
    while let Err(error) = empty(&context, &server_id).await {
        if !begun {
            let (dir, id) = (context.state_dir(), server_id.clone());
            match on_disk(move || persist::undo_deletion(&dir, &id)).await {
                Ok(()) => return Err(error),
                Err(kept) => {
                    tracing::warn!(server = %server_id, error = %kept, "a deletion could not be undone; it goes on");
                }
            }
        }
        if let RemoveError::Engine(error) = &error {
            context.watch.suspect(error);
        }
        tracing::warn!(server = %server_id, %error, "a server could not be removed; it is tried again");
        tokio::time::sleep(REMOVE_AGAIN).await;
        if !context.watch.there().await {
            // The agent is exiting; its next run continues.
            std::future::pending::<()>().await;
        }
    }
    // The data is gone, so this cannot be undone any more.
    loop {
        let (dir, id) = (context.state_dir(), server_id.clone());
        match on_disk(move || persist::remove(&dir, &id)).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                tracing::warn!(server = %server_id, %error, "a deleted server could not be forgotten; it is tried again");
                tokio::time::sleep(REMOVE_AGAIN).await;
            }
        }
    }
}

/// Removes the container, then the folder.
async fn empty(context: &Arc<Context>, server_id: &ServerId) -> Result<(), RemoveError> {
    let seen = context.engine.inspect_server(server_id).await.map_err(RemoveError::Engine)?;
    if let Some(seen) = seen.filter(|seen| seen.owner != Owner::Foreign) {
        context.engine.remove(&seen.id).await.map_err(RemoveError::Engine)?;
    }
    install::remove(context, server_id).await.map_err(RemoveError::Engine)?;
    let (data_dir, id) = (context.data_dir.clone(), server_id.to_owned());
    let gone = tokio::task::spawn_blocking(move || {
        let gone = folder::discard(&data_dir, &id, &folder::of(&data_dir, &id))?;
        let beside = folder::discard(&data_dir, &id, &folder::files_of(&data_dir, &id))?;
        let gone = gone.or(beside);
        std::fs::File::open(folder::servers(&data_dir))?.sync_all()?;
        Ok::<_, std::io::Error>(gone)
    });
    let gone = gone.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    if gone.map_err(RemoveError::Folder)?.is_some() {
        context.shared.sweeper.wake();
    }
    Ok(())
}

async fn on_disk(
    work: impl FnOnce() -> Result<(), PersistError> + Send + 'static,
) -> Result<(), PersistError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        let source = std::io::Error::other(error);
        Err(PersistError { action: "write in", path: PathBuf::new(), source })
    })
}
