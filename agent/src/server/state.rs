//! The state of one server. Only its task changes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use protocol::{Envelope, ServerId, ServerStatus, Status, ToPanel};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::folder;
use super::jobs::{self, Jobs};
use super::life_cycle::{LifeCycle, Phase, Request};
use super::output::Output;
use super::record::Record;
use super::run::{ContainerRef, Runs};
use super::schedule::Schedule;
use super::shown::{Outcome, Running, Shown};
use super::stop_steps::Stopping;
use crate::panel::reply_cache::Reply;
use crate::persist::{LastRun, ServerFile};

/// Maximum number of queued requests.
const QUEUE: usize = 256;

/// The image of a server.
#[derive(Debug, Default)]
pub(super) struct Image {
    /// Cancels the pull in progress, or the one that starts once a new server's file is written.
    pub(super) fetching: Option<CancellationToken>,
}

/// A queued request to a server's task, with the reply it is owed.
pub(crate) struct ServerRequest {
    pub(crate) work: Work,
    pub(crate) reply: Reply,
}

/// Work on a server's state; must answer the reply.
type StateWork = dyn FnOnce(&mut Server, Reply) + Send;

/// The kind of a request.
pub(crate) enum Work {
    /// Decided on by the life cycle.
    Ask(Request),
    /// Reads or changes the record, in any phase.
    With(Box<StateWork>),
}

/// A server's disk limit, read by the disk measurement, and the measurement's result.
#[derive(Debug, Default)]
pub(super) struct DiskNews {
    /// Bytes; 0 for unlimited.
    pub(super) limit: AtomicU64,
    pub(super) used: watch::Sender<u64>,
}

/// The pending requests to a server.
pub(super) struct Requests {
    pub(super) queue: mpsc::Receiver<ServerRequest>,
    /// Notified when the container may have been paused or resumed and must be checked.
    pub(super) check_paused: Arc<Notify>,
    /// Its disk limit and usage.
    pub(super) disk: Arc<DiskNews>,
    /// Requests that wait for the first inspection.
    pub(super) deferred: Vec<(Request, Reply)>,
    /// Replies owed for deletion requests.
    pub(super) deletes: Vec<Reply>,
    /// The server is deleted; no more requests are taken.
    pub(super) gone: bool,
}

impl Requests {
    /// Creates the queue; returns its sender.
    pub(super) fn new() -> (mpsc::Sender<ServerRequest>, Self) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let (deferred, deletes) = (Vec::new(), Vec::new());
        let (check_paused, disk) = (Arc::default(), Arc::default());
        (sender, Self { queue, check_paused, disk, deferred, deletes, gone: false })
    }
}

/// The state of one server.
pub(crate) struct Server {
    pub(super) context: Arc<Context>,
    pub(super) id: ServerId,
    /// The phase, and which requests it allows.
    pub(super) life_cycle: LifeCycle,
    /// The server's file.
    pub(super) record: Record,
    /// The current run.
    pub(super) runs: Runs,
    pub(super) container: ContainerRef,
    pub(super) image: Image,
    /// Automatic starts.
    pub(super) schedule: Schedule,
    /// Pending requests.
    pub(super) requests: Requests,
    pub(super) output: Output,
    /// The visible state.
    pub(super) shown: Shown,
    /// Running jobs.
    pub(super) jobs: Jobs,
}

/// Converts a monotonic time to wall-clock time.
fn wall(at: Instant) -> Timestamp {
    let now = Instant::now();
    let apart =
        |a: Instant, b: Instant| SignedDuration::try_from(a.saturating_duration_since(b)).unwrap_or_default();
    Timestamp::now()
        .checked_add(apart(at, now))
        .and_then(|t| t.checked_sub(apart(now, at)))
        .unwrap_or_default()
}

