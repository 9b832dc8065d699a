//! The task of a server. It never waits for the engine: requests, events and scheduled actions are handled in turn, so
//! a kill is never queued behind a stop that hangs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::{ContainerUser, ErrorCode, ServerStatus};
use tokio::sync::{Notify, mpsc, watch};

use super::context::Context;
use super::jobs::Event;
use super::launch;
use super::life_cycle::{Phase, Request};
use super::record::Waiter;
use super::shown::Running;
use super::state::{DiskNews, Server, ServerRequest, Work};
use crate::console::Console;
use crate::panel::reply_cache::Reply;
use crate::persist::{self, ServerFile};

/// The handle to a server's task.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    queue: mpsc::Sender<ServerRequest>,
    /// Its current status.
    pub(crate) status: watch::Receiver<ServerStatus>,
    /// The container that runs.
    pub(crate) running: watch::Receiver<Option<Running>>,
    /// Its console.
    pub(crate) console: Console,
    check_paused: Arc<Notify>,
    disk: Arc<DiskNews>,
}

impl Handle {
    /// Disk limit in bytes; `None` for unlimited.
    pub(crate) fn disk_limit(&self) -> Option<u64> {
        Some(self.disk.limit.load(Ordering::Relaxed)).filter(|limit| *limit > 0)
    }

    /// Reports the disk usage of its files, in bytes.
    pub(crate) fn disk_used(&self, bytes: u64) {
        self.disk.used.send_replace(bytes);
    }

    /// Requests a check whether its container was paused or resumed by hand.
    pub(crate) fn check_paused(&self) {
        self.check_paused.notify_one();
    }

    /// Sends a request that the life cycle decides on; the task answers.
    pub(crate) fn ask(&self, request: Request, reply: Reply) {
        self.send(ServerRequest { work: Work::Ask(request), reply });
    }

    /// Has the task run `work` on the server's state; `work` must answer the reply.
    pub(crate) fn with(&self, reply: Reply, work: impl FnOnce(&mut Server, Reply) + Send + 'static) {
        self.send(ServerRequest { work: Work::With(Box::new(work)), reply });
    }

    fn send(&self, request: ServerRequest) {
        match self.queue.try_send(request) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(request)) => {
                request.reply.refuse(ErrorCode::Busy, "The server has too many requests waiting.");
            }
            Err(mpsc::error::TrySendError::Closed(request)) => {
                request.reply.refuse(ErrorCode::NotFound, "There is no such server.");
            }
        }
    }

    /// Whether the server was deleted.
    pub(crate) fn is_gone(&self) -> bool {
        self.queue.is_closed()
    }
}

/// Starts the task of a server loaded from the disk.
pub(crate) fn load(context: &Arc<Context>, file: ServerFile) -> Handle {
    let phase = if file.deleting { Phase::Deleting } else { Phase::Inspecting };
    let (queue, mut server) = Server::new(Arc::clone(context), file, phase, true);
    match phase {
        Phase::Deleting => server.try_remove(),
        _ => server.inspect(),
    }
    start(queue, server)
}

/// Owner of a server's folder as `uid:gid`; `None` if it depends on the image.
pub(crate) fn owner_of(user: &ContainerUser) -> Option<String> {
    match user {
        ContainerUser::Agent => Some(launch::default_user()),
        ContainerUser::Fixed(pair) => Some(pair.clone()),
        ContainerUser::Image => None,
    }
}

/// Starts the task of a new server; `reply` is answered when its file is on the disk.
pub(crate) fn create(context: &Arc<Context>, mut file: ServerFile, reply: Reply) -> Handle {
    let behaviour = file.spec.behaviour.clone().unwrap_or_default();
    file.user = owner_of(&behaviour.user);
    let (queue, mut server) = Server::new(Arc::clone(context), file, Phase::Installing, false);
    server.record.save_for(Waiter::Keep(reply));
    start(queue, server)
}

fn start(queue: mpsc::Sender<ServerRequest>, server: Server) -> Handle {
    let handle = Handle {
        queue,
        status: server.shown.status.subscribe(),
        running: server.shown.running.subscribe(),
        console: server.output.console.clone(),
        check_paused: Arc::clone(&server.requests.check_paused),
        disk: Arc::clone(&server.requests.disk),
    };
    let tasks = server.context.tasks.clone();
    drop(tasks.spawn(run(server)));
    handle
}

/// Runs until the server is deleted or the agent exits.
async fn run(mut server: Server) {
    serve(&mut server).await;
    if server.requests.gone {
        server.farewell();
    } else {
        // The agent exits; the games keep running.
        write_unsaved(&mut server).await;
    }
}

/// Handles requests, events and timers one at a time.
async fn serve(server: &mut Server) {
    let mut engine = server.context.watch.subscribe();
    let mut progress = server.shown.progress.subscribe();
    let cancel = server.context.cancel.clone();
    let check_paused = Arc::clone(&server.requests.check_paused);
    let mut disk = server.requests.disk.used.subscribe();
    let state = engine.borrow_and_update().clone();
    server.engine_changed(&state);
    server.tell(server.report());
    while !server.requests.gone {
        server.flush();
        let due = server.next_due();
        tokio::select! {
            () = cancel.cancelled() => return,
            Some(event) = server.jobs.next() => server.event(event),
            request = server.requests.queue.recv() => match request {
                Some(request) => server.take(request),
                None => return,
            },
            Ok(()) = engine.changed() => {
                let state = engine.borrow_and_update().clone();
                server.engine_changed(&state);
            }
            Ok(()) = progress.changed() => server.publish(),
            Ok(()) = disk.changed() => {
                let used = *disk.borrow_and_update();
                server.disk_used(used);
            }
            () = check_paused.notified() => server.check_paused(),
            () = sleep_until(due), if due.is_some() => server.due(),
        }
    }
}

/// Writes unsaved changes after the write in progress.
async fn write_unsaved(server: &mut Server) {
    let unsaved = server.record.is_unsaved();
    while server.record.is_writing() {
        if let Some(Event::Saved(..)) | None = server.jobs.next().await {
            server.record.end_write(None);
        }
    }
    if unsaved && !server.life_cycle.is_deleting() {
        let (dir, file) = (server.context.state_dir(), server.record.file.clone());
        let saved = tokio::task::spawn_blocking(move || persist::save(&dir, &file)).await;
        if let Ok(Err(error)) = saved {
            tracing::error!(server = %server.id, %error, "a server's file could not be written");
        }
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
