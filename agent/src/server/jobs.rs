//! What goes on at the engine for one server, each as a future that ends in an event. None of them touches the state.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::folder;
use super::launch::{LaunchError, Launched};
use super::typing::NotTyped;
use crate::persist::{self, PersistError, ServerFile};
use crate::protocol::Progress;
use crate::reply_cache::Reply;
use crate::runtime::{ContainerState, EngineError, Fault, Owner, Told};

/// How long the last lines of a game that ended may take to arrive.
const LAST_LINES: Duration = Duration::from_secs(5);
/// Between two looks at why a game was killed.
const SECOND_LOOK: Duration = Duration::from_millis(150);
/// Between two attempts to remove what cannot stay any more.
const REMOVE_AGAIN: Duration = Duration::from_secs(2);
/// Between two attempts that failed for the engine's absence.
const AGAIN: Duration = Duration::from_millis(500);

/// What a job ends in. The number is the run's that it belongs to: what comes too late belongs to none.
pub(super) enum Event {
    Launched(u64, Box<Result<Launched, LaunchError>>),
    Ready(u64),
    Exited(u64, Result<Exit, EngineError>),
    /// The signal, the step of a stop that it is.
    Signalled(String, u32, Result<(), EngineError>),
    /// The line that stops the game: its run, the step that it is.
    Typed(u64, u32, Result<(), NotTyped>),
    Fetched(Result<Option<String>, FetchError>),
    Looked(Look),
    Adopted(u64, Box<Result<Launched, EngineError>>),
    Saved(Box<ServerFile>, Result<(), PersistError>),
    Removed(Result<(), RemoveError>),
    /// A run's container, looked at in between.
    Glanced(u64, Option<ContainerState>),
    /// Which signals it was sent before the agent came, for the stop that is under way.
    OutputSignals(u64, Vec<String>),
    /// It was to go on after a pause.
    Resumed(u64, Reply, Result<(), EngineError>),
    /// It is done, and nothing follows from it.
    Nothing,
}

/// How a game ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit {
    pub(super) code: i64,
    /// The kernel ended something inside for want of memory. That it was the game only its code can say.
    pub(super) oom: bool,
    /// The container is gone as well.
    pub(super) removed: bool,
    /// What the engine was told to do to it; none before anybody looked.
    pub(super) told: Option<Told>,
}

/// What SIGKILL leaves.
pub(super) const KILLED: i64 = 137;

impl Exit {
    /// As the engine has it.
    pub(super) fn seen(seen: &ContainerState) -> Self {
        Self { code: seen.exit_code, oom: seen.oom_killed, removed: seen.removing, told: None }
    }
}

/// Why an image is not there.
#[derive(Debug)]
pub(super) enum FetchError {
    Cancelled,
    Failed(String),
}

/// Waits for the end of a game and finds out how it was.
pub(super) async fn exit(
    context: Arc<Context>,
    id: String,
    over: oneshot::Receiver<()>,
    ended: Arc<Notify>,
) -> Result<Exit, EngineError> {
    let code = wait(&context, &id).await?;
    ended.notify_one();
    // Either way the output is over now.
    let _ = tokio::time::timeout(LAST_LINES, over).await;
    match context.engine.inspect(&id).await? {
        None => {
            Ok(Exit { code: code.unwrap_or(KILLED), oom: false, removed: true, told: Some(Told::default()) })
        }
        Some(seen) if seen.running => {
            Err(EngineError::new(Fault::Away, "wait for the container", "it runs again"))
        }
        Some(seen) => Ok(Exit { code: code.unwrap_or(seen.exit_code), ..Exit::seen(&seen) }),
    }
}

