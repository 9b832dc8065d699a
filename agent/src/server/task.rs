//! The one task that acts for a server. It never waits for the engine: requests, what happened there and what is due
//! come in turn, so a kill is never queued behind a stop that hangs.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, watch};

use super::context::Context;
use super::crash::Crashes;
use super::jobs::Event;
use super::launch;
use super::plan;
use super::queue::{Phase, Queue};
use super::state::{Running, Server, ServerRequest};
use crate::console::Console;
use crate::engine::EngineState;
use crate::persist::{self, ServerFile};
use crate::protocol::{ContainerUser, ServerStatus};
use crate::reply_cache::Reply;

/// Requests that may wait for the task.
const INBOX: usize = 256;

/// One server, seen from outside.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    inbox: mpsc::Sender<ServerRequest>,
    /// What it is.
    pub(crate) status: watch::Receiver<ServerStatus>,
    /// The container that runs.
    pub(crate) running: watch::Receiver<Option<Running>>,
    /// What it prints.
    pub(crate) console: Console,
    /// It may have been paused or resumed.
    look: Arc<Notify>,
}

impl Handle {
    /// Has it look whether somebody paused its container.
    pub(crate) fn glance(&self) {
        self.look.notify_one();
    }

    /// Asks something of it; it answers by itself.
    pub(crate) fn ask(&self, asked: ServerRequest) {
        match self.inbox.try_send(asked) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(asked)) => {
                asked.reply.refuse("busy", "The server has too many requests waiting.");
            }
            Err(mpsc::error::TrySendError::Closed(asked)) => {
                asked.reply.refuse("not_found", "There is no such server.");
            }
        }
    }

    /// It was deleted.
    pub(crate) fn is_gone(&self) -> bool {
        self.inbox.is_closed()
    }
}

/// Starts the task of a server that is on the disk already.
pub(crate) fn load(context: &Arc<Context>, file: ServerFile) -> Handle {
    start(context, file, None)
}

/// Whose the folder of a server is, `uid:gid`, where that is known before its image is.
pub(crate) fn owner_of(user: &ContainerUser) -> Option<String> {
    match user {
        ContainerUser::Agent => Some(launch::default_user()),
        ContainerUser::Fixed(pair) => Some(pair.clone()),
        ContainerUser::Image => None,
    }
}

/// Starts the task of a new one; `reply` is answered when it is on the disk.
pub(crate) fn create(context: &Arc<Context>, mut file: ServerFile, reply: Reply) -> Handle {
    let behaviour = file.spec.behaviour.clone().unwrap_or_default();
    file.user = owner_of(&behaviour.user);
    start(context, file, Some(reply))
}

fn start(context: &Arc<Context>, file: ServerFile, fresh: Option<Reply>) -> Handle {
    let (sender, inbox) = mpsc::channel(INBOX);
    let console = Console::default();
    let phase = match (&fresh, file.deleting) {
        (Some(_), _) => Phase::Installing,
        (None, true) => Phase::Deleting,
        (None, false) => Phase::Looking,
    };
    let queue = Queue::new(phase, file.suspended);
    let id = file.spec.server_id.clone();
    let (status, seen) = watch::channel(ServerStatus::new(&id, queue.status()));
    let (running, running_seen) = watch::channel(None);
    let mut server = Server {
        context: Arc::clone(context),
        id,
        queue,
        console: console.clone(),
        trail: Arc::default(),
        jobs: FuturesUnordered::new(),
        saved: fresh.is_none().then(|| file.clone()),
        settings: plan::fingerprint(&file.spec),
        file,
        saving: false,
        save_again: false,
        save_waiters: Vec::new(),
        save_waiters_next: Vec::new(),
        run: None,
        runs: 0,
        launching: None,
        fetching: None,
        looking: false,
        removing: false,
        intent: None,
        stopping: None,
        start_at: None,
        restart_at: None,
        crashes: Crashes::default(),
        made_with: None,
        last_container: None,
        legacy: false,
        ended: None,
        held: Vec::new(),
        deletes: Vec::new(),
        progress: watch::Sender::new(None),
        error: None,
        exit_code: None,
        oom_killed: false,
        since: Timestamp::now(),
        status,
        running,
        gone: false,
    };
    match fresh {
        Some(reply) => server.save(Some(reply)),
        None if phase == Phase::Deleting => server.try_remove(),
        None => server.look(),
    }
    let look = Arc::new(Notify::new());
    drop(context.tasks.spawn(run(server, inbox, Arc::clone(&look))));
    Handle { inbox: sender, status: seen, running: running_seen, console, look }
}

async fn run(mut server: Server, mut inbox: mpsc::Receiver<ServerRequest>, look: Arc<Notify>) {
    let mut engine = server.context.watch.subscribe();
    let mut progress = server.progress.subscribe();
    let cancel = server.context.cancel.clone();
    let state: EngineState = engine.borrow_and_update().clone();
    server.engine_changed(&state);
    server.tell(server.report());
    while !server.gone {
        server.flush();
        let due = server.next_due();
        tokio::select! {
            () = cancel.cancelled() => break,
            Some(event) = server.jobs.next() => server.event(event),
            asked = inbox.recv() => match asked {
                Some(asked) => server.asked(asked),
                None => break,
            },
            Ok(()) = engine.changed() => {
                let state = engine.borrow_and_update().clone();
                server.engine_changed(&state);
            }
            Ok(()) = progress.changed() => server.publish(),
            () = look.notified() => server.glance(),
            () = sleep_until(due), if due.is_some() => server.due(),
        }
    }
    if server.gone {
        // Nobody asks a server that is gone, also not between these two.
        inbox.close();
        server.farewell();
        return;
    }
    // The agent ends, the games go on. What is not on the disk yet goes there, after what is being written now.
    let unsaved = server.save_again || server.saving;
    while server.saving {
        match server.jobs.next().await {
            Some(Event::Saved(..)) | None => server.saving = false,
            Some(_) => {}
        }
    }
    if unsaved && server.queue.phase() != Phase::Deleting {
        let (dir, file) = (server.context.state_dir(), server.file.clone());
        let saved = tokio::task::spawn_blocking(move || persist::save(&dir, &file)).await;
        if let Ok(Err(error)) = saved {
            tracing::error!(server = server.id, %error, "a server's file could not be written");
        }
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
