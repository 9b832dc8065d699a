//! Work for one server at the engine and on the disk. Each job is a future that ends in an [`Event`]; none touches the
//! server's state.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use protocol::{Progress, ServerId};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::folder;
use super::install::InstallError;
use super::launch::{LaunchError, Launched};
use super::removal::RemoveError;
use super::typing::NotTyped;
use crate::panel::reply_cache::Reply;
use crate::persist::{self, PersistError, ServerFile};
use crate::runtime::{ContainerState, EngineError, Fault, Owner, Told};

/// Time limit for the last output of an ended game to arrive.
const LAST_LINES: Duration = Duration::from_secs(5);
/// Pause between inspections that determine why a game was killed.
const INSPECT_AGAIN: Duration = Duration::from_millis(150);
/// Pause before a retry while the engine is unavailable.
const AGAIN: Duration = Duration::from_millis(500);

/// The running jobs of one server.
#[derive(Default)]
pub(super) struct Jobs {
    under_way: FuturesUnordered<BoxFuture<'static, Event>>,
    /// An inspection job is running.
    pub(super) inspecting: bool,
    /// A removal job is running.
    pub(super) removing: bool,
}

impl Jobs {
    pub(super) fn push(&self, job: impl Future<Output = Event> + Send + 'static) {
        self.under_way.push(Box::pin(job));
    }

    /// The next event; `None` if no job is running.
    pub(super) async fn next(&mut self) -> Option<Event> {
        self.under_way.next().await
    }
}

/// The result of a job. A `u64` is the number of the run it belongs to.
pub(super) enum Event {
    Launched(u64, Box<Result<Launched, LaunchError>>),
    Ready(u64),
    Exited(u64, Result<Exit, EngineError>),
    /// A signal was sent, as this step of the stop of this container.
    Signalled(String, u32, Result<(), EngineError>),
    /// The stop command was typed, as this step of a stop.
    Typed(u64, u32, Result<(), NotTyped>),
    Fetched(Result<Option<String>, FetchError>),
    /// The install container was created; `None` if there is nothing to run.
    InstallMade(Result<Option<String>, InstallError>),
    /// The installation ended.
    Installed(Result<(), InstallError>),
    Inspected(Found),
    Adopted(u64, Box<Result<Launched, EngineError>>),
    Saved(Box<ServerFile>, Result<(), PersistError>),
    Removed(Result<(), RemoveError>),
    /// A running container was inspected for being paused; `None` if that failed.
    PauseChecked(u64, Option<ContainerState>),
    /// Signals the container was sent before this agent started, for the stop in progress.
    SignalsFound(u64, Vec<String>),
    /// The container was to be resumed after a pause.
    Resumed(u64, Reply, Result<(), EngineError>),
    /// Done, with no consequences.
    Nothing,
}

impl Event {
    /// The number of the run that the event belongs to; the event is dropped if that run is over.
    pub(super) fn run(&self) -> Option<u64> {
        match self {
            Self::Launched(run, _)
            | Self::Ready(run)
            | Self::Exited(run, _)
            | Self::Typed(run, ..)
            | Self::Adopted(run, _)
            | Self::PauseChecked(run, _)
            | Self::SignalsFound(run, _) => Some(*run),
            // The request to resume is answered in any case.
            Self::Resumed(..)
            | Self::Signalled(..)
            | Self::Fetched(_)
            | Self::InstallMade(_)
            | Self::Installed(_)
            | Self::Inspected(_)
            | Self::Saved(..)
            | Self::Removed(_)
            | Self::Nothing => None,
        }
    }
}

/// How a game ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit {
    pub(super) code: i64,
    /// The kernel killed a process in the container for lack of memory; only the exit code tells whether it was the
    /// game.
    pub(super) oom: bool,
    /// The container is gone too.
    pub(super) removed: bool,
    /// Stop requests the engine got for it; `None` until that was looked up.
    pub(super) told: Option<Told>,
}

