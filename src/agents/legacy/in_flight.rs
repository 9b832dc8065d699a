//! What a legacy agent has in flight: one request for each server, and beside those one
//! command and one file at a time.
//!
//! Its answers carry no ids. A status belongs to its server's requests, a response to the command with its id; an error
//! names neither, and is attributed only where it can belong to one request alone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agent::protocol::commands::Response;
use agent::protocol::{ErrorReport, Status, ToPanel};
use tokio::sync::{Notify, OwnedMutexGuard, oneshot};

use super::{Completion, LegacyRequest, RequestProgress};
use crate::agents::session::RequestError;

/// What a request ends with.
pub(crate) type Outcome = Result<ToPanel, RequestError>;

type Turn = Arc<tokio::sync::Mutex<()>>;

/// The requests of one agent.
#[derive(Default)]
pub(crate) struct InFlight {
    entries: Mutex<Vec<Entry>>,
    next: AtomicU64,
    /// Who may ask something of a server.
    servers: Mutex<HashMap<String, Turn>>,
    /// Who may send a command: a burst of them crashes the Go agent.
    command: Turn,
    /// Who may ask for a file, or for what the agent is: such answers may name nothing at all.
    unnamed: Turn,
    /// It did not answer when it was asked for a file.
    no_files: AtomicBool,
    /// What servers were before their kill was accepted.
    before: Mutex<HashMap<String, Status>>,
}

/// One request.
pub(super) struct Entry {
    number: u64,
    /// Under which it is sent.
    pub(super) id: String,
    pub(super) server_id: Option<String>,
    /// Of a create.
    image: Option<String>,
    pub(super) goal: Completion,
    /// What was heard on the way; at the deadline it is better than nothing.
    so_far: Option<Status>,
    /// An error that may have been the answer to this or to another request.
    doubtful: Option<ErrorReport>,
    answer: Option<oneshot::Sender<Outcome>>,
    over: Arc<Notify>,
}

/// A request under way; gone from the list when dropped.
pub(crate) struct Ticket<'f> {
    requests: &'f InFlight,
    number: u64,
    over: Arc<Notify>,
}

/// The turns that a request holds until it is over.
pub(crate) struct PollTurns {
    _server: Option<OwnedMutexGuard<()>>,
    _form: Option<OwnedMutexGuard<()>>,
}

impl InFlight {
    /// Waits for this request's turn.
    pub(crate) async fn turns(&self, translate: &LegacyRequest) -> PollTurns {
        let turn = translate.server_id.as_ref().filter(|id| !self.overtakes(translate.goal, id));
        let turn = turn.map(|id| self.turn_of(id));
        let server = match turn {
            Some(turn) => Some(turn.lock_owned().await),
            None => None,
        };
        let form = match translate.goal {
            goal if goal.is_command() => Some(Arc::clone(&self.command).lock_owned().await),
            Completion::File | Completion::Info => Some(Arc::clone(&self.unnamed).lock_owned().await),
            _ => None,
        };
        PollTurns { _server: server, _form: form }
    }

    /// A kill never waits behind a stop or a start that hangs; and a question does not wait at all.
    fn overtakes(&self, goal: Completion, server_id: &str) -> bool {
        let hangs = |entry: &Entry| {
            entry.server_id.as_deref() == Some(server_id)
                && matches!(entry.goal, Completion::Stopped | Completion::Running)
        };
        match goal {
            Completion::State => true,
            Completion::Killed => lock(&self.entries).iter().any(hangs),
            _ => false,
        }
    }

    fn turn_of(&self, server_id: &str) -> Turn {
        let mut servers = lock(&self.servers);
        // Those that nobody holds or waits for.
        servers.retain(|id, turn| id == server_id || Arc::strong_count(turn) > 1);
        Arc::clone(servers.entry(server_id.to_owned()).or_default())
    }

