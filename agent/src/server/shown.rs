//! A server's visible state.

use jiff::Timestamp;
use protocol::{Progress, ServerStatus};
use tokio::sync::watch;

/// The running container, for stats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) container_id: String,
    pub(crate) pid: Option<u32>,
}

/// How the last run or installation ended; empty while one is going well.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// A message for users.
    pub(super) error: Option<String>,
    pub(super) exit_code: Option<i64>,
    pub(super) oom_killed: bool,
}

/// What was reported about the disk limit.
#[derive(Debug, Default)]
pub(super) struct DiskLimit {
    /// The warning was shown.
    pub(super) warned: bool,
    /// Whether the warning above the limit was shown.
    pub(super) past: bool,
    /// Why it is being stopped, until it has stopped.
    pub(super) stopped: Option<String>,
}

impl DiskLimit {
    /// Takes the reason, if the limit caused the stop.
    pub(super) fn reason(&mut self) -> Option<String> {
        (self.warned, self.past) = (false, false);
        self.stopped.take()
    }
}

/// A server's visible state.
#[derive(Debug)]
pub(super) struct Shown {
    /// Progress of an image pull or a file copy.
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