/// The exit code after SIGKILL.
pub(super) const KILLED: i64 = 137;

impl Exit {
    /// The exit as the engine reports it.
    pub(super) fn seen(seen: &ContainerState) -> Self {
        Self { code: seen.exit_code, oom: seen.oom_killed, removed: seen.removing, told: None }
    }
}

/// Why an image could not be pulled.
#[derive(Debug)]
pub(super) enum FetchError {
    Cancelled,
    Failed(String),
}

/// Waits for the end of a game and determines how it ended.
pub(super) async fn exit(
    context: Arc<Context>,
    id: String,
    over: oneshot::Receiver<()>,
    ended: Arc<Notify>,
) -> Result<Exit, EngineError> {
    let code = wait(&context, &id).await?;
    ended.notify_one();
    // The output is over now, whether or not this timed out.
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

/// Resolves with the exit code when the container stops running; with `None` if the container is gone or the code was
/// missed. Waiting has its own connection, which may end before the game does or fail silently.
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

/// Polls the container; resolves when it is not running.
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

/// Determines why a game ended that this agent did not stop. The engine learns of an out-of-memory kill separately from
/// the end itself, sometimes later.
///
/// # Errors
/// The engine itself is shutting down, and every game with it.
pub(super) async fn why(context: Arc<Context>, id: String, mut exit: Exit) -> Result<Exit, EngineError> {
    exit.told = Some(Told::default());
    let inspections = if exit.code == KILLED { 5 } else { 1 };
    for _ in 0..inspections {
        if exit.oom || exit.removed {
            break;
        }
        tokio::time::sleep(INSPECT_AGAIN).await;
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
        // An engine that shuts down stops every game in the same way; it takes no calls any more.
        context.engine.probe(context.tunables.probe_deadline).await?;
    }
    exit.told = Some(told);
    Ok(exit)
}

/// Sends a signal. A paused container is resumed first, since it would not receive the signal.
pub(super) async fn signal(
    context: &Context,
    id: &str,
    signal: &str,
    paused: bool,
) -> Result<(), EngineError> {
    if paused {
        // Fails if someone else resumed it meanwhile; the signal below reports real errors.
        let _ = context.engine.unpause(id).await;
    }
    match context.engine.signal(id, signal).await {
        Err(error) if error.fault == Fault::Conflict && context.engine.unpause(id).await.is_ok() => {
            context.engine.signal(id, signal).await
        }
        sent => sent,
    }
}

/// What the engine has under a server's name.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) seen: Option<ContainerState>,
    /// It was stopped through the engine, not by this agent.
    pub(super) stopped: bool,
}

/// Looks up what the engine has under the server's name; waits until the engine answers.
pub(super) async fn inspect(context: Arc<Context>, server_id: ServerId) -> Found {
    loop {
        if !context.watch.there().await {
            // The agent is exiting; the result is not needed.
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
                // An engine that shuts down stops every game in the same way.
                let probed = match stopped {
                    true => context.engine.probe(context.tunables.probe_deadline).await.map(drop),
                    false => Ok(()),
                };
                match probed {
                    Ok(()) => return Found { seen, stopped },
                    Err(error) => context.watch.suspect(&error),
                }
            }
            Err(error) => {
                tracing::debug!(server = %server_id, %error, "inspecting its container");
                context.watch.suspect(&error);
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// Pulls an image if it is missing, or always with `anew`. Retries while the engine is away. Returns a note to show if
/// an outdated local image is used instead.
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

/// Writes the server's file and, for a new server, creates its folder.
pub(super) async fn save(context: Arc<Context>, file: ServerFile, fresh: bool) -> Event {
    let (dir, data_dir, stop) = (context.state_dir(), context.data_dir.clone(), context.cancel.clone());
    let kept = Box::new(file.clone());
    let done = tokio::task::spawn_blocking(move || {
        persist::save(&dir, &file)?;
        if fresh {
            // Only now: transferred data keeps its temporary name until its server is on the disk.
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
