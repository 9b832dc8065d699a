//! What all servers of an agent share.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::sweep::Sweeper;
use crate::config::Tunables;
use crate::engine::EngineWatch;
use crate::hostpath::KnownPaths;
use crate::link::Outbox;
use crate::protocol::ToPanel;
use crate::runtime::Runtime;

/// What all servers of an agent share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) engine: Arc<dyn Runtime>,
    pub(crate) watch: EngineWatch,
    pub(crate) tunables: Tunables,
    pub(crate) data_dir: PathBuf,
    /// Where that lies on the host.
    pub(crate) paths: KnownPaths,
    pub(crate) timezone: String,
    pub(crate) tasks: TaskTracker,
    pub(crate) cancel: CancellationToken,
    pub(crate) out: Outbox<ToPanel>,
    pub(crate) turns: StartStagger,
    pub(crate) sweeper: Sweeper,
    /// The engine takes I/O weights; until it says otherwise.
    pub(crate) io_weight: AtomicBool,
    /// Logs are read a few at a time: each may be some megabytes.
    pub(crate) log_turns: Semaphore,
}

impl Context {
    /// Where the agent's own files lie.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.data_dir.join("agent")
    }
}

/// One after another: twenty games that start at once on a small machine all start late.
#[derive(Debug, Default)]
pub(crate) struct StartStagger(Mutex<Option<Instant>>);

impl StartStagger {
    /// When it is whose turn who asks now.
    pub(crate) fn take(&self, apart: Duration) -> Instant {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.map_or_else(Instant::now, |next| next.max(Instant::now()));
        *next = Some(turn + apart);
        turn
    }
}
