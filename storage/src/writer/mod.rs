//! The one thread that writes.
//!
//! Writers that wait while a commit is under way are served together by the next one: one pair of fsyncs for all of
//! them. A closure that fails, or panics, takes back its own changes only.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use redb::Database;
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::open::panic_text;
use crate::tx::{self, WriteTx};

/// How many closures share one commit at most, so that the first of them need not wait for all.
const BATCH: usize = 256;

/// How often a database that takes no writes tries to heal.
const HEAL_EVERY: Duration = Duration::from_secs(2);

/// How soon a write may make it try again.
const HEAL_AT_WRITE: Duration = Duration::from_millis(200);

/// A closure that waits to write, and the one who waits for its answer.
pub(crate) trait Job: Send {
    /// Runs the closure. False when its changes are to be taken back.
    fn run(&mut self, tx: &WriteTx) -> bool;
    /// Answers, once it is known whether the changes are on the disk.
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
        // Whoever does not wait any more does not need the answer either.
        drop(self.reply.send(answer));
    }
}

/// Serves writers until nobody can send any more, and heals the database in between where it needs to.
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

/// Runs the jobs in one transaction and commits it. After an error the database must be opened anew.
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