/// Resolves with the code when the container does not run any more; without one where it is gone, or nobody heard it.
/// Waiting has a connection of its own, which may end before the game does, or be dead without a word.
async fn wait(context: &Context, id: &str) -> Result<Option<i64>, EngineError> {
    let mut pause = AGAIN / 5;
    loop {
        let (began, check) = (Instant::now(), context.tunables.console_check);
        let error = tokio::select! {
            waited = context.engine.wait(id) => match waited {
                Ok(code) => return Ok(Some(code)),
                Err(error) if error.fault == Fault::Missing => return Ok(None),
                Err(error) => Some(error),
            },
            () = still_runs(context, id, check) => None,
        };
        match context.engine.inspect(id).await {
            Ok(seen) if !seen.as_ref().is_some_and(|seen| seen.running) => return Ok(None),
            Ok(_) => tracing::debug!(container = id, "waiting for its end again"),
            Err(looked) => return Err(error.unwrap_or(looked)),
        }
        if began.elapsed() > AGAIN * 20 {
            pause = AGAIN / 5;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(AGAIN * 10);
    }
}

/// Looks now and then; resolves when the container does not run.
async fn still_runs(context: &Context, id: &str, pause: Duration) {
    loop {
        tokio::time::sleep(pause).await;
        match context.engine.inspect(id).await {
            Ok(seen) if !seen.as_ref().is_some_and(|seen| seen.running) => return,
            Ok(_) => {}
            Err(error) => context.watch.suspect(&error),
        }
    }
}

/// Why a game ended of which nobody here wanted that. The engine hears of an end for want of memory from another side
/// than of the end itself, sometimes later.
///
/// # Errors
/// The engine itself is ending, and every game with it.
pub(super) async fn why(context: Arc<Context>, id: String, mut exit: Exit) -> Result<Exit, EngineError> {
    exit.told = Some(Told::default());
    let looks = if exit.code == KILLED { 5 } else { 1 };
    for _ in 0..looks {
        if exit.oom || exit.removed {
            break;
        }
        tokio::time::sleep(SECOND_LOOK).await;
        match context.engine.inspect(&id).await {
            Ok(Some(seen)) => (exit.oom, exit.removed) = (seen.oom_killed, seen.removing),
            Ok(None) => exit.removed = true,
            Err(_) => break,
        }
    }
    if exit.removed {
        return Ok(exit);
    }
    let told = context.engine.told(&id).await.unwrap_or_else(|error| {
        tracing::debug!(%error, "who stopped a container is not known");
        Told::default()
    });
    if told.stopped {
        // An engine that ends stops every game, by the same words; it takes no calls any more.
        context.engine.probe(context.tunables.probe_deadline).await?;
    }
    exit.told = Some(told);
    Ok(exit)
}

/// Sends a signal, also to a container that stands still, which hears none.
pub(super) async fn signal(
    context: &Context,
    id: &str,
    signal: &str,
    paused: bool,
) -> Result<(), EngineError> {
    if paused {
        // Where somebody was faster it fails, and the signal says the rest.
        let _ = context.engine.unpause(id).await;
    }
    match context.engine.signal(id, signal).await {
        Err(error) if error.fault == Fault::Conflict && context.engine.unpause(id).await.is_ok() => {
            context.engine.signal(id, signal).await
        }
        sent => sent,
    }
}

/// What the engine has under the server's name.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) seen: Option<ContainerState>,
    /// Somebody had the engine stop it.
    pub(super) stopped: bool,
}

