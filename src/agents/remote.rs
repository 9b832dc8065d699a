//! An agent on another machine: its messages come over a WebSocket, as JSON text or MessagePack.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use agent::link::log_counter::LogCounter;
use agent::link::metered_stream::{MeteredStream, StreamMeter};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use protocol::{DecodeError, Encoding, Envelope, ErrorReport, NodeId, ToAgent, ToPanel};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use super::frame_filter::{FrameFilter, FrameLimit};
use super::inbound_rate::InboundRate;
use super::pings::Pings;
use super::session::Session;
use super::{Agents, legacy};

/// Largest message in bytes; a larger one ends the connection.
const MAX_MESSAGE: usize = 32 << 20;
/// Largest message in bytes while no file is requested. A larger one is dropped while it is read.
const MAX_USUAL: usize = 1 << 20;
/// From this size in bytes on, only a few messages are decoded at a time, because they grow several times when decoded.
const LARGE: usize = 64 * 1024;
/// Largest message in bytes before the agent has sent its system info.
const MAX_FIRST: usize = 64 * 1024;
/// Buffer size in bytes; small, because most links are idle most of the time.
const BUFFER: usize = 4 * 1024;
/// Bytes that may have been read beyond the end of a message.
const SLACK: u64 = 2 * BUFFER as u64;
/// Time limit for the closing handshake. Some agents answer it and leave the connection open; then it is cut.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

const REPLACED: End = End::Close(4409, "replaced");
const REMOVED: End = End::Close(1008, "the node was removed");
/// The secret that admitted the agent is no longer valid.
const SECRET_CHANGED: End = End::Close(1008, "the node's secret has changed");

type Sink<S> = SplitSink<WebSocketStream<FrameFilter<MeteredStream<S>>>, Message>;
type Stream<S> = SplitStream<WebSocketStream<FrameFilter<MeteredStream<S>>>>;

/// An authenticated agent.
#[derive(Clone, Debug)]
pub struct AgentConnection {
    /// The node's id.
    pub node_id: NodeId,
    /// Whether the connection uses TLS.
    pub secure: bool,
    /// The negotiated encoding.
    pub encoding: Encoding,
    /// Id of the agent's process; absent from agents that do not send one.
    pub process: Option<String>,
}

/// Why a connection ended.
enum End {
    Close(u16, &'static str),
    Gone,
    /// No message arrived for a long time. The next one may still arrive on this connection.
    Quiet,
}

/// Serves an agent over a new WebSocket connection until either side closes it or `token` is cancelled.
pub async fn serve<S>(connection: S, agents: Agents, agent: AgentConnection, token: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (connection, meter) = MeteredStream::new(connection);
    let (connection, limit) = FrameFilter::new(connection, MAX_USUAL, MAX_MESSAGE);
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let socket = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await;
    let (mut sink, mut stream) = socket.split();
    let node_id = &agent.node_id;
    let mut first = None;
    let mut incoming = Incoming {
        meter,
        limit,
        counted: 0,
        known: false,
        legacy: false,
        rate: InboundRate::new(),
        unreadable: LogCounter::default(),
    };
    incoming.allow(false);
    let end = loop {
        let (session, queue) = agents.attach_as(node_id, agent.process.as_deref());
        session.link.set_transport(agent.secure, agent.encoding);
        let mut connection = Connection {
            agents: &agents,
            session: &session,
            token: &token,
            encoding: agent.encoding,
            peer: Peer::Unknown,
            frames: None,
        };
        let end = connection.run(&mut sink, &mut stream, queue, first.take(), &mut incoming).await;
        agents.detach(&session);
        if !matches!(end, End::Quiet) {
            break end;
        }
        tracing::info!(node = %node_id, "nothing incoming for {:?}: taken for offline", agents.times().legacy.quiet);
        // Only a message brings the session back.
        match next_message(&mut stream, &token).await {
            Some(message) => first = Some(message),
            None if token.is_cancelled() => break over(&agents),
            None => break End::Gone,
        }
        // By now a newer connection may exist, or the node may have been deleted: then this connection is not resumed.
        if !agents.registry().has_node(node_id) {
            break REMOVED;
        }
        if agents.session(node_id).is_ok() {
            break REPLACED;
        }
    };
    if incoming.unreadable.total() > 0 {
        tracing::info!(
            node = %node_id,
            messages = incoming.unreadable.total(),
            "messages of this connection could not be read"
        );
    }
    if let End::Close(code, reason) = end {
        tracing::debug!(node = %node_id, code, reason, "the connection of an agent is closed");
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        let _ = timeout(CLOSE_WITHIN, sink.send(Message::Close(Some(frame)))).await;
    }
}

/// The reason for which the token was cancelled.
fn over(agents: &Agents) -> End {
    if agents.registry().tasks.ending() { End::Close(1001, "the panel is stopping") } else { SECRET_CHANGED }
}

/// The next message. Pings and other control frames are skipped.
async fn next_message<S>(stream: &mut Stream<S>, token: &CancellationToken) -> Option<Message>
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

/// State of a connection across all of its sessions.
struct Incoming {
    meter: StreamMeter,
    limit: FrameLimit,
    /// Bytes received up to the last message.
    counted: u64,
    /// Whether the system info has arrived.
    known: bool,
    /// Whether it is served as a legacy agent.
    legacy: bool,
    rate: InboundRate,
    /// Counts messages that could not be decoded.
    unreadable: LogCounter,
}

impl Incoming {
    /// Sets the size limits. Before the system info a large message is not even read; afterwards it is dropped while
    /// reading.
    fn allow(&self, file: bool) {
        self.limit.set(if file { MAX_MESSAGE } else { MAX_USUAL });
        self.meter.allow((!self.known).then_some(MAX_FIRST as u64 + SLACK));
    }

