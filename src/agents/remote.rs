//! An agent on another machine: its messages come over a WebSocket, as JSON text or MessagePack.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use agent::log_counter::LogCounter;
use agent::metered_stream::{MeteredStream, StreamMeter};
use agent::protocol::{DecodeError, Encoding, Envelope, ErrorReport, ToAgent, ToPanel, capability};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_util::sync::CancellationToken;

use super::frame_filter::{FrameFilter, FrameLimit};
use super::inbound_rate::Pace;
use super::legacy;
use super::registry::Agents;
use super::session::Session;

/// The largest message of an agent: past it the connection ends.
const MAX_MESSAGE: usize = 32 << 20;
/// The largest that is taken where it was asked for no file: a larger one is not kept while it is read.
const MAX_USUAL: usize = 1 << 20;
/// Larger ones are taken apart a few at a time: for a moment they become several times as large.
const LARGE: usize = 64 * 1024;
/// The largest one before it has said what it is.
const MAX_FIRST: usize = 64 * 1024;
/// Most links are idle most of the time: small buffers.
const BUFFER: usize = 4 * 1024;
/// What may have been read beyond a message.
const SLACK: u64 = 2 * BUFFER as u64;
/// How long a last word may take. Some agents answer a close and leave the connection open: then it is cut.
const FAREWELL: Duration = Duration::from_secs(3);
/// Pings under way whose answers are measured.
const PINGS: usize = 8;

const REPLACED: End = End::Close(4409, "replaced");
const REMOVED: End = End::Close(1008, "the node was removed");
/// The secret that let it in opens no more.
const SHUT_OUT: End = End::Close(1008, "the node's secret has changed");

type Sink<S> = SplitSink<WebSocketStream<FrameFilter<MeteredStream<S>>>, Message>;
type Stream<S> = SplitStream<WebSocketStream<FrameFilter<MeteredStream<S>>>>;

/// An agent that was let in.
#[derive(Clone, Debug)]
pub struct AgentConnection {
    /// Whose.
    pub node_id: String,
    /// It came by TLS.
    pub secure: bool,
    /// What was agreed.
    pub encoding: Encoding,
    /// Which process it is, where it says so.
    pub process: Option<String>,
}

/// Why it is over.
enum End {
    Close(u16, &'static str),
    Gone,
    /// It has said nothing for long; it may yet come back on this connection.
    Quiet,
}

/// Speaks with the agent of a node over a connection that has just become a WebSocket, until one side is gone, or `token`
/// says that its time here is over.
pub async fn speak<S>(connection: S, agents: Agents, guest: AgentConnection, token: CancellationToken)
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
    let node_id = guest.node_id.as_str();
    let mut first = None;
    let mut heard =
        FrameCounts { meter, limit, counted: 0, known: false, pace: Pace::new(), odd: LogCounter::default() };
    heard.allow(false);
    let end = loop {
        let (session, queue) = agents.attach_as(node_id, guest.process.as_deref(), false);
        session.figures.came(guest.secure, guest.encoding);
        let talk = Connection { agents: &agents, session: &session, token: &token, encoding: guest.encoding };
        let end = talk.run(&mut sink, &mut stream, queue, first.take(), &mut heard).await;
        agents.detach(&session);
        if !matches!(end, End::Quiet) {
            break end;
        }
        tracing::info!(node = node_id, "nothing heard for {:?}: taken for offline", agents.0.times.quiet);
        // Only a message brings it back.
        match word(&mut stream, &token).await {
            Some(message) => first = Some(message),
            None if token.is_cancelled() => break over(&agents),
            None => break End::Gone,
        }
        // While it was quiet, a newer connection may have come, or the node may have gone: a stale word takes no place.
        if !agents.has_node(node_id) {
            break REMOVED;
        }
        if agents.session(node_id).is_ok() {
            break REPLACED;
        }
    };
    if heard.odd.total() > 0 {
        tracing::info!(
            node = node_id,
            messages = heard.odd.total(),
            "could not be taken in all of this connection"
        );
    }
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

async fn word<S>(stream: &mut Stream<S>, token: &CancellationToken) -> Option<Message>
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

/// What is known of a connection, over all sessions on it.
struct FrameCounts {
    meter: StreamMeter,
    limit: FrameLimit,
    /// Bytes that came until its last message.
    counted: u64,
    /// It has said what it is.
    known: bool,
    pace: Pace,
    /// What could not be taken.
    odd: LogCounter,
}

impl FrameCounts {
    /// Before it has said what it is, nothing large is even read; afterwards, what is too large is not kept.
    fn allow(&self, file: bool) {
        self.limit.set(if file { MAX_MESSAGE } else { MAX_USUAL });
        self.meter.allow((!self.known).then_some(MAX_FIRST as u64 + SLACK));
    }

