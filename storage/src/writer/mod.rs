//! The writer thread.
//!
//! Writes that wait during a commit share the next one, and with it one pair of fsyncs. A closure that fails or panics
//! only loses its own changes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use redb::Database;
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::open::panic_text;
use crate::tx::{self, WriteTx};

/// Maximum number of closures per commit, so that the first ones do not wait too long.
const BATCH: usize = 256;

/// How often a read-only database is reopened in the hope that it recovers.
const HEAL_EVERY: Duration = Duration::from_secs(2);

/// Minimum time before a write triggers such an attempt.
const HEAL_AT_WRITE: Duration = Duration::from_millis(200);

/// A queued write closure and its waiting caller.
pub(crate) trait Job: Send {
    /// Runs the closure. False if its changes must be undone.
    fn run(&mut self, tx: &WriteTx) -> bool;
    /// Answers the caller once it is known whether the changes are on the disk.
    fn answer(self: Box<Self>, committed: Result<()>);
}

/// The [`Job`] made of a closure.
pub(crate) struct Work<F, T, E> {
    closure: Option<F>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Work<F, T, E> {
    pub(crate) fn new(closure: F) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (Self { closure: Some(closure), result: None, reply }, answer)
    }
}

impl<F, T, E> Job for Work<F, T, E>
where
    F: FnOnce(&WriteTx) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run(&mut self, tx: &WriteTx) -> bool {
        let Some(closure) = self.closure.take() else { return false };
        let result = catch_unwind(AssertUnwindSafe(|| closure(tx)))
            .unwrap_or_else(|panic| Err(Error::Panicked(panic_text(&*panic)).into()));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let answer = match (self.result, committed) {
            (Some(Err(own)), _) => Err(own),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(Error::Closed.into()),
            (_, Err(error)) => Err(error.into()),
        };
        // Fails if the caller no longer waits.
        drop(self.reply.send(answer));
    }
}

/// Runs jobs until all senders are gone, and recovers the database in between if needed.
pub(crate) fn serve(handle: &Handle, queue: &Receiver<Box<dyn Job>>) {
    let mut tried: Option<Instant> = None;
    loop {
        let first = if handle.refusal().is_none() {
            queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            queue.recv_timeout(HEAL_EVERY.saturating_sub(tried.map_or(Duration::ZERO, |at| at.elapsed())))
        };
        let mut jobs = match first {
            Ok(first) => vec![first],
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        jobs.extend(queue.try_iter().take(BATCH - 1));
        if handle.refusal().is_some()
            && (jobs.is_empty() || tried.is_none_or(|at| at.elapsed() > HEAL_AT_WRITE))
        {
            handle.heal();
            tried = Some(Instant::now());
        }
        let outcome = match handle.refusal() {
            Some(refusal) => Err(refusal),
            None if jobs.is_empty() => Ok(()),
            None => handle.write(|database| run_batch(database, &mut jobs)),
        };
        for job in jobs {
            job.answer(outcome.clone());
        }
    }
}

/// Runs the jobs in one transaction and commits it. After an error the database must be reopened.
fn run_batch(database: &Database, jobs: &mut [Box<dyn Job>]) -> Result<()> {
    catch_unwind(AssertUnwindSafe(|| {
        let tx = tx::begin(database)?;
        for job in jobs {
            if job.run(&tx) {
                tx.keep();
            } else {
                tx.rollback();
            }
            if let Some(error) = tx.broken() {
                return Err(error);
            }
        }
        tx::finish(tx)
    }))
    .unwrap_or_else(|panic| Err(Error::Panicked(panic_text(&*panic))))
}

#[cfg(test)]
mod tests;
