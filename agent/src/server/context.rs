//! State shared by all servers of an agent.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::{ServerId, ToPanel};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::sweep::Sweeper;
use crate::config::Tunables;
use crate::host::hostpath::KnownPaths;
use crate::link::Outbox;
use crate::runtime::Runtime;
use crate::runtime::engine_watch::EngineWatch;

/// State shared by all servers of an agent.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) engine: Arc<dyn Runtime>,
    pub(crate) watch: EngineWatch,
    pub(crate) tunables: Tunables,
    pub(crate) data_dir: PathBuf,
    /// `data_dir` and other mounted folders, as paths on the host.
    pub(crate) paths: KnownPaths,
    pub(crate) timezone: String,
    pub(crate) tasks: TaskTracker,
    pub(crate) cancel: CancellationToken,
    pub(crate) out: Outbox<ToPanel>,
    pub(crate) shared: Shared,
}

impl Context {
    /// The folder of the agent's own files.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.data_dir.join("agent")
    }
}

/// Engine logs read in parallel; each can be several megabytes.
const LOGS: usize = 4;

/// Limits on parallel work, and engine capabilities that one server found out for all.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) start_stagger: StartStagger,
    pub(crate) sweeper: Sweeper,
    /// Whether the engine supports I/O weights; true until it refuses one.
    pub(crate) io_weight: AtomicBool,
    pub(crate) log_permits: Semaphore,
    /// Servers whose files are being restored from a backup; they must not be started.
    pub(crate) restoring: Mutex<HashSet<ServerId>>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            start_stagger: StartStagger::default(),
            sweeper: Sweeper::default(),
            io_weight: AtomicBool::new(true),
            log_permits: Semaphore::new(LOGS),
            restoring: Mutex::default(),
        }
    }
}

/// Staggers starts: twenty games starting at once on a small machine would all start slowly.
#[derive(Debug, Default)]
pub(crate) struct StartStagger(Mutex<Option<Instant>>);

impl StartStagger {
    /// Reserves the next start slot and returns its time.
    pub(crate) fn take(&self, apart: Duration) -> Instant {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.map_or_else(Instant::now, |next| next.max(Instant::now()));
        *next = Some(turn + apart);
        turn
    }
}
