//! What others see of a server.

use jiff::Timestamp;
use protocol::{Progress, ServerStatus};
use tokio::sync::watch;

/// The container that runs, for those who sample it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) container_id: String,
    pub(crate) pid: Option<u32>,
}

/// How the last run or installation ended; empty while one goes on well.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// For a person.
    pub(super) error: Option<String>,
    pub(super) exit_code: Option<i64>,
    pub(super) oom_killed: bool,
}

/// What was said of the limit of its disk.
#[derive(Debug, Default)]
pub(super) struct DiskLimit {
    /// That it is near.
    pub(super) warned: bool,
    /// Why it was stopped, while it stops.
    pub(super) stopped: Option<String>,
}

impl DiskLimit {
    /// Why it was stopped, where that was for the limit.
    pub(super) fn reason(&mut self) -> Option<String> {
        self.warned = false;
        self.stopped.take()
    }
}

/// What others see of a server.
#[derive(Debug)]
pub(super) struct Shown {
    /// Of a fetch, or of files that are copied.
    pub(super) progress: watch::Sender<Option<Progress>>,
    pub(super) outcome: Outcome,
    /// When the status last changed.
    pub(super) since: Timestamp,
    pub(super) status: watch::Sender<ServerStatus>,
    pub(super) running: watch::Sender<Option<Running>>,
    pub(super) disk_limit: DiskLimit,
}

impl Shown {
    pub(super) fn new(status: ServerStatus) -> Self {
        Self {
            progress: watch::Sender::new(None),
            outcome: Outcome::default(),
            since: Timestamp::now(),
            status: watch::Sender::new(status),
            running: watch::Sender::new(None),
            disk_limit: DiskLimit::default(),
        }
    }
}
