//! Starts a game from a copy of its files to see whether it comes up: in a separate container without network and ports, with the
//! server's image, startup line and limits. Container and folder are removed afterwards, also if the agent was killed in
//! between: the folder is kept until its container is gone.

use std::sync::Arc;
use std::time::Duration;

use protocol::{BackupProof, ConsoleItem, ContainerUser, ErrorCode, ServerCreate, ServerId, TEST_LINES};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::launch::{default_user, ready_watch};
use super::{configure, folder, identity, plan, template, zone};
use crate::console::Console;
use crate::host::free_memory;
use crate::runtime::{Attached, Container, EngineError, Fault, Owner};

/// How long a game may take to its ready line.
const READY: Duration = Duration::from_secs(900);
/// How long one without a ready line has to run.
const SETTLED: Duration = Duration::from_secs(30);
/// Memory that is left to everything else, and what a game without a limit is taken to need.
const RESERVE: u64 = 128 << 20;
const USUAL: u64 = 1 << 30;
/// How long the output may take to end when the game has.
const REST: Duration = Duration::from_secs(5);
/// Between two attempts to remove a container.
const AGAIN: Duration = Duration::from_secs(5);

/// Why nothing could be seen.
type Failed = (ErrorCode, String);

/// How a game began.
enum Ended {
    Ready,
    Exited(i64),
    Silent,
    Ran,
    Cancelled,
}

/// Whether there is memory for one more game of this size.
pub(crate) fn has_memory(spec: &ServerCreate) -> Result<(), Failed> {
    let needed = u64::try_from(spec.limits.memory).ok().filter(|memory| *memory > 0).unwrap_or(USUAL);
    let Some(free) = free_memory() else { return Ok(()) };
    if free >= needed.saturating_add(RESERVE) {
        return Ok(());
    }
    let mib = |bytes: u64| bytes >> 20;
    let sentence = format!(
        "The node has not enough free memory to start the game a second time: {} MiB are free, {} MiB are needed. Stop a server, or test it later.",
        mib(free),
        mib(needed + RESERVE)
    );
    Err((ErrorCode::Conflict, sentence))
}

/// Starts the game from the folder of its restore test; `None` if cancelled.
pub(crate) async fn run(
    context: &Arc<Context>,
    spec: &ServerCreate,
    cancel: &CancellationToken,
) -> Result<Option<BackupProof>, Failed> {
    let console = Console::default();
    let done = begin(context, spec, &console, cancel).await;
    remove_container(context, &spec.server_id).await;
    let (lines, partial) = console.tail(TEST_LINES);
    let text = |item: ConsoleItem| match item {
        ConsoleItem::Line(line) => Some(line.text),
        ConsoleItem::Skipped { .. } => None,
    };
    let mut lines: Vec<String> = lines.into_iter().filter_map(text).collect();
    lines.extend(partial.map(|partial| partial.text).filter(|text| !text.is_empty()));
    let seconds = |time: Duration| time.as_secs();
    let (ok, reason) = match done {
        Ok(Ended::Cancelled) => return Ok(None),
        Ok(Ended::Ready) => (true, "The game started from it and was ready for players.".to_owned()),
        Ok(Ended::Ran) => {
            let sentence = format!("The game started from it and ran for {} s.", seconds(SETTLED));
            (true, sentence)
        }
        Ok(Ended::Exited(code)) => {
            (false, format!("The game ended with exit code {code} before it was ready."))
        }
        Ok(Ended::Silent) => {
            (false, format!("The game did not say within {} minutes that it is ready.", seconds(READY) / 60))
        }
        Err(error) if error.fault == Fault::DiskFull => {
            return Err((ErrorCode::DiskFull, format!("The restore test could not be run: {error}.")));
        }
        Err(error) => {
            return Err((ErrorCode::AgentFailed, format!("The restore test could not be run: {error}.")));
        }
    };
    Ok(Some(BackupProof { ok, reason, lines }))
}

async fn begin(
    context: &Arc<Context>,
    spec: &ServerCreate,
    console: &Console,
    cancel: &CancellationToken,
) -> Result<Ended, EngineError> {
    let engine = &context.engine;
    let path = folder::testing(&context.data_dir, &spec.server_id);
    configure::set_all(
        spec.clone(),
        path,
        (context.timezone.clone(), engine.gateway(spec.block_lan)),
        console.clone(),
        cancel.clone(),
    )
    .await;
    let container = container(context, spec).await;
    remove_container(context, &spec.server_id).await;
    let made = match engine.create_test(&container).await {
        Err(error) if error.fault == Fault::Missing => {
            let (progress, _) = tokio::sync::watch::channel(None);
            tokio::select! {
                () = cancel.cancelled() => return Ok(Ended::Cancelled),
                pulled = engine.pull(&spec.image, &progress) => pulled?,
            }
            engine.create_test(&container).await?
        }
        made => made?,
    };
    let attached = engine.attach(&made.id, true).await?;
    engine.start(&made.id).await?;
    tokio::select! {
        () = cancel.cancelled() => Ok(Ended::Cancelled),
        ended = watch(context, spec, &made.id, attached, console) => ended,
    }
}

