//! Carries messages in both directions until one side is gone.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use protocol::{Encoding, Envelope, ErrorReport, ServerId, ServerRef, StatsSubscribe, ToAgent, ToPanel};
use tokio::sync::watch;
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_util::sync::CancellationToken;

use super::LinkState;
use super::dial::{Dialled, Socket};
use crate::config::link_times::LinkTimes;
use crate::legacy::Interpreter;
use crate::link::PanelSide;
use crate::link::log_counter::LogCounter;
use crate::link::metered_stream::StreamMeter;

/// The close code of a panel that has a newer connection of this node.
const REPLACED: u16 = 4409;

/// Maximum number of console subscriptions ended with the connection: more than there can be servers.
const FOLLOWED: usize = 4_096;

/// Why the connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The agent is exiting.
    Stopped,
    /// Another agent connected as this node.
    Replaced,
    /// Anything else.
    Lost(String),
}

pub(super) async fn carry(
    dialled: Dialled,
    times: &LinkTimes,
    link: &mut PanelSide,
    legacy: &mut Interpreter,
    standing: &watch::Sender<LinkState>,
    cancel: &CancellationToken,
) -> End {
    let Dialled { socket, meter, encoding } = dialled;
    let (mut sink, mut stream) = socket.split();
    legacy.connected(encoding);
    let mut talk = Connection {
        encoding,
        meter,
        times,
        legacy,
        standing,
        followed: HashSet::new(),
        odd: LogCounter::default(),
    };
    // What the panel must know first, whatever it knew before.
    let greeting = Envelope::new(ToAgent::SystemInfoRequest);
    if link.to_agent.send(greeting).await.is_err() {
        return End::Stopped;
    }
    let end = talk.both_ways(&mut sink, &mut stream, link, cancel).await;
    talk.legacy.ended(&link.to_agent);
    // No subscriber is left: consoles and stats cost nothing until the next connection requests them.
    for server_id in talk.followed {
        let _ = link.to_agent.try_send(Envelope::new(ToAgent::ConsoleUnsubscribe(ServerRef { server_id })));
    }
    let _ = link.to_agent.try_send(Envelope::new(ToAgent::StatsSubscribe(StatsSubscribe::default())));
    // Say goodbye; whether that arrives does not matter.
    let _ = timeout(Duration::from_secs(2), sink.close()).await;
    end
}

struct Connection<'t> {
    encoding: Encoding,
    meter: StreamMeter,
    times: &'t LinkTimes,
    /// Translation for a legacy panel.
    legacy: &'t mut Interpreter,
    standing: &'t watch::Sender<LinkState>,
    /// Consoles the panel is subscribed to.
    followed: HashSet<ServerId>,
    /// Counts messages that could not be handled, by kind.
    odd: LogCounter,
}