impl Server {
    /// A server in this phase, and the sender of its queue. `on_disk`: its file already exists.
    pub(super) fn new(
        context: Arc<Context>,
        file: ServerFile,
        phase: Phase,
        on_disk: bool,
    ) -> (mpsc::Sender<ServerRequest>, Self) {
        let id = file.spec.server_id.clone();
        let life_cycle = LifeCycle::new(phase, file.suspended);
        let shown = Shown::new(ServerStatus::new(&id, life_cycle.status()));
        let (queue, requests) = Requests::new();
        let server = Self {
            context,
            id,
            life_cycle,
            record: Record::new(file, on_disk),
            runs: Runs::default(),
            container: ContainerRef::default(),
            image: Image::default(),
            schedule: Schedule::default(),
            requests,
            output: Output::default(),
            shown,
            jobs: Jobs::default(),
        };
        (queue, server)
    }

    /// The current state as a protocol message.
    pub(super) fn report(&self) -> ServerStatus {
        let mut status = ServerStatus::new(&self.id, self.life_cycle.status());
        let Outcome { error, exit_code, oom_killed } = &self.shown.outcome;
        status.error.clone_from(error);
        if self.life_cycle.is_deleting() {
            status.error = Some("It is being deleted.".to_owned());
        }
        status.exit_code = *exit_code;
        status.oom_killed = *oom_killed;
        status.since = Some(self.shown.since);
        status.restart_at = self.schedule.restart_at();
        status.stop_deadline = self.runs.stopping().and_then(Stopping::deadline).map(wall);
        status.progress.clone_from(&self.shown.progress.borrow());
        let folder = folder::of(&self.context.data_dir, &self.id);
        status.data_dir = Some(self.context.paths.shown(&folder).display().to_string());
        if let Some(live) = self.runs.live() {
            status.started_at = Some(live.started_at);
            status.container_id = Some(live.container_id.clone());
            let made_with = self.container.made_with.as_ref();
            status.needs_restart = made_with.is_some_and(|made| *made != self.record.settings);
        } else {
            status.container_id.clone_from(&self.container.id);
        }
        status
    }

    /// Publishes the current state if it has changed.
    pub(super) fn publish(&mut self) {
        self.requests.disk.limit.store(self.disk_limit(), Ordering::Relaxed);
        let mut now = self.report();
        let before = self.shown.status.borrow().clone();
        if now.status != before.status {
            self.shown.since = Timestamp::now();
            now.since = Some(self.shown.since);
        }
        // The deadline is recomputed each time; a tiny difference is not a change.
        let near = |a: Timestamp, b: Timestamp| a.duration_since(b).abs() < SignedDuration::from_millis(100);
        if let (Some(a), Some(b)) = (now.stop_deadline, before.stop_deadline)
            && near(a, b)
        {
            now.stop_deadline = before.stop_deadline;
        }
        if now == before {
            return;
        }
        let live = self.runs.live();
        let running = live.map(|live| Running { container_id: live.container_id.clone(), pid: live.pid });
        self.shown.running.send_if_modified(|old| {
            let changed = *old != running;
            *old = running;
            changed
        });
        self.tell(now);
    }

    pub(super) fn tell(&mut self, status: ServerStatus) {
        self.shown.status.send_replace(status.clone());
        let message = ToPanel::ServerStatus(Box::new(status));
        if let Err(error) = self.context.out.try_send(Envelope::new(message)) {
            tracing::debug!(server = %self.id, %error, "a status could not be sent");
        }
    }

    /// Records how the run or installation ended; nothing is in progress any more.
    pub(super) fn remember(&mut self, status: Status) {
        let Outcome { error, exit_code, oom_killed } = self.shown.outcome.clone();
        let at = Timestamp::now().as_millisecond();
        self.record.file.pending = None;
        self.record.file.last = Some(LastRun { status, exit_code, oom_killed, error, at });
        self.record.save();
    }

    /// Begins the due write, which covers all changes since the last one began.
    pub(super) fn flush(&mut self) {
        if self.life_cycle.is_deleting() && self.record.drop_due() {
            // It is only run to be removed again.
            self.run_install();
        }
        if let Some((file, new)) = self.record.begin_write() {
            self.jobs.push(jobs::save(Arc::clone(&self.context), file, new));
        }
    }

    /// Time of the next scheduled action.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let stop = self.runs.stopping().and_then(Stopping::next_at);
        let known = !self.life_cycle.away() && self.life_cycle.phase() != Phase::Inspecting;
        let start = self.schedule.next_at().filter(|_| known);
        stop.into_iter().chain(start).min()
    }
}
