//! Tracks background tasks, so that each has a name and is stopped at shutdown.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Exit code that requests a restart, with the program that is installed then.
pub const RESTART: u8 = 79;

/// The running tasks of this process. Cheap to clone. Pass it down; do not start tasks in any other way.
#[derive(Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    token: CancellationToken,
    restart: CancellationToken,
    names: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

impl Tasks {
    /// No tasks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Spawns `future` under a name. It should watch [`Tasks::token`] and end when that is cancelled.
    ///
    /// At shutdown it is awaited for a grace period, and its name is reported if it is late.
    #[allow(clippy::disallowed_methods, reason = "the one place that may")]
    pub fn spawn<F>(&self, name: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let guard = Named::new(name, Arc::clone(&self.names));
        let span = tracing::debug_span!(parent: None, "task", name);
        self.tracker.spawn(
            async move {
                let _guard = guard;
                future.await
            }
            .instrument(span),
        )
    }

    /// A token that is cancelled at shutdown. It is a child token: cancelling it affects nothing else.
    pub fn token(&self) -> CancellationToken {
        self.token.child_token()
    }

    /// The tracker, for code that takes a tracker and a token as arguments.
    pub fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// Whether shutdown has begun.
    pub fn ending(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Begins shutdown: all tokens are cancelled.
    pub fn cancel(&self) {
        self.token.cancel();
    }

    /// Requests a clean shutdown and a restart: the process exits with [`RESTART`]. Only useful under a guard, which
    /// starts it again.
    pub fn restart(&self) {
        self.restart.cancel();
    }

    /// A token that is cancelled when a restart is requested; cancelling it also requests one.
    pub fn restart_token(&self) -> CancellationToken {
        self.restart.clone()
    }

    /// Cancels everything and waits up to `grace`. Returns the names of those still running.
    pub async fn finish(&self, grace: Duration) -> Vec<String> {
        self.cancel();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait()).await.is_ok() {
            return Vec::new();
        }
        self.left()
    }

    /// Number of running tasks with this name.
    pub fn running(&self, name: &str) -> usize {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied().unwrap_or(0)
    }

    /// Names of the running tasks, with their number if more than one.
    pub fn left(&self) -> Vec<String> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names
            .iter()
            .map(|(name, count)| if *count == 1 { (*name).to_owned() } else { format!("{name} ×{count}") })
            .collect()
    }
}

/// Keeps a task's name in the list while it exists, even if it panics or is dropped.
struct Named {
    name: &'static str,
    names: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

impl Named {
    fn new(name: &'static str, names: Arc<Mutex<BTreeMap<&'static str, usize>>>) -> Self {
        *names.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
        Self { name, names }
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = names.get_mut(self.name) {
            *count -= 1;
            if *count == 0 {
                names.remove(self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tasks_that_watch_their_token_end_in_time() {
        let tasks = Tasks::new();
        let token = tasks.token();
        drop(tasks.spawn("good", async move { token.cancelled().await }));
        assert_eq!(tasks.left(), ["good"]);
        assert!(tasks.finish(Duration::from_secs(5)).await.is_empty());
    }

    #[tokio::test]
    async fn a_restart_is_asked_for_and_ends_nothing_by_itself() {
        let tasks = Tasks::new();
        let asked = tasks.clone().restart_token();
        assert!(!asked.is_cancelled());
        tasks.restart();
        asked.cancelled().await;
        assert!(!tasks.ending());
    }

    #[tokio::test]
    async fn a_late_task_is_named() {
        let tasks = Tasks::new();
        drop(tasks.spawn("stubborn", std::future::pending::<()>()));
        drop(tasks.spawn("stubborn", std::future::pending::<()>()));
        assert_eq!(tasks.finish(Duration::from_millis(10)).await, ["stubborn ×2"]);
    }
}