/// Looks what the engine has under the server's name, until the engine answers.
pub(super) async fn look(context: Arc<Context>, server_id: String) -> Look {
    loop {
        if !context.watch.there().await {
            // The agent ends; nobody will hear.
            std::future::pending::<()>().await;
        }
        match context.engine.inspect_server(&server_id).await {
            Ok(seen) => {
                let seen = seen.filter(|seen| seen.owner != Owner::Foreign);
                let ended = seen.as_ref().filter(|seen| !seen.running && seen.started_at.is_some());
                let stopped = match ended {
                    Some(seen) => context.engine.told(&seen.id).await.is_ok_and(|told| told.stopped),
                    None => false,
                };
                // An engine that ends stops every game, by the same words.
                let probed = match stopped {
                    true => context.engine.probe(context.tunables.probe_deadline).await.map(drop),
                    false => Ok(()),
                };
                match probed {
                    Ok(()) => return Look { seen, stopped },
                    Err(error) => context.watch.suspect(&error),
                }
            }
            Err(error) => {
                tracing::debug!(server = server_id, %error, "looking for its container");
                context.watch.suspect(&error);
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// Fetches an image where it is missing, or `anew` in any case. Goes on when the engine went away and came back.
/// Gives what is to be said about an old one that had to do.
pub(super) async fn fetch(
    context: Arc<Context>,
    image: String,
    anew: bool,
    progress: watch::Sender<Option<Progress>>,
    cancel: CancellationToken,
) -> Result<Option<String>, FetchError> {
    let engine = &context.engine;
    let work = async {
        loop {
            if !context.watch.there().await {
                std::future::pending::<()>().await;
            }
            let present = engine.has_image(&image).await;
            let pulled = match &present {
                Ok(true) if !anew => Ok(()),
                Ok(_) => engine.pull(&image, &progress).await,
                Err(error) => Err(error.clone()),
            };
            match (pulled, present) {
                (Ok(()), _) => return Ok(None),
                (Err(error), _) if error.fault == Fault::Away => {
                    context.watch.suspect(&error);
                    tokio::time::sleep(AGAIN).await;
                }
                (Err(error), Ok(true)) => return Ok(Some(error.message)),
                (Err(error), _) => return Err(FetchError::Failed(error.message)),
            }
        }
    };
    tokio::select! {
        done = work => done,
        () = cancel.cancelled() => Err(FetchError::Cancelled),
    }
}

/// Writes the server's file; for a new server also makes its folder.
pub(super) async fn save(context: Arc<Context>, file: ServerFile, fresh: bool) -> Event {
    let (dir, data_dir, stop) = (context.state_dir(), context.data_dir.clone(), context.cancel.clone());
    let kept = Box::new(file.clone());
    let done = tokio::task::spawn_blocking(move || {
        persist::save(&dir, &file)?;
        if fresh {
            // Only now: data that has moved here is found under its name for as long as nobody answers for it.
            let (id, owner) = (&file.spec.server_id, file.user.as_deref().and_then(folder::parse_pair));
            if let Err(source) = folder::prepare(&data_dir, id, owner, &stop) {
                persist::remove(&dir, id)?;
                let path = folder::of(&data_dir, id);
                return Err(PersistError { action: "make the folder", path, source });
            }
        }
        Ok(())
    })
    .await;
    let broken = |_| PersistError {
        action: "write in",
        path: context.state_dir(),
        source: std::io::Error::other("broken off"),
    };
    Event::Saved(kept, done.map_err(broken).and_then(|done| done))
}

/// Why a server was not removed. It is as it was, but for its container, which each start makes anew.
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

/// Removes the container, the folder and the server's file, in this order. That it is to be removed is noted before and
/// forgotten last: broken off anywhere, the next run of the agent goes on. What fails before the folder is gone is
/// undone, unless it was `begun` by an earlier run: then it is tried until it is done.
pub(super) async fn remove(context: Arc<Context>, server_id: String, begun: bool) -> Result<(), RemoveError> {
    let (dir, id) = (context.state_dir(), server_id.clone());
    if begun {
        tracing::info!(server = server_id, "the deletion of a server that was cut short goes on");
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
                    tracing::warn!(server = server_id, error = %kept, "a deletion could not be undone; it goes on");
                }
            }
        }
        if let RemoveError::Engine(error) = &error {
            context.watch.suspect(error);
        }
        tracing::warn!(server = server_id, %error, "a server could not be removed; it is tried again");
        tokio::time::sleep(REMOVE_AGAIN).await;
        if !context.watch.there().await {
            // The agent ends; its next run goes on.
            std::future::pending::<()>().await;
        }
    }
    // Nothing of it is left: there is no way back from here.
    loop {
        let (dir, id) = (context.state_dir(), server_id.clone());
        match on_disk(move || persist::remove(&dir, &id)).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                tracing::warn!(server = server_id, %error, "a deleted server could not be forgotten; it is tried again");
                tokio::time::sleep(REMOVE_AGAIN).await;
            }
        }
    }
}

/// The container, then the folder.
async fn empty(context: &Arc<Context>, server_id: &str) -> Result<(), RemoveError> {
    let seen = context.engine.inspect_server(server_id).await.map_err(RemoveError::Engine)?;
    if let Some(seen) = seen.filter(|seen| seen.owner != Owner::Foreign) {
        context.engine.remove(&seen.id).await.map_err(RemoveError::Engine)?;
    }
    let (data_dir, id) = (context.data_dir.clone(), server_id.to_owned());
    let gone = tokio::task::spawn_blocking(move || {
        let gone = folder::discard(&data_dir, &id, &folder::of(&data_dir, &id))?;
        std::fs::File::open(folder::servers(&data_dir))?.sync_all()?;
        Ok::<_, std::io::Error>(gone)
    });
    let gone = gone.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    if gone.map_err(RemoveError::Folder)?.is_some() {
        context.sweeper.wake();
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