/// The server's own container, without its ports and its network.
async fn container(context: &Arc<Context>, spec: &ServerCreate) -> Container {
    let behaviour = spec.behaviour.clone().unwrap_or_default();
    let run_as = match &behaviour.user {
        ContainerUser::Agent => Some(default_user()),
        ContainerUser::Fixed(pair) => Some(pair.clone()),
        ContainerUser::Image => None,
    };
    let path = folder::testing(&context.data_dir, &spec.server_id);
    let mut container = plan::container(spec, run_as, &path, &context.timezone);
    container.ports.clear();
    container.resources.io_weight = None;
    let zone = container.process.environment.get("TZ").or_else(|| container.process.defaults.get("TZ"));
    if let Some(name) = zone.cloned() {
        let (dir, own) = (context.state_dir(), context.timezone.clone());
        let zone = tokio::task::spawn_blocking(move || zone::of(&dir, &name, &own));
        container.files.extend(zone.await.ok().flatten());
    }
    if let Some(user) = container.process.user.clone().filter(|_| template::is_egg(spec)) {
        let (dir, id, home) = (context.state_dir(), spec.server_id.clone(), container.data_path.clone());
        let identity = tokio::task::spawn_blocking(move || identity::files(&dir, &id, &user, &home));
        container.files.extend(identity.await.ok().and_then(Result::ok).unwrap_or_default());
    }
    container
}

/// Until the game is ready, has ended or has had its time.
async fn watch(
    context: &Context,
    spec: &ServerCreate,
    id: &str,
    attached: Attached,
    console: &Console,
) -> Result<Ended, EngineError> {
    let mut ready = ready_watch(spec);
    let end = Instant::now() + if ready.is_some() { READY } else { SETTLED };
    let Attached { mut output, input } = attached;
    let mut exit = context.engine.wait(id);
    let mut buffer = vec![0; 16 * 1024];
    let ended = loop {
        // A prompt without an end of its line counts after a moment.
        let due = ready.as_ref().and_then(crate::console::ReadyWatch::due).unwrap_or(end).min(end);
        tokio::select! {
            read = output.read(&mut buffer) => match read {
                Ok(read @ 1..) => {
                    console.feed(&buffer[..read], |_| {});
                    if ready.as_mut().is_some_and(|ready| ready.feed(&buffer[..read])) {
                        break Ended::Ready;
                    }
                }
                Ok(0) | Err(_) => break Ended::Exited(timeout(REST, &mut exit).await.unwrap_or(Ok(-1))?),
            },
            code = &mut exit => {
                let code = code?;
                let rest = async {
                    while let Ok(read @ 1..) = output.read(&mut buffer).await {
                        console.feed(&buffer[..read], |_| {});
                    }
                };
                let _ = timeout(REST, rest).await;
                break Ended::Exited(code);
            }
            () = tokio::time::sleep_until(due) => {
                if ready.as_mut().is_some_and(crate::console::ReadyWatch::silence) {
                    break Ended::Ready;
                }
                if Instant::now() >= end {
                    break if ready.is_some() { Ended::Silent } else { Ended::Ran };
                }
            }
        }
    };
    console.flush(|_| {});
    drop(input);
    Ok(ended)
}

/// Removes the container of a server's restore test, however often that has to be tried.
async fn remove_container(context: &Context, server_id: &ServerId) {
    let remove = async || {
        let seen = context.engine.inspect_test(server_id).await?;
        match seen {
            Some(seen) if seen.owner == Owner::This => context.engine.remove(&seen.id).await,
            _ => Ok(()),
        }
    };
    while let Err(error) = remove().await {
        tracing::warn!(server = %server_id, %error, "the container of a restore test could not be removed; that is tried again");
        context.watch.suspect(&error);
        tokio::select! {
            () = context.cancel.cancelled() => return,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// Removes what restore tests of an earlier run of the agent left: first the container, then its folder.
pub(crate) async fn sweep(context: &Context) {
    for server_id in folder::tests(&context.data_dir) {
        let server_id = ServerId::from(server_id.as_str());
        if !context.watch.there().await {
            return;
        }
        remove_container(context, &server_id).await;
        discard(context, &server_id).await;
    }
}

/// Takes the folder of a restore test out of the way.
pub(crate) async fn discard(context: &Context, server_id: &ServerId) {
    let (data_dir, id) = (context.data_dir.clone(), server_id.clone());
    let done = tokio::task::spawn_blocking(move || {
        folder::discard(&data_dir, &id, &folder::testing(&data_dir, &id))
    });
    if let Ok(Err(error)) = done.await {
        tracing::warn!(server = %server_id, %error, "the folder of a restore test could not be removed");
    }
    context.shared.sweeper.wake();
}
