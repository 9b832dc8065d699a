//! The requests that a legacy agent has in flight: one for each server, and in addition one command and one file at a
//! time.
//!
//! Its answers carry no ids. A status belongs to its server's request, a response to the command with its id. An error
//! names neither, and is only attributed if it can belong to just one request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::commands::Response;
use protocol::{ErrorReport, ServerId, Status, ToPanel};
use tokio::sync::{Notify, OwnedMutexGuard, oneshot};

use super::answers::{self, Question, RequestProgress, StateReport};
use super::requests::{Completion, LegacyRequest};
use crate::agents::error::RequestError;
use crate::agents::session::Outcome;

type Turn = Arc<tokio::sync::Mutex<()>>;

/// Requests in flight of one agent.
#[derive(Default)]
pub(super) struct InFlight {
    entries: Mutex<Vec<Entry>>,
    next: AtomicU64,
    /// One lock per server, held during a request.
    servers: Mutex<HashMap<ServerId, Turn>>,
    /// Held during a command, because a burst of commands crashes the Go agent.
    command: Turn,
    /// Held during a request for a file or the system info, whose answers may not name a server.
    unnamed: Turn,
    /// States of servers before their kill was accepted, in case it fails.
    before: Mutex<HashMap<ServerId, Status>>,
}

/// A request in flight.
struct Entry {
    number: u64,
    /// The id it was sent with.
    id: String,
    server_id: Option<ServerId>,
    /// Image of a create request.
    image: Option<String>,
    completion: Completion,
    /// The last intermediate status; used as the answer at the deadline.
    so_far: Option<Status>,
    /// An error that may belong to this request or to another.
    doubtful: Option<ErrorReport>,
    answer: Option<oneshot::Sender<Outcome>>,
    over: Arc<Notify>,
}

/// A request in flight; removed from the list when dropped.
pub(super) struct Ticket<'f> {
    requests: &'f InFlight,
    number: u64,
    over: Arc<Notify>,
}

/// Locks that a request holds until it is over.
pub(super) struct Turns {
    _server: Option<OwnedMutexGuard<()>>,
    _form: Option<OwnedMutexGuard<()>>,
}

impl InFlight {
    /// Waits for this request's locks.
    pub(super) async fn turns(&self, request: &LegacyRequest) -> Turns {
        let turn = request.server_id.as_ref().filter(|id| !self.overtakes(request.completion, id));
        let turn = turn.map(|id| self.turn_of(id));
        let server = match turn {
            Some(turn) => Some(turn.lock_owned().await),
            None => None,
        };
        let form = match request.completion {
            completion if completion.is_command() => Some(Arc::clone(&self.command).lock_owned().await),
            Completion::File | Completion::Info => Some(Arc::clone(&self.unnamed).lock_owned().await),
            _ => None,
        };
        Turns { _server: server, _form: form }
    }

    /// A kill does not wait for a stop or start that hangs, and a state request never waits.
    fn overtakes(&self, completion: Completion, server_id: &ServerId) -> bool {
        let hangs = |entry: &Entry| {
            entry.server_id.as_deref() == Some(server_id)
                && matches!(entry.completion, Completion::Stopped | Completion::Running)
        };
        match completion {
            Completion::State => true,
            Completion::Killed => lock(&self.entries).iter().any(hangs),
            _ => false,
        }
    }

    fn turn_of(&self, server_id: &ServerId) -> Turn {
        let mut servers = lock(&self.servers);
        // Removes locks that nobody holds or waits for.
        servers.retain(|id, turn| id == server_id || Arc::strong_count(turn) > 1);
        Arc::clone(servers.entry(server_id.to_owned()).or_default())
    }

