//! Current state of transfers: their records, and progress that is not stored.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use protocol::{ServerId, Status};
use storage::transfers::{Move, Step};
use tokio_util::sync::CancellationToken;

use super::views::{MoveView, TransferStep};
use crate::system::clock::rfc3339;

/// The last transfer of each server. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Tracker {
    all: Arc<Mutex<HashMap<ServerId, Live>>>,
    revision: Arc<AtomicU64>,
}

/// A transfer. Cheap to clone.
#[derive(Clone)]
pub(super) struct Live {
    now: Arc<Mutex<Now>>,
    /// The tracker's revision.
    revision: Arc<AtomicU64>,
    /// Cancelled when the transfer is called off.
    cancel: CancellationToken,
    /// Cancelled when a newer transfer has replaced it.
    replaced: CancellationToken,
}

struct Now {
    record: Move,
    step: TransferStep,
    bytes: u64,
    total: u64,
    copying_since: Option<Instant>,
}

/// Whether a game in this state is running or starting.
pub(super) fn runs(status: &Status) -> bool {
    matches!(status, Status::Starting | Status::Running | Status::Paused)
}

impl Tracker {
    fn lock(&self) -> MutexGuard<'_, HashMap<ServerId, Live>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the map for a change, which is counted.
    fn change(&self) -> MutexGuard<'_, HashMap<ServerId, Live>> {
        let all = self.lock();
        self.revision.fetch_add(1, Ordering::AcqRel);
        all
    }

    /// A counter that is incremented before each change becomes visible.
    pub(super) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Adds a transfer, replacing the server's previous one.
    pub(super) fn put(&self, record: Move) -> Live {
        let id = record.server_id.clone();
        let step = match record.step {
            Step::InProgress => TransferStep::Checking,
            Step::Switched => TransferStep::Starting,
            Step::Failed => TransferStep::Failed,
            Step::Done => TransferStep::Done,
        };
        let now = Now { record, step, bytes: 0, total: 0, copying_since: None };
        let live = Live {
            now: Arc::new(Mutex::new(now)),
            revision: Arc::clone(&self.revision),
            cancel: CancellationToken::new(),
            replaced: CancellationToken::new(),
        };
        if let Some(before) = self.change().insert(id, live.clone()) {
            before.replaced.cancel();
        }
        live
    }

    pub(super) fn get(&self, server_id: &ServerId) -> Option<Live> {
        self.lock().get(server_id).cloned()
    }

    /// The server of an unfinished transfer that `of` accepts, if any.
    pub(super) fn under_way(&self, of: impl Fn(&Move) -> bool) -> Option<ServerId> {
        let all: Vec<_> = self.lock().values().map(Live::record).collect();
        let under = |record: &Move| matches!(record.step, Step::InProgress | Step::Switched) && of(record);
        all.into_iter().find(under).map(|record| record.server_id)
    }

    pub(super) fn forget(&self, live: &Live) {
        live.replaced.cancel();
        let id = live.record().server_id;
        let mut all = self.change();
        if all.get(&id).is_some_and(|there| Arc::ptr_eq(&there.now, &live.now)) {
            all.remove(&id);
        }
    }
}

impl Live {
    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the state for a change, which is counted.
    fn change(&self) -> MutexGuard<'_, Now> {
        let now = self.lock();
        self.revision.fetch_add(1, Ordering::AcqRel);
        now
    }

    pub(super) fn record(&self) -> Move {
        self.lock().record.clone()
    }

    pub(super) fn set_record(&self, record: Move) {
        self.change().record = record;
    }

    pub(super) fn set_step(&self, step: TransferStep) {
        let mut now = self.change();
        now.step = step;
        now.copying_since = (step == TransferStep::Copying).then(Instant::now);
    }

    pub(super) fn set_total(&self, total: u64) {
        self.change().total = total;
    }

    pub(super) fn copied(&self, bytes: u64) {
        let mut now = self.change();
        now.bytes = bytes.min(now.total);
    }

    pub(super) fn cancel(&self) {
        self.cancel.cancel();
        self.revision.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn cancelled(&self) -> &CancellationToken {
        &self.cancel
    }

    pub(super) fn replaced(&self) -> &CancellationToken {
        &self.replaced
    }

    pub(super) fn view(&self) -> MoveView {
        let now = self.lock();
        let percent = (now.bytes * 100).checked_div(now.total).unwrap_or(0).min(100);
        let rate = now.copying_since.map(|since| {
            let milliseconds = since.elapsed().as_millis().max(1);
            u64::try_from(u128::from(now.bytes) * 1000 / milliseconds).unwrap_or(u64::MAX)
        });
        let copied = matches!(now.step, TransferStep::Copying | TransferStep::Verifying);
        MoveView {
            from: now.record.from.to_string(),
            to: now.record.to.to_string(),
            step: now.step,
            percent: copied.then(|| u8::try_from(percent).unwrap_or(100)),
            bytes: now.bytes,
            total: now.total,
            rate,
            runs: now.record.ran,
            started_at: rfc3339(now.record.started_at),
            error: now.record.error.clone(),
            cancellable: now.record.step == Step::InProgress && !self.cancel.is_cancelled(),
        }
    }
}