    /// Bytes that came since this was asked last.
    fn came(&mut self) -> usize {
        let taken = self.meter.taken();
        taken.saturating_sub(std::mem::replace(&mut self.counted, taken)) as usize
    }
}

/// The pings that have not come back.
#[derive(Default)]
struct Pings {
    next: u64,
    under_way: VecDeque<(u64, Instant)>,
    /// Since when none of them has.
    unanswered: Option<Instant>,
}

impl Pings {
    fn send(&mut self) -> Message {
        let now = Instant::now();
        self.next += 1;
        self.under_way.push_back((self.next, now));
        if self.under_way.len() > PINGS {
            self.under_way.pop_front();
        }
        self.unanswered.get_or_insert(now);
        Message::Ping(Bytes::copy_from_slice(&self.next.to_be_bytes()))
    }

    /// How long it took, where it is the answer to one of ours.
    fn answered(&mut self, pong: &[u8]) -> Option<Duration> {
        let number = u64::from_be_bytes(pong.try_into().ok()?);
        let (_, sent) = *self.under_way.iter().find(|(asked, _)| *asked == number)?;
        self.under_way.retain(|(asked, _)| *asked > number);
        self.unanswered = self.under_way.front().map(|(_, sent)| *sent);
        Some(sent.elapsed())
    }
}

struct Connection<'t> {
    agents: &'t Agents,
    session: &'t Arc<Session>,
    token: &'t CancellationToken,
    encoding: Encoding,
}