    /// Notes a request before it is sent; its first answer goes to `answer`.
    pub(crate) fn begin(
        &self,
        id: &str,
        translate: &LegacyRequest,
        answer: oneshot::Sender<Outcome>,
    ) -> Ticket<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let over = Arc::new(Notify::new());
        let entry = Entry {
            number,
            id: id.to_owned(),
            server_id: translate.server_id.clone(),
            image: translate.image(),
            goal: translate.goal,
            so_far: None,
            doubtful: None,
            answer: Some(answer),
            over: Arc::clone(&over),
        };
        lock(&self.entries).push(entry);
        Ticket { requests: self, number, over }
    }

    /// Whether something is asked of this server at the moment.
    pub(crate) fn is_busy(&self, server_id: &str) -> bool {
        lock(&self.entries).iter().any(|entry| entry.server_id.as_deref() == Some(server_id))
    }

    /// A message without an id may answer some of them.
    pub(crate) fn hear(&self, message: &ToPanel) {
        let mut entries = lock(&self.entries);
        if let ToPanel::Error(report) = message {
            return hear_error(&mut entries, report);
        }
        for entry in entries.iter_mut() {
            let heard = super::heard(message, entry);
            entry.take(heard);
        }
    }

    /// The answer to a command. What it says of its server that nothing else will say.
    pub(crate) fn responded(&self, response: &Response) -> Option<super::Told> {
        let mut entries = lock(&self.entries);
        let entry = entries.iter_mut().find(|entry| entry.id == response.id)?;
        let (heard, status) = super::responded(response, entry);
        entry.take(heard);
        status
    }

    pub(crate) fn lacks_files(&self) -> bool {
        self.no_files.load(Ordering::Relaxed)
    }

    pub(crate) fn set_lacks_files(&self) {
        self.no_files.store(true, Ordering::Relaxed);
    }

    /// Keeps what a server was when its kill was accepted.
    pub(super) fn set_before(&self, server_id: &str, status: Status) {
        lock(&self.before).insert(server_id.to_owned(), status);
    }

    /// What it was then.
    pub(super) fn take_before(&self, server_id: &str) -> Option<Status> {
        lock(&self.before).remove(server_id)
    }

    /// Everybody who waits learns that the node is offline.
    pub(crate) fn end(&self) {
        for entry in lock(&self.entries).iter_mut() {
            entry.answer = None;
            entry.over.notify_one();
        }
    }
}

/// An error that names nobody: Docker's text names the container or the image, else it belongs to the only request there is.
fn hear_error(entries: &mut [Entry], report: &ErrorReport) {
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
            let gone = entry.goal == Completion::Deleted && report.message.contains("No such container");
            // What is not there is deleted.
            let answer = if gone { super::answer(Status::Deleted) } else { ToPanel::Error(report.clone()) };
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
                self.tell(super::answer(status));
            }
            RequestProgress::Answer(answer) => {
                self.tell(answer);
                self.over.notify_one();
            }
        }
    }

    /// Its answer is under way already.
    pub(super) fn was_accepted(&self) -> bool {
        self.answer.is_none()
    }

    fn tell(&mut self, answer: ToPanel) {
        let outcome = match answer {
            ToPanel::Error(report) => Err(RequestError::Refused(Box::new(report))),
            other => Ok(other),
        };
        if let Some(answer) = self.answer.take() {
            // Nobody waiting any more is fine.
            drop(answer.send(outcome));
        }
    }
}

impl Ticket<'_> {
    /// Waits until the agent is done with it.
    pub(crate) async fn over(&self) {
        self.over.notified().await;
    }

    /// At the deadline: gives what is known instead of an answer.
    pub(crate) fn late(&self, otherwise: RequestError) {
        let mut entries = lock(&self.requests.entries);
        let Some(entry) = entries.iter_mut().find(|entry| entry.number == self.number) else { return };
        let outcome = match (&entry.so_far, &entry.doubtful) {
            (Some(status), _) => Ok(super::answer(status.clone())),
            (None, Some(report)) => Err(RequestError::Refused(Box::new(report.clone()))),
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
