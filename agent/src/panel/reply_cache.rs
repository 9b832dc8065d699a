//! Every request is answered once per id. The last answers are cached: a repeated request, whose answer was lost, gets
//! the same answer, and nothing is done twice.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{Ack, Envelope, ErrorCode, ErrorReport, ServerId, Status, ToPanel};

use tokio::sync::oneshot;

use crate::link::Outbox;

/// Number of cached answers.
const REMEMBERED: usize = 1_000;
/// Maximum number of requests in progress; more are refused.
const PENDING: usize = 10_000;

/// The reply cache of an agent. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    out: Outbox<ToPanel>,
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    /// By request id; `None` while in progress.
    known: HashMap<String, Option<ToPanel>>,
    order: VecDeque<String>,
}

impl Answers {
    pub(crate) fn new(out: Outbox<ToPanel>) -> Self {
        Self { out, memory: Arc::default() }
    }

    /// Registers a request. `None` if it was seen before: it is answered again, or will be.
    pub(crate) fn take(&self, id: Option<String>, server_id: Option<&ServerId>) -> Option<Reply> {
        if let Some(id) = &id {
            let mut memory = self.lock();
            match memory.known.get(id) {
                Some(Some(answer)) => {
                    let answer = answer.clone();
                    drop(memory);
                    self.send(Some(id), answer);
                    return None;
                }
                Some(None) => return None,
                None => {}
            }
            if memory.known.len() - memory.order.len() >= PENDING {
                drop(memory);
                let reply =
                    Reply { answers: self.clone(), id: None, server_id: None, open: false, here: None };
                self.send(Some(id), reply.error(ErrorCode::Busy, "The node has too much to do."));
                return None;
            }
            memory.known.insert(id.clone(), None);
        }
        Some(Reply { answers: self.clone(), id, server_id: server_id.cloned(), open: true, here: None })
    }

    /// Creates a reply for a request of the agent itself; the answer goes to the receiver, not to the panel.
    pub(crate) fn here(&self) -> (Reply, oneshot::Receiver<ToPanel>) {
        let (here, answer) = oneshot::channel();
        (Reply { answers: self.clone(), id: None, server_id: None, open: true, here: Some(here) }, answer)
    }

    fn send(&self, id: Option<&str>, message: ToPanel) {
        let envelope = match id {
            Some(id) => Envelope::with_id(message, id),
            None => Envelope::new(message),
        };
        if let Err(error) = self.out.try_send(envelope) {
            tracing::debug!(%error, "an answer could not be sent");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer owed to one request. If dropped unanswered, it reports a failure.
#[derive(Debug)]
pub(crate) struct Reply {
    answers: Answers,
    id: Option<String>,
    server_id: Option<ServerId>,
    open: bool,
    /// Set if the answer goes here instead of the panel.
    here: Option<oneshot::Sender<ToPanel>>,
}

impl Reply {
    /// Answers: done, or accepted with this status.
    pub(crate) fn ack(self, status: Option<Status>) {
        self.answer(ToPanel::Ack(Ack { status }));
    }

    /// Answers: refused or failed.
    pub(crate) fn refuse(self, code: ErrorCode, message: impl Into<String>) {
        let error = self.error(code, message);
        self.answer(error);
    }

    /// Answers with a message of another kind.
    pub(crate) fn answer(mut self, message: ToPanel) {
        self.settle(message);
    }

    fn error(&self, code: ErrorCode, message: impl Into<String>) -> ToPanel {
        ToPanel::Error(ErrorReport {
            code,
            message: message.into(),
            details: None,
            server_id: self.server_id.clone(),
        })
    }

    fn settle(&mut self, message: ToPanel) {
        self.open = false;
        if let Some(here) = self.here.take() {
            // The requester may no longer wait.
            drop(here.send(message));
            return;
        }
        let Some(id) = self.id.take() else {
            // Nobody waits for it; only a failure or data is worth a message.
            if !matches!(message, ToPanel::Ack(_)) {
                self.answers.send(None, message);
            }
            return;
        };
        let mut memory = self.answers.lock();
        if is_act(&message) {
            memory.known.insert(id.clone(), Some(message.clone()));
            memory.order.push_back(id.clone());
        } else {
            memory.known.remove(&id);
        }
        if memory.order.len() > REMEMBERED
            && let Some(oldest) = memory.order.pop_front()
        {
            memory.known.remove(&oldest);
        }
        drop(memory);
        self.answers.send(Some(&id), message);
    }
}

/// Whether the request changed something, so that it must not be repeated. Answers to reads are not cached: a thousand
/// files and consoles would take gigabytes of memory.
fn is_act(answer: &ToPanel) -> bool {
    match answer {
        ToPanel::Ack(_) | ToPanel::Error(_) => true,
        ToPanel::FileContent(file) => file.content.is_none(),
        // These also answer requests with effects; the end of a job is known by its id.
        ToPanel::FileInfo(_) | ToPanel::UploadInfo(_) => true,
        _ => false,
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if self.open {
            let error = self.error(ErrorCode::Busy, "The request was broken off. Try again.");
            self.settle(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::local;
    use protocol::FileContent;

    #[tokio::test]
    async fn a_request_that_comes_again_gets_the_same_answer() {
        let (mut panel, agent) = local(8);
        let answers = Answers::new(agent.to_panel.clone());
        let reply = answers.take(Some("1".into()), Some(&"a".into())).unwrap();
        assert!(answers.take(Some("1".into()), Some(&"a".into())).is_none(), "it is under way");
        reply.ack(Some(Status::Starting));
        assert!(answers.take(Some("1".into()), Some(&"a".into())).is_none(), "it was answered");
        let first = panel.from_agent.recv().await.unwrap();
        let second = panel.from_agent.recv().await.unwrap();
        assert_eq!(first.message, ToPanel::Ack(Ack { status: Some(Status::Starting) }));
        assert_eq!((first.message, first.message_id), (second.message, second.message_id));
    }

    #[tokio::test]
    async fn what_was_only_read_is_not_kept() {
        let (mut panel, agent) = local(8);
        let answers = Answers::new(agent.to_panel.clone());
        let read = FileContent { path: "x".into(), content: Some("y".into()), ..FileContent::default() };
        answers.take(Some("1".into()), None).unwrap().answer(ToPanel::FileContent(read));
        assert!(answers.lock().known.is_empty());
        assert!(answers.take(Some("1".into()), None).is_some(), "it is read again");
        panel.from_agent.recv().await.unwrap();
        let written = FileContent { path: "x".into(), ..FileContent::default() };
        answers.take(Some("2".into()), None).unwrap().answer(ToPanel::FileContent(written));
        assert!(answers.take(Some("2".into()), None).is_none(), "it is written once");
    }

    #[tokio::test]
    async fn a_thousand_are_remembered_and_a_forgotten_reply_is_an_error() {
        let (mut panel, agent) = local(8);
        let answers = Answers::new(agent.to_panel.clone());
        for n in 0..1_001 {
            answers.take(Some(n.to_string()), None).unwrap().ack(None);
        }
        assert!(answers.take(Some("1".into()), None).is_none());
        drop(answers.take(Some("0".into()), Some(&"a".into())).unwrap());
        let mut last = None;
        for _ in 0..1_003 {
            last = panel.from_agent.recv().await;
        }
        let ToPanel::Error(error) = last.unwrap().message else { panic!("no error") };
        assert_eq!((error.code, error.server_id.as_deref()), (ErrorCode::Busy, Some("a")));
    }
}
