//! What is known of one server, with one writer: its acting task.

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::crash::Crashes;
use super::folder;
use super::jobs::{self, Event};
use super::queue::{Phase, Queue};
use super::stop::Stopping;
use super::typing::Keyboard;
use crate::console::{Console, Trail};
use crate::persist::{LastRun, Pending, PendingStop, ServerFile};
use crate::protocol::{
    Envelope, PowerAction, Progress, ServerCreate, ServerStatus, ServerUpdate, Status, ToPanel,
};
use crate::reply_cache::Reply;

/// A request with the answer that is owed to it.
#[derive(Debug)]
pub(crate) struct ServerRequest {
    pub(crate) what: Request,
    pub(crate) reply: Reply,
}

/// A request to one server.
#[derive(Debug)]
pub(crate) enum Request {
    Power(PowerAction),
    Command(String),
    Delete,
    Suspend,
    Unsuspend,
    Reinstall,
    CancelInstall,
    Replace(Box<ServerCreate>),
    Update(Box<ServerUpdate>),
    Describe,
}

/// The container that runs, for those who sample it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) container_id: String,
    pub(crate) pid: Option<u32>,
}

/// A run of the game, from the click to its end.
pub(super) struct Run {
    pub(super) number: u64,
    /// Where lines for the game are typed. They may be before it is there.
    pub(super) keyboard: Keyboard,
    /// Ends what belongs to it.
    pub(super) cancel: CancellationToken,
    /// None while it is being launched.
    pub(super) live: Option<Live>,
}

/// A game that runs.
pub(super) struct Live {
    pub(super) container_id: String,
    pub(super) pid: Option<u32>,
    pub(super) since: Instant,
    pub(super) started_at: Timestamp,
    /// It was found standing still, without its terminal.
    pub(super) found_paused: bool,
}

/// How to stop what is not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    Stop,
    Kill,
}

pub(super) struct Server {
    pub(super) context: Arc<Context>,
    pub(super) id: String,
    pub(super) queue: Queue,
    pub(super) console: Console,
    /// What the console has of its container's output.
    pub(super) trail: Arc<Mutex<Trail>>,
    pub(super) jobs: FuturesUnordered<BoxFuture<'static, Event>>,

    /// What is kept, and what of it is on the disk.
    pub(super) file: ServerFile,
    /// The fingerprint of `file.spec`.
    pub(super) settings: String,
    pub(super) saved: Option<ServerFile>,
    pub(super) saving: bool,
    pub(super) save_again: bool,
    /// Those who wait for what is being written, and for what comes after it.
    pub(super) save_waiters: Vec<Waiter>,
    pub(super) save_waiters_next: Vec<Waiter>,

    pub(super) run: Option<Run>,
    pub(super) runs: u64,
    /// Breaks off a launch or a fetch.
    pub(super) launching: Option<CancellationToken>,
    pub(super) fetching: Option<CancellationToken>,
    pub(super) looking: bool,
    pub(super) removing: bool,
    pub(super) intent: Option<Intent>,
    pub(super) stopping: Option<Stopping>,
    /// A start whose turn comes then.
    pub(super) start_at: Option<Instant>,
    /// A restart after a crash.
    pub(super) restart_at: Option<(Instant, Timestamp)>,
    pub(super) crashes: Crashes,
    /// The settings with which the present container was made.
    pub(super) made_with: Option<String>,
    pub(super) last_container: Option<String>,
    /// It was made by another agent and is never made anew.
    pub(super) legacy: bool,
    pub(super) ended: Option<Instant>,

    /// Requests that wait until it is known what there is.
    pub(super) held: Vec<ServerRequest>,
    pub(super) deletes: Vec<Reply>,

    pub(super) progress: watch::Sender<Option<Progress>>,
    pub(super) error: Option<String>,
    pub(super) exit_code: Option<i64>,
    pub(super) oom_killed: bool,
    pub(super) since: Timestamp,
    pub(super) status: watch::Sender<ServerStatus>,
    pub(super) running: watch::Sender<Option<Running>>,
    pub(super) gone: bool,
}

/// Who is answered once the file is on the disk.
#[derive(Debug)]
pub(super) enum Waiter {
    /// It asked for what the file holds: without the file it has failed.
    Keep(Reply),
    /// What it asked for is under way in this state; the file makes it outlive a crash.
    Act(Reply, Status),
    /// It could not be done, and what it changed all the same is kept.
    Refuse(Reply, &'static str, &'static str),
    /// The stop that is under way may begin.
    Stop,
}

