//! One server's schedules in memory.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::store::{self, Kept};

/// Runs that events may start within a minute.
const EVENTS: usize = 10;
const EVENTS_WITHIN: Duration = Duration::from_secs(60);
/// How long events are ignored after that.
const HOLD: Duration = Duration::from_secs(600);
/// What is not worth a write by itself is written at most this often.
const LAZY: Duration = Duration::from_secs(600);

/// One server's schedules.
pub(super) struct Entry {
    kept: tokio::sync::Mutex<State>,
    /// Ids of the schedules that run, and whether the run is in the history yet.
    running: Mutex<HashMap<String, bool>>,
    events: Mutex<Events>,
    /// Ends the task that watches for events.
    watching: Mutex<Option<CancellationToken>>,
}

struct State {
    kept: Kept,
    written: Instant,
}

#[derive(Default)]
struct Events {
    last: VecDeque<Instant>,
    held_until: Option<Instant>,
}

/// Whether an event may start a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    Yes,
    /// Too many did; this is the first one that is refused.
    HeldNow,
    Held,
}

/// A schedule is running as long as this lives.
pub(super) struct Running {
    entry: Arc<Entry>,
    id: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.entry.running().remove(&self.id);
    }
}

impl Running {
    /// Its run is in the history, and the next one is due later.
    pub(super) fn noted(&self) {
        self.entry.running().insert(self.id.clone(), true);
    }
}

impl Entry {
    pub(super) fn new(kept: Kept) -> Self {
        Self {
            kept: tokio::sync::Mutex::new(State { kept, written: Instant::now() }),
            running: Mutex::default(),
            events: Mutex::default(),
            watching: Mutex::default(),
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn kept(&self) -> Kept {
        self.kept.lock().await.kept.clone()
    }

    /// Has `look` read what is kept, without copying it.
    pub(super) async fn read<T>(&self, look: impl FnOnce(&Kept) -> T) -> T {
        look(&self.kept.lock().await.kept)
    }

    /// Changes what is kept; it is on the disk when this returns, or not changed.
    pub(super) async fn change(&self, dir: &Path, change: impl FnOnce(&mut Kept)) -> io::Result<Kept> {
        let mut state = self.kept.lock().await;
        let mut kept = state.kept.clone();
        change(&mut kept);
        let (dir, copy) = (dir.to_owned(), kept.clone());
        tokio::task::spawn_blocking(move || store::save(&dir, &copy)).await.map_err(io::Error::other)??;
        *state = State { kept: kept.clone(), written: Instant::now() };
        Ok(kept)
    }

    /// Changes what is kept, in memory; it comes to the disk with the next write, or after ten minutes.
    pub(super) async fn change_lazily(&self, dir: &Path, change: impl FnOnce(&mut Kept)) -> io::Result<()> {
        {
            let mut state = self.kept.lock().await;
            if state.written.elapsed() < LAZY {
                change(&mut state.kept);
                return Ok(());
            }
        }
        self.change(dir, change).await.map(drop)
    }

    /// Marks a schedule as running; `None` if it is.
    pub(super) fn begin(self: &Arc<Self>, id: &str) -> Option<Running> {
        let mut running = self.running();
        if running.contains_key(id) {
            return None;
        }
        running.insert(id.to_owned(), false);
        drop(running);
        Some(Running { entry: Arc::clone(self), id: id.to_owned() })
    }

    pub(super) fn is_running(&self, id: &str) -> bool {
        self.running().contains_key(id)
    }

    /// Whether it was started and the time of its next run was not set yet.
    pub(super) fn is_beginning(&self, id: &str) -> bool {
        self.running().get(id) == Some(&false)
    }

    /// Counts a run that an event starts.
    pub(super) fn event(&self) -> Allowed {
        let now = Instant::now();
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.held_until.is_some_and(|until| now < until) {
            return Allowed::Held;
        }
        events.held_until = None;
        events.last.retain(|at| now.duration_since(*at) < EVENTS_WITHIN);
        if events.last.len() >= EVENTS {
            events.held_until = Some(now + HOLD);
            return Allowed::HeldNow;
        }
        events.last.push_back(now);
        Allowed::Yes
    }

    /// A token for the task that watches for events from now on; the one before ends.
    pub(super) fn watch_anew(&self, parent: &CancellationToken) -> CancellationToken {
        let token = parent.child_token();
        let mut watching = self.watching.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = watching.replace(token.clone()) {
            before.cancel();
        }
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn events_are_held_back_when_too_many_come() {
        let entry = Entry::new(Kept::default());
        for _ in 0..EVENTS {
            assert_eq!(entry.event(), Allowed::Yes);
        }
        assert_eq!(entry.event(), Allowed::HeldNow);
        assert_eq!(entry.event(), Allowed::Held);
        tokio::time::advance(HOLD + Duration::from_secs(1)).await;
        assert_eq!(entry.event(), Allowed::Yes);
    }

    #[tokio::test]
    async fn a_schedule_runs_once_at_a_time() {
        let entry = Arc::new(Entry::new(Kept::default()));
        let running = entry.begin("s").unwrap();
        assert!(entry.begin("s").is_none() && entry.is_beginning("s"));
        running.noted();
        assert!(!entry.is_beginning("s") && entry.is_running("s"));
        drop(running);
        assert!(entry.begin("s").is_some());
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_not_changed() {
        let dir = tempfile::tempdir().unwrap();
        let entry = Entry::new(Kept { server_id: "a".into(), ..Kept::default() });
        std::fs::create_dir(dir.path().join("a.json.tmp")).unwrap();
        let add = |kept: &mut Kept| kept.due.insert("s".into(), 1).map_or((), drop);
        let with_one = |kept: &mut Kept| {
            add(kept);
            kept.schedules.push(protocol::Schedule {
                id: "s".into(),
                name: String::new(),
                enabled: true,
                trigger: protocol::ScheduleTrigger::NodeStarted {},
                conditions: Vec::new(),
                steps: Vec::new(),
                catch_up: false,
            });
        };
        assert!(entry.change(dir.path(), with_one).await.is_err());
        assert!(entry.kept().await.due.is_empty());
    }
}