    /// Registers a request before it is sent; its first answer goes to `answer`.
    pub(super) fn begin(
        &self,
        id: &str,
        request: &LegacyRequest,
        answer: oneshot::Sender<Outcome>,
    ) -> Ticket<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let over = Arc::new(Notify::new());
        let entry = Entry {
            number,
            id: id.to_owned(),
            server_id: request.server_id.clone(),
            image: request.image(),
            completion: request.completion,
            so_far: None,
            doubtful: None,
            answer: Some(answer),
            over: Arc::clone(&over),
        };
        lock(&self.entries).push(entry);
        Ticket { requests: self, number, over }
    }

    /// Whether a request for this server is in flight.
    pub(super) fn is_busy(&self, server_id: &ServerId) -> bool {
        lock(&self.entries).iter().any(|entry| entry.server_id.as_deref() == Some(server_id))
    }

    /// Handles a message without an id, which may answer one or more requests.
    pub(super) fn note(&self, message: &ToPanel) {
        let mut entries = lock(&self.entries);
        if let ToPanel::Error(report) = message {
            return note_error(&mut entries, report);
        }
        for entry in entries.iter_mut() {
            let progress = answers::progress(message, &entry.question());
            entry.take(progress);
        }
    }

    /// Handles the response to a command. Returns the server state it implies, if no other message reports it.
    pub(super) fn responded(&self, response: &Response) -> Option<StateReport> {
        let mut entries = lock(&self.entries);
        let entry = entries.iter_mut().find(|entry| entry.id == response.id)?;
        let (progress, report) = answers::response(response, &entry.question());
        entry.take(progress);
        report
    }

    /// Stores the state that a server had when its kill was accepted.
    pub(super) fn set_before(&self, server_id: &ServerId, status: Status) {
        lock(&self.before).insert(server_id.to_owned(), status);
    }

    /// Removes and returns that state.
    pub(super) fn take_before(&self, server_id: &ServerId) -> Option<Status> {
        lock(&self.before).remove(server_id)
    }
}

/// Attributes an error: to the request whose container or image it names, else to the only request there is.
fn note_error(entries: &mut [Entry], report: &ErrorReport) {
    let named = |entry: &Entry| {
        let server = entry.server_id.as_deref();
        server.is_some_and(|id| {
            names(&report.message, &format!("ctrl-alt-play-{id}")) || report.server_id.as_deref() == Some(id)
        }) || entry.image.as_deref().is_some_and(|image| report.message.contains(image))
    };
    let found: Vec<usize> = (0..entries.len()).filter(|at| named(&entries[*at])).collect();
    let only = match (found.as_slice(), entries.len()) {
        ([one], _) => Some(*one),
        ([], 1) => Some(0),
        _ => None,
    };
    match only {
        // Its second response will report the same error with an id.
        Some(at) if entries[at].was_accepted() => {}
        Some(at) => {
            let entry = &mut entries[at];
            let gone =
                entry.completion == Completion::Deleted && report.message.contains("No such container");
            // If the server to be deleted does not exist, the delete succeeded.
            let answer = if gone { answers::answer(Status::Deleted) } else { ToPanel::Error(report.clone()) };
            entry.take(RequestProgress::Answer(answer));
        }
        None => {
            for entry in entries {
                entry.doubtful = Some(report.clone());
            }
        }
    }
}

/// Whether `text` contains `name` as a whole: `…-1` is not in `…-10`.
fn names(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.match_indices(name).any(|(at, _)| !text[at + name.len()..].starts_with(part))
}

impl Entry {
    fn take(&mut self, progress: RequestProgress) {
        match progress {
            RequestProgress::Nothing => {}
            RequestProgress::OnTheWay(status) => self.so_far = Some(status),
            RequestProgress::Accepted(status) => {
                self.so_far = Some(status.clone());
                self.reply(answers::answer(status));
            }
            RequestProgress::Answer(answer) => {
                self.reply(answer);
                self.over.notify_one();
            }
        }
    }

    /// Whether the caller already has an answer.
    fn was_accepted(&self) -> bool {
        self.answer.is_none()
    }

    fn question(&self) -> Question<'_> {
        Question {
            server_id: self.server_id.as_ref(),
            completion: self.completion,
            accepted: self.was_accepted(),
        }
    }

    fn reply(&mut self, message: ToPanel) {
        if let Some(answer) = self.answer.take() {
            // The caller may have given up.
            drop(answer.send(answers::outcome(message)));
        }
    }
}

impl Ticket<'_> {
    /// Waits until the agent is done with the request.
    pub(super) async fn over(&self) {
        self.over.notified().await;
    }

    /// Ends the request at its deadline with the best answer so far, or else `otherwise`.
    pub(super) fn late(&self, otherwise: RequestError) {
        let mut entries = lock(&self.requests.entries);
        let Some(entry) = entries.iter_mut().find(|entry| entry.number == self.number) else { return };
        let outcome = match (&entry.so_far, &entry.doubtful) {
            (Some(status), _) => Ok(answers::answer(status.clone())),
            (None, Some(report)) => Err(answers::refused(report.clone())),
            (None, None) => Err(otherwise),
        };
        if let Some(answer) = entry.answer.take() {
            drop(answer.send(outcome));
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        lock(&self.requests.entries).retain(|entry| entry.number != self.number);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