/// The clock's time at a moment of the steady one.
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
    pub(super) fn job(&mut self, job: impl Future<Output = Event> + Send + 'static) {
        self.jobs.push(Box::pin(job));
    }

    /// The run that goes on, if this is its number.
    pub(super) fn is_current(&self, run: u64) -> bool {
        self.run.as_ref().is_some_and(|current| current.number == run)
    }

    pub(super) fn live(&self) -> Option<&Live> {
        self.run.as_ref()?.live.as_ref()
    }

    /// The present state in the protocol's words.
    pub(super) fn report(&self) -> ServerStatus {
        let mut status = ServerStatus::new(&self.id, self.queue.status());
        status.error.clone_from(&self.error);
        if self.queue.phase() == Phase::Deleting {
            status.error = Some("It is being deleted.".to_owned());
        }
        status.exit_code = self.exit_code;
        status.oom_killed = self.oom_killed;
        status.since = Some(self.since);
        status.restart_at = self.restart_at.map(|(_, at)| at);
        status.stop_deadline = self.stopping.as_ref().and_then(Stopping::deadline).map(wall);
        status.progress.clone_from(&self.progress.borrow());
        let folder = folder::of(&self.context.data_dir, &self.id);
        status.data_dir = Some(self.context.paths.shown(&folder).display().to_string());
        if let Some(live) = self.live() {
            status.started_at = Some(live.started_at);
            status.container_id = Some(live.container_id.clone());
            status.needs_restart = self.made_with.as_ref().is_some_and(|made| *made != self.settings);
        } else {
            status.container_id.clone_from(&self.last_container);
        }
        status
    }

    /// Shows the present state, where it is news.
    pub(super) fn publish(&mut self) {
        let mut now = self.report();
        let before = self.status.borrow().clone();
        if now.status != before.status {
            self.since = Timestamp::now();
            now.since = Some(self.since);
        }
        // The deadline is computed anew each time: a microsecond is no news.
        let near = |a: Timestamp, b: Timestamp| a.duration_since(b).abs() < SignedDuration::from_millis(100);
        if let (Some(a), Some(b)) = (now.stop_deadline, before.stop_deadline)
            && near(a, b)
        {
            now.stop_deadline = before.stop_deadline;
        }
        if now == before {
            return;
        }
        let running =
            self.live().map(|live| Running { container_id: live.container_id.clone(), pid: live.pid });
        self.running.send_if_modified(|old| {
            let news = *old != running;
            *old = running;
            news
        });
        self.tell(now);
    }

    pub(super) fn tell(&mut self, status: ServerStatus) {
        self.status.send_replace(status.clone());
        let message = ToPanel::ServerStatus(Box::new(status));
        if let Err(error) = self.context.out.try_send(Envelope::new(message)) {
            tracing::debug!(server = self.id, %error, "a status could not be sent");
        }
    }

    /// Keeps how it ended: nothing is under way any more.
    pub(super) fn remember(&mut self, status: Status) {
        self.file.pending = None;
        self.file.last = Some(LastRun {
            status,
            exit_code: self.exit_code,
            oom_killed: self.oom_killed,
            error: self.error.clone(),
            at: Timestamp::now().as_millisecond(),
        });
        self.save(None);
    }

    /// The stop that was asked for and is not over.
    pub(super) fn pending_stop(&self) -> Option<&PendingStop> {
        match &self.file.pending {
            Some(Pending::Stop(stop)) => Some(stop),
            _ => None,
        }
    }

    /// Answers what is under way, once a crash cannot undo it any more.
    pub(super) fn answer_when_saved(&mut self, reply: Reply) {
        let status = self.queue.status();
        match (self.save_again, self.saving) {
            (true, _) => self.save_waiters_next.push(Waiter::Act(reply, status)),
            (false, true) => self.save_waiters.push(Waiter::Act(reply, status)),
            (false, false) => reply.ack(Some(status)),
        }
    }

    /// Has the file written. `reply` is answered when it is on the disk.
    pub(super) fn save(&mut self, reply: Option<Reply>) {
        self.save_for(reply.map(Waiter::Keep));
    }

    pub(super) fn save_for(&mut self, waiter: Option<Waiter>) {
        self.save_again = true;
        self.save_waiters_next.extend(waiter);
    }

    /// Begins the write that is due, one for all that changed since the last one began.
    pub(super) fn flush(&mut self) {
        if self.queue.phase() == Phase::Deleting {
            // What is being removed must not come back.
            self.save_again = false;
            self.save_waiters_next.clear();
        }
        if self.saving || !std::mem::take(&mut self.save_again) {
            return;
        }
        self.saving = true;
        self.save_waiters = std::mem::take(&mut self.save_waiters_next);
        let fresh = self.saved.is_none();
        let job = jobs::save(Arc::clone(&self.context), self.file.clone(), fresh);
        self.job(job);
    }

    /// When something is due by itself.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let stop = self.stopping.as_ref().filter(|_| self.live().is_some()).and_then(Stopping::next_at);
        let there = !self.queue.away() && self.queue.phase() != Phase::Looking;
        let start = self.start_at.filter(|_| there);
        let restart = self.restart_at.map(|(at, _)| at).filter(|_| there);
        [stop, start, restart].into_iter().flatten().min()
    }
}
