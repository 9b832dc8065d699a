//! Work for one server at the engine and on the disk, each piece a future that ends in an event. None of them touches
//! the state.

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

/// How long the last lines of a game that ended may take to arrive.
const LAST_LINES: Duration = Duration::from_secs(5);
/// Between two inspections for why a game was killed.
const INSPECT_AGAIN: Duration = Duration::from_millis(150);
/// Between two attempts that failed for the engine's absence.
const AGAIN: Duration = Duration::from_millis(500);

/// The work that is under way for one server.
#[derive(Default)]
pub(super) struct Jobs {
    under_way: FuturesUnordered<BoxFuture<'static, Event>>,
    /// One of them inspects the container.
    pub(super) inspecting: bool,
    /// One of them removes the server.
    pub(super) removing: bool,
}

impl Jobs {
    pub(super) fn push(&self, job: impl Future<Output = Event> + Send + 'static) {
        self.under_way.push(Box::pin(job));
    }

    /// The next event; none where no work is under way.
    pub(super) async fn next(&mut self) -> Option<Event> {
        self.under_way.next().await
    }
}

/// What a job ends in. A number is that of the run that it belongs to.
pub(super) enum Event {
    Launched(u64, Box<Result<Launched, LaunchError>>),
    Ready(u64),
    Exited(u64, Result<Exit, EngineError>),
    /// A signal was sent, as this step of a stop.
    Signalled(String, u32, Result<(), EngineError>),
    /// The line that stops the game was typed, as this step of a stop.
    Typed(u64, u32, Result<(), NotTyped>),
    Fetched(Result<Option<String>, FetchError>),
    /// The install container is made; none where there is nothing to run.
    InstallMade(Result<Option<String>, InstallError>),
    /// The install script is over.
    Installed(Result<(), InstallError>),
    Inspected(Found),
    Adopted(u64, Box<Result<Launched, EngineError>>),
    Saved(Box<ServerFile>, Result<(), PersistError>),
    Removed(Result<(), RemoveError>),
    /// The container was inspected while it runs; none where that failed.
    PauseChecked(u64, Option<ContainerState>),
    /// Which signals it was sent before the agent came, for the stop that is under way.
    SignalsFound(u64, Vec<String>),
    /// It was to go on after a pause.
    Resumed(u64, Reply, Result<(), EngineError>),
    /// It is done, and nothing follows from it.
    Nothing,
}

impl Event {
    /// The run without which nothing follows from it.
    pub(super) fn run(&self) -> Option<u64> {
        match self {
            Self::Launched(run, _)
            | Self::Ready(run)
            | Self::Exited(run, _)
            | Self::Typed(run, ..)
            | Self::Adopted(run, _)
            | Self::PauseChecked(run, _)
            | Self::SignalsFound(run, _) => Some(*run),
            // Who asked to resume is answered in any case.
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
    /// The kernel killed something inside for lack of memory; only the exit code tells whether it was the game.
    pub(super) oom: bool,
    /// The container is gone as well.
    pub(super) removed: bool,
    /// What the engine was told to do to it; none before that was asked.
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

/// Resolves with the code when the container does not run any more; without one where the container is gone, or the code was missed.
/// Waiting has a connection of its own, which may end before the game does, or die silently.
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

/// Inspects it now and then; resolves when it does not run.
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

/// Why a game ended that nobody here stopped. The engine learns of an out-of-memory kill separately from the end itself,
/// sometimes later.
///
/// # Errors
/// The engine itself is ending, and every game with it.
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

/// Sends a signal. A paused container is resumed first, since it would not receive it.
pub(super) async fn signal(
    context: &Context,
    id: &str,
    signal: &str,
    paused: bool,
) -> Result<(), EngineError> {
    if paused {
        // It fails where somebody else was faster; the signal then shows what is true.
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
pub(super) struct Found {
    pub(super) seen: Option<ContainerState>,
    /// It was stopped by hand, through the engine.
    pub(super) stopped: bool,
}

/// Finds what the engine has under the server's name; waits until the engine answers.
pub(super) async fn inspect(context: Arc<Context>, server_id: ServerId) -> Found {
    loop {
        if !context.watch.there().await {
            // The agent ends; nobody will see the result.
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
            // Only now: data that was transferred here keeps its temporary name until its server is on the disk.
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