impl Connection<'_> {
    async fn both_ways(
        &mut self,
        sink: &mut SplitSink<Socket, Message>,
        stream: &mut SplitStream<Socket>,
        link: &mut PanelSide,
        cancel: &CancellationToken,
    ) -> End {
        // Anything left from before is covered by the sync, and the panel must first learn who is speaking.
        let mut introduced = false;
        let mut ping = interval_at(Instant::now() + self.times.ping, self.times.ping);
        loop {
            if introduced && let Some(text) = self.legacy.frame() {
                if let Err(end) = self.send(sink, Message::text(text)).await {
                    return end;
                }
                continue;
            }
            let out = tokio::select! {
                () = cancel.cancelled() => return End::Stopped,
                said = link.from_agent.recv() => match said {
                    Some(envelope) => {
                        introduced |= matches!(envelope.message, ToPanel::SystemInfo(_));
                        let Some(envelope) = self.legacy.said(envelope, &link.to_agent) else { continue };
                        match self.frame(&envelope).filter(|_| introduced) {
                            Some(frame) => frame,
                            None => continue,
                        }
                    }
                    None => return End::Stopped,
                },
                // A panel that sends requests faster than it takes answers is not read until it has taken some.
                message = stream.next(), if !link.from_agent.is_heavy() => match message
                    .inspect(|message| self.heard(introduced, message))
                {
                    Some(Ok(Message::Text(text))) => {
                        match self.take(Encoding::Json, text.as_bytes(), link).await {
                            Some(answer) => answer,
                            None => continue,
                        }
                    }
                    Some(Ok(Message::Binary(bytes))) => match self.take(self.encoding, &bytes, link).await {
                        Some(answer) => answer,
                        None => continue,
                    },
                    Some(Ok(Message::Close(frame))) => {
                        let code = frame.as_ref().map_or(1005, |frame| frame.code.into());
                        if code == REPLACED {
                            return End::Replaced;
                        }
                        return End::Lost(format!("closed by the panel with {code}"));
                    }
                    Some(Ok(_)) => continue,
                    Some(Err(Error::ConnectionClosed)) | None => return End::Lost("closed by the panel".into()),
                    Some(Err(error)) => return End::Lost(error.to_string()),
                },
                () = self.legacy.due() => {
                    self.legacy.tick(&link.to_agent);
                    continue;
                }
                _ = ping.tick() => Message::Ping(Bytes::new()),
                () = sleep_until(self.meter.heard() + self.times.silence) => {
                    if self.meter.heard().elapsed() < self.times.silence {
                        continue;
                    }
                    return End::Lost(format!("{:?} without a sign of life", self.times.silence));
                }
            };
            if let Err(end) = self.send(sink, out).await {
                return end;
            }
        }
    }

    /// A panel reads in order and closes the connection on anything it refuses, so any message after our introduction
    /// (even a ping) means that it accepted us.
    fn heard(&self, introduced: bool, message: &Result<Message, Error>) {
        if introduced && matches!(message, Ok(message) if !message.is_close()) {
            self.standing.send_if_modified(|standing| {
                std::mem::replace(standing, LinkState::Taken) != LinkState::Taken
            });
        }
    }

    async fn send(&self, sink: &mut SplitSink<Socket, Message>, out: Message) -> Result<(), End> {
        match timeout(self.times.blocked, sink.send(out)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(End::Lost(error.to_string())),
            Err(_) => Err(End::Lost("the panel takes nothing any more".into())),
        }
    }

    fn frame(&self, envelope: &Envelope<ToPanel>) -> Option<Message> {
        match self.encoding.encode(envelope) {
            Ok(bytes) => frame(self.encoding, bytes),
            Err(error) => {
                tracing::error!(%error, "a message is left out");
                None
            }
        }
    }

    /// Passes a message to the agent; returns the answer to frames that contain none.
    async fn take(&mut self, encoding: Encoding, frame: &[u8], link: &PanelSide) -> Option<Message> {
        let error = match encoding.decode::<ToAgent>(frame) {
            Ok(envelope) => {
                self.legacy.heard(&envelope, &link.to_agent);
                match &envelope.message {
                    ToAgent::ConsoleSubscribe(of) if self.followed.len() < FOLLOWED => {
                        self.followed.insert(of.server_id.clone());
                    }
                    ToAgent::ConsoleUnsubscribe(of) => drop(self.followed.remove(&of.server_id)),
                    _ => {}
                }
                if let Err(error) = link.to_agent.send_slowly(envelope).await {
                    tracing::debug!(%error, "a request of the panel could not be taken");
                }
                return None;
            }
            Err(error) if self.legacy.command(frame, &error, &link.to_agent) => return None,
            Err(error) => error,
        };
        // A legacy panel may send an unknown message every second; log one line per kind.
        if self.odd.note(error.kind()) == 1 {
            tracing::warn!(%error, "a message of the panel cannot be taken; others of its kind are not told of");
        }
        let report = ErrorReport { code: error.code(), message: error.to_string(), ..ErrorReport::default() };
        let mut envelope = Envelope::new(ToPanel::Error(report));
        envelope.message_id = error.message_id().map(ToOwned::to_owned);
        self.frame(&envelope)
    }
}

/// Wraps bytes in the frame type of their encoding.
fn frame(encoding: Encoding, bytes: Vec<u8>) -> Option<Message> {
    match encoding {
        Encoding::Json => String::from_utf8(bytes).ok().map(Message::text),
        Encoding::MessagePack => Some(Message::binary(bytes)),
    }
}
