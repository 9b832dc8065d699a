//! Translates between a session and a legacy agent. Such an agent does not repeat request ids, so requests are sent one
//! at a time per server, each ended by the next status of that server, an error, or a deadline. What the agent does not
//! support is refused here. Its messages are passed on in the form of current agents.

use std::sync::Arc;

use protocol::commands::{Became, CommandName};
use protocol::{
    ConsoleItem, ConsoleLine, ConsoleLines, ConsoleTail, DecodeError, Envelope, ServerId, ServerOutput,
    ServerStatus, Status, ToAgent, ToPanel,
};
use tokio::sync::{mpsc, oneshot};

use super::answers::{self, StateReport};
use super::in_flight::InFlight;
use super::kept_lines::KeptLines;
use super::requests::{Completion, LegacyRequest, encode, translate, unable};
use crate::agents::error::RequestError;
use crate::agents::registry::Registry;
use crate::agents::session::{Outcome, QUEUE, Session};

/// State shared by all adapters.
pub(in crate::agents) struct Shared {
    pub(super) registry: Arc<Registry>,
    lines: KeptLines,
}

impl Shared {
    pub(in crate::agents) fn new(registry: Arc<Registry>) -> Self {
        Self { registry, lines: KeptLines::default() }
    }

    /// Drops what is kept of a deleted server.
    pub(in crate::agents) fn server_gone(&self, server_id: &ServerId) {
        self.lines.forget(server_id);
    }
}

/// Adapter of one session. Cheap to clone.
#[derive(Clone)]
pub(in crate::agents) struct Adapter {
    pub(super) shared: Arc<Shared>,
    pub(super) session: Arc<Session>,
    in_flight: Arc<InFlight>,
    frames: mpsc::Sender<String>,
}

impl Adapter {
    /// Also returns the queue of frames to be written to the agent. Ends with the session.
    pub(in crate::agents) fn new(
        shared: &Arc<Shared>,
        session: &Arc<Session>,
    ) -> (Self, mpsc::Receiver<String>) {
        let (frames, queue) = mpsc::channel(QUEUE);
        // Legacy agents answer a stop only once it is done, so the adapter sets the deadlines instead of the callers.
        session.set_own_deadlines(true);
        let in_flight = Arc::default();
        (Self { shared: Arc::clone(shared), session: Arc::clone(session), in_flight, frames }, queue)
    }

    /// Sends a message of the session to the agent, or answers it here.
    pub(in crate::agents) fn send(&self, envelope: Envelope<ToAgent>) {
        // The legacy protocol has no messages without an answer.
        let Some(id) = envelope.message_id else { return };
        if let ToAgent::ConsoleTail(tail) = &envelope.message {
            return self.session.settle(&id, self.tail(tail));
        }
        let registry = &self.shared.registry;
        let request = match translate(envelope.message, &registry.times.legacy) {
            Ok(request) => request,
            Err(report) => return self.session.finish(&id, Err(RequestError::Refused(report))),
        };
        let adapter = self.clone();
        // Runs to its end even if the caller gives up, because such an agent can only handle one request per server at
        // a time.
        drop(registry.tasks.spawn("legacy-request", async move {
            let (answer, answered) = oneshot::channel();
            let answering = async {
                let outcome = answered.await.unwrap_or(Err(RequestError::Offline));
                adapter.session.finish(&id, outcome);
            };
            tokio::join!(adapter.ask(&id, request, answer), answering);
        }));
    }

    /// Sends a request of the panel itself and waits for the outcome.
    pub(super) async fn ask_now(&self, request: LegacyRequest) -> Outcome {
        let id = self.session.new_id();
        let (answer, answered) = oneshot::channel();
        let ((), outcome) = tokio::join!(self.ask(&id, request, answer), answered);
        outcome.unwrap_or(Err(RequestError::Offline))
    }

    /// Sends a request. `answer` gets the outcome; the function returns when the agent is done.
    async fn ask(&self, id: &str, request: LegacyRequest, answer: oneshot::Sender<Outcome>) {
        let (deadline, completion) = (request.deadline, request.completion);
        if completion == Completion::File && self.session.lacks_files() {
            drop(answer.send(Err(RequestError::Refused(unable("serve files")))));
            return;
        }
        let _expected = matches!(request.message, ToAgent::FileRead(_)).then(|| self.session.expect_file());
        let turns = tokio::select! {
            turns = tokio::time::timeout(deadline, self.in_flight.turns(&request)) => turns,
            () = self.session.ended().cancelled() => return,
        };
        let Ok(_turns) = turns else {
            drop(answer.send(Err(RequestError::Busy)));
            return;
        };
        let ticket = self.in_flight.begin(id, &request, answer);
        let asked = async {
            if self.write(Envelope::with_id(request.message, id)).await {
                ticket.over().await;
            }
        };
        tokio::select! {
            outcome = tokio::time::timeout(deadline, asked) => {
                if outcome.is_err() && completion == Completion::File {
                    self.session.set_lacks_files();
                    self.shared.registry.changes.node(self.session.node_id());
                    ticket.late(RequestError::Refused(unable("serve files")));
                } else if outcome.is_err() {
                    ticket.late(RequestError::Timeout(deadline));
                }
            }
            () = self.session.ended().cancelled() => {}
        }
    }

