//! The jobs of all servers: so many at a time, known by the panel's numbers for some time after their end.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{ErrorReport, FileCancel, FileDone, FileOp, ServerId, ToPanel};
use templates::file_denylist::FileDenylist;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::actions::{After, act};
use super::context::FilesContext;
use super::job::{Job, Progress};
use super::refuse::refuse;
use super::trash;
use crate::fs::FileError;
use crate::panel::reply_cache::Reply;

/// Jobs at a time: of a server, and of all.
const EACH: usize = 8;
const ALL: usize = 32;
/// Deletions whose sizes are counted at a time; what is left the sweeper counts.
const COUNTING: usize = 2;
/// Jobs that are known after their end.
const KNOWN: usize = 32;

/// All jobs. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Jobs {
    context: Arc<FilesContext>,
    known: Arc<Mutex<Known>>,
    /// Held while what was deleted is counted.
    counting: Arc<Semaphore>,
}

type Key = (ServerId, String);
type Ended = Result<FileDone, ErrorReport>;

#[derive(Debug, Default)]
struct Known {
    running: HashMap<Key, Running>,
    ended: VecDeque<(Key, Ended)>,
}

#[derive(Debug)]
struct Running {
    cancel: CancellationToken,
    /// Who asked again.
    others: Vec<Reply>,
}

/// Held by a job or search that runs.
pub(super) struct Turn {
    jobs: Jobs,
    key: Key,
    /// Nobody wants it any more.
    pub(super) cancel: CancellationToken,
    first: Option<Reply>,
}

impl Jobs {
    pub(super) fn new(context: Arc<FilesContext>) -> Self {
        Self { context, known: Arc::default(), counting: Arc::new(Semaphore::new(COUNTING)) }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job on. None where its number is known: it is answered as that one is.
    pub(super) fn begin(&self, server_id: &ServerId, job_id: &str, reply: Reply) -> Option<Turn> {
        let key = (server_id.clone(), job_id.to_owned());
        let mut known = self.lock();
        if let Some(running) = known.running.get_mut(&key) {
            if running.others.len() >= EACH {
                drop(known);
                refuse(reply, &FileError::Busy);
                return None;
            }
            running.others.push(reply);
            return None;
        }
        if let Some((_, ended)) = known.ended.iter().find(|(one, _)| *one == key) {
            let ended = ended.clone();
            drop(known);
            answer(reply, ended);
            return None;
        }
        let of_server = known.running.keys().filter(|(one, _)| one == server_id).count();
        if of_server >= EACH || known.running.len() >= ALL {
            drop(known);
            refuse(reply, &FileError::Busy);
            return None;
        }
        let cancel = self.context.cancel.child_token();
        known.running.insert(key.clone(), Running { cancel: cancel.clone(), others: Vec::new() });
        drop(known);
        Some(Turn { jobs: self.clone(), key, cancel, first: Some(reply) })
    }

    /// Does what was asked, and answers at its end.
    pub(super) fn run(&self, asked: FileOp, reply: Reply) {
        let FileOp { server_id, job_id, op, denied } = asked;
        let Some(turn) = self.begin(&server_id, &job_id, reply) else { return };
        let (context, counting) = (Arc::clone(&self.context), Arc::clone(&self.counting));
        drop(self.context.tasks.spawn_blocking(move || {
            let cancel = turn.cancel.clone();
            let places = context.root(&server_id).and_then(|root| Ok((root, context.store(&server_id)?)));
            let (root, store) = match places {
                Ok(places) => places,
                Err(error) => return turn.end(Err(error)),
            };
            let progress = Progress::new(context.out.clone(), server_id.clone(), job_id);
            let free = context.free(&server_id);
            let denied = FileDenylist::new(&denied);
            let mut job = Job { root: &root, store: &store, cancel: &cancel, free, denied, progress };
            let done = act(&mut job, &op);
            if let Err(FileError::Io(action, error)) = &done {
                tracing::warn!(server = %server_id, action, %error, "a job on files");
            }
            match done {
                Ok(After { count, written }) => {
                    context.usages.wrote(&server_id, written);
                    turn.end(Ok(job.progress.finish()));
                    let Ok(_permit) = counting.try_acquire() else { return };
                    for batch in count {
                        if let Err(error) = trash::count(&store, &batch, &context.cancel) {
                            tracing::debug!(server = %server_id, %error, "counting what was deleted");
                        }
                    }
                }
                Err(error) => turn.end(Err(error)),
            }
        }));
    }

    /// Breaks a job off; one that is not running has ended already.
    pub(super) fn cancel(&self, asked: FileCancel, reply: Reply) {
        let key = (asked.server_id, asked.job_id);
        if let Some(running) = self.lock().running.get(&key) {
            running.cancel.cancel();
        }
        reply.ack(None);
    }
}

impl Turn {
    /// Answers everybody who asked.
    fn end(mut self, done: Result<FileDone, FileError>) {
        let first = self.first.take();
        let ended = done.map_err(|error| ErrorReport {
            code: error.code(),
            message: error.sentence(),
            server_id: Some(self.key.0.clone()),
            details: None,
        });
        let mut known = self.jobs.lock();
        let others = known.running.remove(&self.key).map(|running| running.others).unwrap_or_default();
        known.ended.push_back((self.key.clone(), ended.clone()));
        if known.ended.len() > KNOWN {
            known.ended.pop_front();
        }
        drop(known);
        for reply in first.into_iter().chain(others) {
            answer(reply, ended.clone());
        }
    }

    /// Ends it with an answer of another kind, which nobody asks for again.
    pub(super) fn end_with(mut self, done: Result<ToPanel, FileError>) {
        let Some(reply) = self.first.take() else { return };
        match done {
            Ok(message) => reply.answer(message),
            Err(error) => refuse(reply, &error),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Also where the work ends in a panic.
        self.jobs.lock().running.remove(&self.key);
    }
}

fn answer(reply: Reply, ended: Ended) {
    match ended {
        Ok(done) => reply.answer(ToPanel::FileDone(done)),
        Err(report) => reply.refuse(report.code, report.message),
    }
}
