//! The requests that a legacy agent has in flight: one for each server, and beside those one
//! command and one file at a time.
//!
//! Its answers carry no ids. A status belongs to its server's requests, a response to the command with its id; an error
//! names neither, and is attributed only where it can belong to one request alone.

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

/// The requests of one agent.
#[derive(Default)]
pub(super) struct InFlight {
    entries: Mutex<Vec<Entry>>,
    next: AtomicU64,
    /// Held while something is asked of a server.
    servers: Mutex<HashMap<ServerId, Turn>>,
    /// Held while a command is asked: a burst of them crashes the Go agent.
    command: Turn,
    /// Held while a file or the system info is asked for: such answers may name nothing at all.
    unnamed: Turn,
    /// The states of servers before their kill was accepted.
    before: Mutex<HashMap<ServerId, Status>>,
}

/// One request.
struct Entry {
    number: u64,
    /// The id under which it was sent.
    id: String,
    server_id: Option<ServerId>,
    /// Of a create.
    image: Option<String>,
    completion: Completion,
    /// The last status on the way; at the deadline it is better than nothing.
    so_far: Option<Status>,
    /// An error that may have been the answer to this or to another request.
    doubtful: Option<ErrorReport>,
    answer: Option<oneshot::Sender<Outcome>>,
    over: Arc<Notify>,
}

/// A request under way; gone from the list when dropped.
pub(super) struct Ticket<'f> {
    requests: &'f InFlight,
    number: u64,
    over: Arc<Notify>,
}

/// What a request holds until it is over.
pub(super) struct Turns {
    _server: Option<OwnedMutexGuard<()>>,
    _form: Option<OwnedMutexGuard<()>>,
}

impl InFlight {
    /// Waits for this request's turn.
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

    /// A kill never waits behind a stop or a start that hangs; and a request for a state does not wait at all.
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
        // Those that nobody holds or waits for.
        servers.retain(|id, turn| id == server_id || Arc::strong_count(turn) > 1);
        Arc::clone(servers.entry(server_id.to_owned()).or_default())
    }

    /// Notes a request before it is sent; its first answer goes to `answer`.
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

    /// Whether something is asked of this server at the moment.
    pub(super) fn is_busy(&self, server_id: &ServerId) -> bool {
        lock(&self.entries).iter().any(|entry| entry.server_id.as_deref() == Some(server_id))
    }

    /// A message without an id may answer some of them.
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

    /// The answer to a command; returns what it says of its server that no other message will.
    pub(super) fn responded(&self, response: &Response) -> Option<StateReport> {
        let mut entries = lock(&self.entries);
        let entry = entries.iter_mut().find(|entry| entry.id == response.id)?;
        let (progress, report) = answers::response(response, &entry.question());
        entry.take(progress);
        report
    }

    /// Keeps the state that a server had when its kill was accepted.
    pub(super) fn set_before(&self, server_id: &ServerId, status: Status) {
        lock(&self.before).insert(server_id.to_owned(), status);
    }

    /// That state.
    pub(super) fn take_before(&self, server_id: &ServerId) -> Option<Status> {
        lock(&self.before).remove(server_id)
    }
}

/// An error that names nobody: Docker's text names the container or the image, else it belongs to the only request there is.
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
        // Its second response says the same, and of whom.
        Some(at) if entries[at].was_accepted() => {}
        Some(at) => {
            let entry = &mut entries[at];
            let gone =
                entry.completion == Completion::Deleted && report.message.contains("No such container");
            // What is not there is deleted.
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

/// Whether a text has this name as a whole: `…-1` is not in `…-10`.
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

    /// The caller has an answer already.
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
            // The caller may have gone.
            drop(answer.send(answers::outcome(message)));
        }
    }
}

impl Ticket<'_> {
    /// Waits until the agent is done with it.
    pub(super) async fn over(&self) {
        self.over.notified().await;
    }

    /// At the deadline: the answer is what is known so far, or `otherwise`.
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