impl Connection<'_> {
    async fn run<S>(
        &self,
        sink: &mut Sink<S>,
        stream: &mut Stream<S>,
        mut queue: mpsc::Receiver<Envelope<ToAgent>>,
        first: Option<Message>,
        heard: &mut FrameCounts,
    ) -> End
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let times = &self.agents.0.times;
        let mut ping = interval_at(Instant::now() + times.ping, times.ping);
        let mut pings = Pings::default();
        // The last message; pongs and halves of messages don't count.
        let mut word = Instant::now();
        if let Some(message) = first {
            if let Err(end) = self.take(&message, heard) {
                return end;
            }
            heard.allow(self.session.expects_file());
        }
        loop {
            let answers = self.session.answers();
            let due = |pings: &Pings| {
                if !answers {
                    return word + times.quiet;
                }
                let alive = heard.meter.heard() + times.silence;
                pings.unanswered.map_or(alive, |since| alive.min(since + times.silence))
            };
            let deadline = due(&pings);
            let pause = heard.pace.pause().max(self.agents.0.decoding.share.pause());
            let out = tokio::select! {
                () = self.token.cancelled() => return over(self.agents),
                () = self.session.ended().cancelled() => return self.ended(),
                () = sleep_until(deadline) => {
                    // Bytes of a long message may have come since.
                    if Instant::now() < due(&pings) {
                        continue;
                    }
                    return if answers { End::Gone } else { End::Quiet };
                }
                asked = queue.recv() => match asked {
                    Some(envelope) => {
                        if matches!(envelope.message, ToAgent::FileRead(_)) {
                            heard.limit.set(MAX_MESSAGE);
                        }
                        match self.request(&envelope) {
                            Some(frame) => frame,
                            None => continue,
                        }
                    }
                    None => return End::Close(1001, "the panel is stopping"),
                },
                message = stream.next(), if pause.is_none() => {
                    let message = match message {
                        Some(Ok(message)) => message,
                        Some(Err(Error::Capacity(_))) => return End::Close(1009, "too long"),
                        Some(Err(_)) if heard.limit.overrun() => return End::Close(1009, "too long"),
                        Some(Err(_)) if heard.meter.overrun() => {
                            return End::Close(1009, "too long for a first message");
                        }
                        Some(Err(_)) | None => return End::Gone,
                    };
                    let bytes = heard.came();
                    heard.pace.spend(bytes);
                    match &message {
                        Message::Close(_) => return End::Gone,
                        Message::Pong(payload) => {
                            if pings.answered(payload).is_some_and(|took| self.session.figures.answered(took)) {
                                self.agents.0.changes.node(self.session.node_id());
                            }
                            continue;
                        }
                        Message::Text(_) | Message::Binary(_) => word = Instant::now(),
                        Message::Ping(_) | Message::Frame(_) => continue,
                    }
                    let turn = match message.len() > LARGE {
                        true => self.agents.0.decoding.large.acquire().await.ok(),
                        false => None,
                    };
                    let began = Instant::now();
                    let taken = self.take(&message, heard);
                    self.agents.0.decoding.share.spend(began.elapsed(), bytes);
                    drop((message, turn));
                    match taken {
                        Ok(answer) => {
                            heard.allow(self.session.expects_file());
                            // The first ping goes out as soon as it is known that it will be answered.
                            if !answers && self.session.answers() {
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
                _ = ping.tick(), if answers => pings.send(),
            };
            match timeout(times.blocked, sink.send(out)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return End::Gone,
            }
        }
    }

    /// Somebody else ended it.
    fn ended(&self) -> End {
        if self.agents.has_node(self.session.node_id()) { REPLACED } else { REMOVED }
    }

    /// What is asked, in words that the agent knows.
    fn request(&self, envelope: &Envelope<ToAgent>) -> Option<Message> {
        if self.session.answers() {
            return self.frame(envelope);
        }
        match legacy::encode(envelope, self.session.node_id()) {
            Ok(text) => Some(Message::text(text)),
            Err(error) => {
                tracing::error!(%error, "a request could not be written as JSON");
                None
            }
        }
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

    /// One message; gives the answer where it can't be taken.
    fn take(&self, message: &Message, heard: &mut FrameCounts) -> Result<Option<Message>, End> {
        let (encoding, bytes): (_, &[u8]) = match message {
            Message::Text(text) => (Encoding::Json, text.as_bytes()),
            Message::Binary(bytes) => (self.encoding, bytes),
            _ => return Ok(None),
        };
        if !heard.known && bytes.len() > MAX_FIRST {
            return Err(End::Close(1009, "too long for a first message"));
        }
        if bytes.is_empty() {
            let error = DecodeError::NotAMessage(format!("it is empty, or has more than {MAX_USUAL} bytes"));
            return Ok(self.refuse(&error, &mut heard.odd));
        }
        match encoding.decode::<ToPanel>(bytes) {
            Ok(mut envelope) => {
                legacy::mend(&mut envelope);
                let first = !heard.known;
                self.look_at(&envelope, heard);
                self.agents.receive(self.session, envelope);
                if first && heard.known && !self.session.answers() {
                    // It sends no sync. What it was never given it certainly lacks.
                    self.agents.reconcile(self.session, HashMap::new());
                    self.agents.poll_states(self.session);
                }
                Ok(None)
            }
            Err(error) if legacy::take(self.agents, self.session, bytes, &error) => Ok(None),
            Err(error) => Ok(self.refuse(&error, &mut heard.odd)),
        }
    }

    fn look_at(&self, envelope: &Envelope<ToPanel>, heard: &mut FrameCounts) {
        let clock = match &envelope.message {
            ToPanel::SystemInfo(info) => {
                heard.known = true;
                self.session.set_answers(info.capabilities.iter().any(|word| word == capability::ACK));
                self.session.announce_extensions();
                true
            }
            message => matches!(message, ToPanel::Heartbeat(_)),
        };
        if clock && self.session.figures.clock(envelope.timestamp, Timestamp::now()) {
            self.agents.0.changes.node(self.session.node_id());
        }
    }

    fn refuse(&self, error: &DecodeError, odd: &mut LogCounter) -> Option<Message> {
        if let Some(id) = error.message_id() {
            self.session.fail(id);
        }
        let node = self.session.node_id();
        if odd.note(error.kind()) == 1 && self.agents.may_log(node, "odd") {
            tracing::warn!(node, %error, "a message cannot be taken; others of its kind are counted only");
        }
        // An agent of part 1 would not know what to do with it.
        if !self.session.answers() {
            return None;
        }
        let report =
            ErrorReport { code: error.code().into(), message: error.to_string(), ..ErrorReport::default() };
        let mut envelope = Envelope::new(ToPanel::Error(report));
        envelope.message_id = error.message_id().map(ToOwned::to_owned);
        self.frame(&envelope)
    }
}
