//! Every task has a name, an owner and an end.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// The exit code of a process that wants to be started again, by the program that is in its place then.
pub const RESTART: u8 = 79;

/// The running tasks of this process. Cheap to clone; hand it down, never keep a task elsewhere.
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

    /// Starts `future` under a name. It should watch [`Tasks::token`] and end when that is cancelled.
    ///
    /// At the end of the process it is waited for with a grace period and named when it is late.
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

    /// Cancelled when the process ends. A child: cancelling it touches nobody else.
    pub fn token(&self) -> CancellationToken {
        self.token.child_token()
    }

    /// The tracker, for parts that take tracker and token as arguments.
    pub fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// True once the end has begun.
    pub fn ending(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Begins the end: every token is cancelled.
    pub fn cancel(&self) {
        self.token.cancel();
    }

    /// Asks for the process to end in good order and be started again: it ends with [`RESTART`]. Only worth asking where
    /// something starts it again, so under a guard.
    pub fn restart(&self) {
        self.restart.cancel();
    }

    /// Cancelled once a restart is asked for. For parts that take tokens as arguments: cancelling it asks for one.
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

    /// How many tasks of this name run now.
    pub fn running(&self, name: &str) -> usize {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied().unwrap_or(0)
    }

    /// Names of the tasks that run now, with their number where it is more than one.
    pub fn left(&self) -> Vec<String> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names
            .iter()
            .map(|(name, count)| if *count == 1 { (*name).to_owned() } else { format!("{name} ×{count}") })
            .collect()
    }
}

/// Keeps a task's name in the list while it lives, also when it panics or is dropped.
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