    /// Queues a frame. Returns whether that was possible.
    async fn write(&self, envelope: Envelope<ToAgent>) -> bool {
        match encode(&envelope, self.session.node_id()) {
            Ok(frame) => self.frames.send(frame).await.is_ok(),
            Err(error) => {
                tracing::error!(%error, "a request could not be written as JSON");
                false
            }
        }
    }

    /// Whether a request for this server is in flight.
    pub(super) fn is_busy(&self, server_id: &ServerId) -> bool {
        self.in_flight.is_busy(server_id)
    }

    /// Handles a message of the agent. Passes the resulting messages to `deliver`.
    pub(in crate::agents) fn receive(
        &self,
        mut envelope: Envelope<ToPanel>,
        deliver: impl Fn(Envelope<ToPanel>),
    ) {
        answers::correct(&mut envelope);
        // Legacy agents never repeat ids, so an id here does not refer to a request.
        let unasked = envelope.message_id.take().is_none();
        // The new state is recorded before the caller gets the answer.
        let message = match &envelope.message {
            ToPanel::ServerOutput(output) => {
                deliver(Envelope::new(ToPanel::ConsoleLines(self.number(output))));
                envelope.message
            }
            // Only useful as an answer, and may be large.
            ToPanel::FileContent(_) => {
                deliver(Envelope::new(ToPanel::FileContent(Default::default())));
                envelope.message
            }
            message @ (ToPanel::ServerStatus(_) | ToPanel::SystemInfo(_) | ToPanel::Error(_)) => {
                let message = message.clone();
                deliver(envelope);
                message
            }
            // No other message answers a request.
            _ => return deliver(envelope),
        };
        if unasked {
            self.in_flight.note(&message);
        }
    }

    /// Handles a frame in the command form, which is not a message of the protocol's tables. Returns false if it is
    /// something else.
    pub(in crate::agents) fn receive_frame(
        &self,
        frame: &[u8],
        error: &DecodeError,
        deliver: impl Fn(Envelope<ToPanel>),
    ) -> bool {
        let DecodeError::UnknownType { kind, .. } = error else { return false };
        if !matches!(kind.as_str(), "response" | "event") {
            return false;
        }
        match CommandName::read(frame) {
            Some(CommandName::Response(response)) => {
                if let Some(report) = self.in_flight.responded(&response) {
                    self.report(report, deliver);
                }
            }
            Some(CommandName::Event(event)) => match (event.status(), event.now) {
                (Some(status), _) => {
                    self.receive(Envelope::new(ToPanel::ServerStatus(Box::new(status))), deliver);
                }
                (None, Became::Done(what, reason)) => {
                    let report = answers::failed(format!("{what}: {}", reason.unwrap_or_default()));
                    self.receive(Envelope::new(ToPanel::Error(report)), deliver);
                }
                (None, Became::Is(_)) => {}
            },
            _ => return false,
        }
        true
    }

    /// Passes on the state that a response reported.
    fn report(&self, report: StateReport, deliver: impl Fn(Envelope<ToPanel>)) {
        let registry = &self.shared.registry;
        let status = match report {
            StateReport::Is(mut status) => {
                let known = registry.lock().server(&status.server_id).status.map(|known| known.status);
                if known.as_ref() == Some(&status.status) {
                    return;
                }
                match (&known, &status.status) {
                    (Some(known), Status::Stopping) => {
                        self.in_flight.set_before(&status.server_id, known.clone());
                    }
                    (Some(Status::Running), Status::Stopped) => {
                        status.error = Some("It ended, and its agent did not say when or why.".to_owned());
                    }
                    _ => {}
                }
                status
            }
            StateReport::KillFailed { server_id, reason } => {
                let Some(before) = self.in_flight.take_before(&server_id) else { return };
                let mut status = ServerStatus::new(server_id, before);
                status.error = Some(format!("It could not be killed: {}", answers::brief(&reason)));
                Box::new(status)
            }
            StateReport::Missing(server_id) => {
                return registry.note_missing(self.session.node_id(), &server_id);
            }
        };
        deliver(Envelope::new(ToPanel::ServerStatus(status)));
    }

    /// Numbers and keeps console lines, which legacy agents send without numbers.
    fn number(&self, output: &ServerOutput) -> ConsoleLines {
        let server_id = output.server_id.clone();
        let lines = if self.shared.registry.owns(self.session.node_id(), &server_id) {
            let line = |text: &str| ConsoleLine {
                seq: 0,
                time: output.timestamp,
                stream: output.stream,
                text: text.to_owned(),
                truncated: false,
            };
            self.shared.lines.note(&server_id, output.output.split('\n').map(line).collect())
        } else {
            Vec::<ConsoleItem>::new()
        };
        ConsoleLines { server_id, lines, ..ConsoleLines::default() }
    }

    /// The recent console lines of a server.
    fn tail(&self, tail: &ConsoleTail) -> ToPanel {
        let server_id = tail.server_id.clone();
        let lines = self.shared.lines.tail(&server_id, tail.tail as usize);
        ToPanel::ConsoleLines(ConsoleLines { server_id, lines, ..ConsoleLines::default() })
    }
}
