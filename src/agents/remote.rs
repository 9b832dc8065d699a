//! An agent on another machine: its messages come over a WebSocket, as JSON text.

use std::sync::Arc;
use std::time::Duration;

use agent::pace::paced;
use agent::protocol::{DecodeError, Envelope, ErrorReport, ToAgent, ToPanel, capability, decode};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_util::sync::CancellationToken;

use super::registry::Agents;
use super::session::Session;

/// The largest message of an agent.
pub const MAX_MESSAGE: usize = 32 << 20;
/// The largest one before it has said what it is.
const MAX_FIRST: usize = 64 * 1024;
const PING_EVERY: Duration = Duration::from_secs(15);
/// Where `ack` was agreed: this long without a sign of life, and it is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// An agent of part 1 that says nothing for this long is shown as offline, and not closed: pongs don't count.
const QUIET: Duration = Duration::from_secs(60);
/// An agent that takes nothing for this long is gone.
const BLOCKED: Duration = Duration::from_secs(30);
/// How long a last word may take. Some agents answer a close and leave the connection open: then it is cut.
const FAREWELL: Duration = Duration::from_secs(3);

const REPLACED: End = End::Close(4409, "replaced");
const REMOVED: End = End::Close(1008, "the node was removed");
/// The secret that let it in opens no more.
const SHUT_OUT: End = End::Close(1008, "the node's secret has changed");

/// Why it is over.
enum End {
    Close(u16, &'static str),
    Gone,
    /// It has said nothing for long; it may yet come back on this connection.
    Quiet,
}

/// Speaks with the agent of a node until one side is gone, or `token` says that its time here is over.
pub async fn speak<S>(socket: WebSocketStream<S>, agents: Agents, node_id: String, token: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, mut stream) = socket.split();
    let mut first = None;
    let mut known = false;
    let end = loop {
        let (session, queue) = agents.attach(&node_id);
        session.set_answers(false);
        let talk = Talk { agents: &agents, session: &session, token: &token };
        let end = talk.run(&mut sink, &mut stream, queue, first.take(), &mut known).await;
        agents.detach(&session);
        if !matches!(end, End::Quiet) {
            break end;
        }
        tracing::info!(node = node_id, "nothing heard for 60 s: taken for offline");
        // Only a message brings it back.
        match word(&mut stream, &token).await {
            Some(message) => first = Some(message),
            None if token.is_cancelled() => break over(&agents),
            None => break End::Gone,
        }
        // While it was quiet, a newer connection may have come, or the node may have gone: a stale word takes no place.
        if !agents.has_node(&node_id) {
            break REMOVED;
        }
        if agents.session(&node_id).is_ok() {
            break REPLACED;
        }
    };
    if let End::Close(code, reason) = end {
        tracing::debug!(node = node_id, code, reason, "the connection of an agent is closed");
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        let _ = timeout(FAREWELL, sink.send(Message::Close(Some(frame)))).await;
    }
}

/// Why its time is over.
fn over(agents: &Agents) -> End {
    if agents.is_stopping() { End::Close(1001, "the panel is stopping") } else { SHUT_OUT }
}

async fn word<S>(stream: &mut SplitStream<WebSocketStream<S>>, token: &CancellationToken) -> Option<Message>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        tokio::select! {
            () = token.cancelled() => return None,
            message = stream.next() => match message? {
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => return Some(message),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            },
        }
    }
}

struct Talk<'t> {
    agents: &'t Agents,
    session: &'t Arc<Session>,
    token: &'t CancellationToken,
}

impl Talk<'_> {
    async fn run<S>(
        &self,
        sink: &mut SplitSink<WebSocketStream<S>, Message>,
        stream: &mut SplitStream<WebSocketStream<S>>,
        mut queue: mpsc::Receiver<Envelope<ToAgent>>,
        first: Option<Message>,
        known: &mut bool,
    ) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut ping = interval_at(Instant::now() + paced(PING_EVERY), paced(PING_EVERY));
        // Any sign of life, and the last message.
        let (mut alive, mut heard) = (Instant::now(), Instant::now());
        if let Some(message) = first
            && let Err(end) = self.take(&message, known)
        {
            return end;
        }
        loop {
            let answers = self.session.answers();
            let deadline = if answers { alive + paced(SILENCE) } else { heard + paced(QUIET) };
            let out = tokio::select! {
                () = self.token.cancelled() => return over(self.agents),
                () = self.session.ended().cancelled() => return self.ended(),
                () = sleep_until(deadline) => return if answers { End::Gone } else { End::Quiet },
                asked = queue.recv() => match asked {
                    Some(envelope) => match serde_json::to_string(&envelope) {
                        Ok(text) => Message::text(text),
                        Err(error) => {
                            tracing::error!(%error, "a request could not be written as JSON");
                            continue;
                        }
                    },
                    None => return End::Close(1001, "the panel is stopping"),
                },
                message = stream.next() => {
                    alive = Instant::now();
                    let message = match message {
                        Some(Ok(message)) => message,
                        Some(Err(Error::Capacity(_))) => return End::Close(1009, "too long"),
                        Some(Err(_)) | None => return End::Gone,
                    };
                    if matches!(message, Message::Close(_)) {
                        return End::Gone;
                    }
                    if matches!(message, Message::Text(_) | Message::Binary(_)) {
                        heard = alive;
                    }
                    match self.take(&message, known) {
                        Ok(Some(answer)) => answer,
                        Ok(None) => continue,
                        Err(end) => return end,
                    }
                }
                _ = ping.tick(), if answers => Message::Ping(Bytes::new()),
            };
            match timeout(paced(BLOCKED), sink.send(out)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return End::Gone,
            }
        }
    }

    /// Somebody else ended it.
    fn ended(&self) -> End {
        if self.agents.has_node(self.session.node_id()) { REPLACED } else { REMOVED }
    }

    /// One message; gives the answer where it can't be taken.
    fn take(&self, message: &Message, known: &mut bool) -> Result<Option<Message>, End> {
        let bytes: &[u8] = match message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
            _ => return Ok(None),
        };
        if !*known && bytes.len() > MAX_FIRST {
            return Err(End::Close(1009, "too long for a first message"));
        }
        match decode::<ToPanel>(bytes) {
            Ok(envelope) => {
                if let ToPanel::SystemInfo(info) = &envelope.message {
                    *known = true;
                    self.session.set_answers(info.capabilities.iter().any(|word| word == capability::ACK));
                }
                self.agents.receive(self.session, envelope);
                Ok(None)
            }
            Err(error) => Ok(self.refuse(&error)),
        }
    }

    fn refuse(&self, error: &DecodeError) -> Option<Message> {
        tracing::debug!(node = self.session.node_id(), %error, "a message of an agent could not be taken");
        // An agent of part 1 would not know what to do with it.
        if !self.session.answers() {
            return None;
        }
        let (code, message_id) = match error {
            DecodeError::UnknownType { message_id, .. } => ("UNKNOWN_TYPE", message_id.clone()),
            DecodeError::BadData { message_id, .. } => ("BAD_MESSAGE", message_id.clone()),
            DecodeError::NotAMessage(_) => ("BAD_MESSAGE", None),
        };
        let report = ErrorReport { code: code.into(), message: error.to_string(), ..ErrorReport::default() };
        let mut envelope = Envelope::new(ToPanel::Error(report));
        envelope.message_id = message_id;
        serde_json::to_string(&envelope).ok().map(Message::text)
    }
}