    /// Bytes received since the last call.
    fn came(&mut self) -> usize {
        let taken = self.meter.taken();
        taken.saturating_sub(std::mem::replace(&mut self.counted, taken)) as usize
    }
}

struct Connection<'t> {
    agents: &'t Agents,
    session: &'t Arc<Session>,
    token: &'t CancellationToken,
    encoding: Encoding,
    peer: Peer,
    /// Frames of the legacy adapter for the agent.
    frames: Option<mpsc::Receiver<String>>,
}

/// Kind of agent.
enum Peer {
    /// No message has arrived yet; outgoing messages wait.
    Unknown,
    Current,
    Legacy(legacy::Adapter),
}

impl Peer {
    fn is_current(&self) -> bool {
        matches!(self, Self::Current)
    }

    fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

impl Connection<'_> {
    async fn run<S>(
        &mut self,
        sink: &mut Sink<S>,
        stream: &mut Stream<S>,
        mut queue: mpsc::Receiver<Envelope<ToAgent>>,
        first: Option<Message>,
        incoming: &mut Incoming,
    ) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let agents = self.agents;
        let (times, decoding) = (agents.times(), &agents.0.decoding);
        let mut ping = interval_at(Instant::now() + times.ping, times.ping);
        let mut pings = Pings::default();
        // Time of the last complete message; pongs and partial messages do not count.
        let mut last = Instant::now();
        if incoming.legacy {
            self.set_legacy(incoming);
        }
        if let Some(message) = first {
            match self.take(&message, incoming) {
                Ok(None) => {}
                Ok(Some(answer)) => match timeout(times.blocked, sink.send(answer)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) | Err(_) => return End::Gone,
                },
                Err(end) => return end,
            }
            incoming.allow(self.session.expects_file());
        }
        loop {
            let current = self.peer.is_current();
            let due = |pings: &Pings| {
                if !current {
                    return last + times.legacy.quiet;
                }
                let alive = incoming.meter.heard() + times.silence;
                pings.unanswered.map_or(alive, |since| alive.min(since + times.silence))
            };
            let deadline = due(&pings);
            let pause = incoming.rate.pause().max(decoding.share.pause());
            let out = tokio::select! {
                () = self.token.cancelled() => return over(agents),
                () = self.session.ended().cancelled() => return self.ended(),
                () = sleep_until(deadline) => {
                    // Part of a long message may have arrived in the meantime.
                    if Instant::now() < due(&pings) {
                        continue;
                    }
                    return if current { End::Gone } else { End::Quiet };
                }
                asked = queue.recv(), if !self.peer.is_unknown() => match asked {
                    Some(envelope) => {
                        if matches!(envelope.message, ToAgent::FileRead(_)) {
                            incoming.limit.set(MAX_MESSAGE);
                        }
                        match self.outgoing(envelope) {
                            Some(frame) => frame,
                            None => continue,
                        }
                    }
                    None => return End::Close(1001, "the panel is stopping"),
                },
                frame = next_frame(&mut self.frames) => Message::text(frame),
                message = stream.next(), if pause.is_none() => {
                    let message = match message {
                        Some(Ok(message)) => message,
                        Some(Err(Error::Capacity(_))) => return End::Close(1009, "too long"),
                        Some(Err(_)) if incoming.limit.overrun() => return End::Close(1009, "too long"),
                        Some(Err(_)) if incoming.meter.overrun() => {
                            return End::Close(1009, "too long for a first message");
                        }
                        Some(Err(_)) | None => return End::Gone,
                    };
                    let bytes = incoming.came();
                    incoming.rate.spend(bytes);
                    match &message {
                        Message::Close(_) => return End::Gone,
                        Message::Pong(payload) => {
                            if pings.answered(payload).is_some_and(|took| self.session.link.note_ping(took)) {
                                agents.node_changed(self.session.node_id());
                            }
                            continue;
                        }
                        Message::Text(_) | Message::Binary(_) => last = Instant::now(),
                        Message::Ping(_) | Message::Frame(_) => continue,
                    }
                    let turn = match message.len() > LARGE {
                        true => decoding.large.acquire().await.ok(),
                        false => None,
                    };
                    let began = Instant::now();
                    let taken = self.take(&message, incoming);
                    decoding.share.spend(began.elapsed(), bytes);
                    drop((message, turn));
                    match taken {
                        Ok(answer) => {
                            incoming.allow(self.session.expects_file());
                            // The first ping is sent as soon as the agent is known to answer it.
                            if !current && self.peer.is_current() {
                                ping.reset_immediately();
                            }
                            match answer {
                                Some(answer) => answer,
                                None => continue,
                            }
                        }
                        Err(end) => return end,
                    }
                }
                () = sleep_until(pause.unwrap_or(deadline)), if pause.is_some() => continue,
                _ = ping.tick(), if current => pings.send(),
            };
            match timeout(times.blocked, sink.send(out)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return End::Gone,
            }
        }
    }

    /// Why the session was ended from outside this connection.
    fn ended(&self) -> End {
        if self.agents.registry().has_node(self.session.node_id()) { REPLACED } else { REMOVED }
    }

    /// The frame of a message; `None` if the legacy adapter sends it.
    fn outgoing(&self, envelope: Envelope<ToAgent>) -> Option<Message> {
        if let Peer::Legacy(adapter) = &self.peer {
            adapter.send(envelope);
            return None;
        }
        self.frame(&envelope)
    }

    fn frame<M: serde::Serialize>(&self, envelope: &Envelope<M>) -> Option<Message> {
        let bytes = match self.encoding.encode(envelope) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!(%error, "a message is left out");
                return None;
            }
        };
        match self.encoding {
            Encoding::Json => String::from_utf8(bytes).ok().map(Message::text),
            Encoding::MessagePack => Some(Message::binary(bytes)),
        }
    }

    /// Handles one message; returns the frame to send in reply, if any.
    fn take(&mut self, message: &Message, incoming: &mut Incoming) -> Result<Option<Message>, End> {
        let (encoding, bytes): (_, &[u8]) = match message {
            Message::Text(text) => (Encoding::Json, text.as_bytes()),
            Message::Binary(bytes) => (self.encoding, bytes),
            _ => return Ok(None),
        };
        if !incoming.known && bytes.len() > MAX_FIRST {
            return Err(End::Close(1009, "too long for a first message"));
        }
        if bytes.is_empty() {
            let error = DecodeError::NotAMessage(format!("it is empty, or has more than {MAX_USUAL} bytes"));
            return Ok(self.refuse(&error, &mut incoming.unreadable));
        }
        match encoding.decode::<ToPanel>(bytes) {
            Ok(envelope) => Ok(self.receive(envelope, incoming)),
            Err(error) => {
                if self.peer.is_unknown() {
                    self.set_legacy(incoming);
                }
                let deliver = |envelope| self.agents.receive(self.session, envelope);
                if let Peer::Legacy(adapter) = &self.peer
                    && adapter.receive_frame(bytes, &error, deliver)
                {
                    return Ok(None);
                }
                Ok(self.refuse(&error, &mut incoming.unreadable))
            }
        }
    }

    fn receive(&mut self, envelope: Envelope<ToPanel>, incoming: &mut Incoming) -> Option<Message> {
        self.note_clock(&envelope);
        let described = matches!(envelope.message, ToPanel::SystemInfo(_));
        self.identify(&envelope.message, incoming);
        let Peer::Legacy(adapter) = &self.peer else {
            self.agents.receive(self.session, envelope);
            if described {
                incoming.known = true;
                let announcement = self.agents.0.subscriptions.announcement(self.session)?;
                return self.frame(&Envelope::new(announcement));
            }
            return None;
        };
        adapter.receive(envelope, |envelope| self.agents.receive(self.session, envelope));
        if described && !std::mem::replace(&mut incoming.known, true) {
            // Legacy agents send no sync. Servers that were never handed over are certainly missing.
            self.agents.reconcile(self.session, HashMap::new());
            legacy::poll_states(adapter);
        }
        None
    }

    /// The system info tells the kind of agent; an agent that begins with another message is a legacy one.
    fn identify(&mut self, message: &ToPanel, incoming: &mut Incoming) {
        let legacy = match message {
            ToPanel::SystemInfo(info) => legacy::is_limited(info),
            _ if self.peer.is_unknown() => true,
            _ => return,
        };
        if !legacy {
            self.peer = Peer::Current;
            self.frames = None;
            incoming.legacy = false;
            self.session.set_own_deadlines(false);
        } else if !matches!(self.peer, Peer::Legacy(_)) {
            self.set_legacy(incoming);
        }
    }

    fn set_legacy(&mut self, incoming: &mut Incoming) {
        let (adapter, frames) = legacy::Adapter::new(&self.agents.0.legacy, self.session);
        self.peer = Peer::Legacy(adapter);
        self.frames = Some(frames);
        incoming.legacy = true;
    }

    fn note_clock(&self, envelope: &Envelope<ToPanel>) {
        let clock = matches!(envelope.message, ToPanel::SystemInfo(_) | ToPanel::Heartbeat(_));
        if clock && self.session.link.note_clock(envelope.timestamp, Timestamp::now()) {
            self.agents.node_changed(self.session.node_id());
        }
    }

    /// Handles a message that could not be decoded; returns an error message to send, except to a legacy agent, which
    /// would not understand it.
    fn refuse(&self, error: &DecodeError, unreadable: &mut LogCounter) -> Option<Message> {
        let node = self.session.node_id();
        if unreadable.note(error.kind()) == 1 && self.agents.registry().may_log(node, "odd") {
            tracing::warn!(%node, %error, "a message cannot be taken; others of its kind are counted only");
        }
        if !self.peer.is_current() {
            return None;
        }
        if let Some(id) = error.message_id() {
            self.session.fail(id);
        }
        let report = ErrorReport { code: error.code(), message: error.to_string(), ..ErrorReport::default() };
        let mut envelope = Envelope::new(ToPanel::Error(report));
        envelope.message_id = error.message_id().map(ToOwned::to_owned);
        self.frame(&envelope)
    }
}

/// The next frame of the legacy adapter; never returns without one.
async fn next_frame(frames: &mut Option<mpsc::Receiver<String>>) -> String {
    if let Some(frames) = frames
        && let Some(frame) = frames.recv().await
    {
        return frame;
    }
    pending().await
}
