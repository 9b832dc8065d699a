//! Stands between a session and the wire of a legacy agent. Such an agent repeats no ids, so requests go to it one at a time for each server, each ended by the next status of that server, an error, or a
//! deadline; what it cannot do is refused here. Its messages are given on as those of any other agent.

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

/// What all adapters share.
pub(in crate::agents) struct Shared {
    pub(super) registry: Arc<Registry>,
    lines: KeptLines,
}

impl Shared {
    pub(in crate::agents) fn new(registry: Arc<Registry>) -> Self {
        Self { registry, lines: KeptLines::default() }
    }

    /// A server was deleted.
    pub(in crate::agents) fn server_gone(&self, server_id: &ServerId) {
        self.lines.forget(server_id);
    }
}

/// The adapter of one session. Cheap to clone.
#[derive(Clone)]
pub(in crate::agents) struct Adapter {
    pub(super) shared: Arc<Shared>,
    pub(super) session: Arc<Session>,
    in_flight: Arc<InFlight>,
    frames: mpsc::Sender<String>,
}

impl Adapter {
    /// The second part is the queue of what is to be written to the agent. Ends with the session.
    pub(in crate::agents) fn new(
        shared: &Arc<Shared>,
        session: &Arc<Session>,
    ) -> (Self, mpsc::Receiver<String>) {
        let (frames, queue) = mpsc::channel(QUEUE);
        // Such agents answer a stop once it is done: callers do not know how long that may take.
        session.set_own_deadlines(true);
        let in_flight = Arc::default();
        (Self { shared: Arc::clone(shared), session: Arc::clone(session), in_flight, frames }, queue)
    }

    /// Sends what the session has for the agent, or answers in its place.
    pub(in crate::agents) fn send(&self, envelope: Envelope<ToAgent>) {
        // The legacy protocol has no message that wants no answer.
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
        // To its end, also when the caller hangs up half-way: only one request of a server may be with such an agent.
        drop(registry.tasks.spawn("legacy-request", async move {
            let (answer, answered) = oneshot::channel();
            let answering = async {
                let outcome = answered.await.unwrap_or(Err(RequestError::Offline));
                adapter.session.finish(&id, outcome);
            };
            tokio::join!(adapter.ask(&id, request, answer), answering);
        }));
    }

    /// Asks something for the panel itself.
    pub(super) async fn ask_now(&self, request: LegacyRequest) -> Outcome {
        let id = self.session.new_id();
        let (answer, answered) = oneshot::channel();
        let ((), outcome) = tokio::join!(self.ask(&id, request, answer), answered);
        outcome.unwrap_or(Err(RequestError::Offline))
    }

    /// `answer` gets the outcome; this returns when the agent is done.
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

    /// Whether it could be queued.
    async fn write(&self, envelope: Envelope<ToAgent>) -> bool {
        match encode(&envelope, self.session.node_id()) {
            Ok(frame) => self.frames.send(frame).await.is_ok(),
            Err(error) => {
                tracing::error!(%error, "a request could not be written as JSON");
                false
            }
        }
    }

    /// Whether something is asked of this server at the moment.
    pub(super) fn is_busy(&self, server_id: &ServerId) -> bool {
        self.in_flight.is_busy(server_id)
    }

    /// Takes a message of the agent, and gives `deliver` what it means.
    pub(in crate::agents) fn receive(
        &self,
        mut envelope: Envelope<ToPanel>,
        deliver: impl Fn(Envelope<ToPanel>),
    ) {
        answers::correct(&mut envelope);
        // It repeats no ids; one that comes is not of a request.
        let unasked = envelope.message_id.take().is_none();
        // What the state is has to be known before the caller has his answer.
        let message = match &envelope.message {
            ToPanel::ServerOutput(output) => {
                deliver(Envelope::new(ToPanel::ConsoleLines(self.number(output))));
                envelope.message
            }
            // May be large, and means nothing beside the answer.
            ToPanel::FileContent(_) => {
                deliver(Envelope::new(ToPanel::FileContent(Default::default())));
                envelope.message
            }
            message @ (ToPanel::ServerStatus(_) | ToPanel::SystemInfo(_) | ToPanel::Error(_)) => {
                let message = message.clone();
                deliver(envelope);
                message
            }
            // Nothing else answers a request.
            _ => return deliver(envelope),
        };
        if unasked {
            self.in_flight.note(&message);
        }
    }

    /// Takes a frame in the command form, which is no message of the tables. False where it is something else.
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

    /// What a response has said of a server.
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

    /// Lines without numbers: they are numbered and kept here, for servers of this node.
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

    /// The last lines of a server.
    fn tail(&self, tail: &ConsoleTail) -> ToPanel {
        let server_id = tail.server_id.clone();
        let lines = self.shared.lines.tail(&server_id, tail.tail as usize);
        ToPanel::ConsoleLines(ConsoleLines { server_id, lines, ..ConsoleLines::default() })
    }
}
