//! Messages both ways, until one side is gone.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_util::sync::CancellationToken;

use crate::link::PanelSide;
use crate::pace::paced;
use crate::protocol::{
    DecodeError, Envelope, ErrorReport, ServerRef, StatsSubscribe, ToAgent, ToPanel, decode,
};

const PING_EVERY: Duration = Duration::from_secs(15);
/// A panel that says nothing for this long, not even a pong, is gone.
const SILENCE: Duration = Duration::from_secs(45);
/// A panel that takes nothing for this long is gone.
const BLOCKED: Duration = Duration::from_secs(30);
/// The close code of a panel that has a newer connection of this node.
const REPLACED: u16 = 4409;

type Socket = WebSocketStream<TcpStream>;

/// Why it is over.
#[derive(Debug)]
pub(super) enum End {
    /// The agent stops.
    Stopped,
    /// Another agent has our place.
    Replaced,
    /// Anything else.
    Lost(String),
}

pub(super) async fn carry(socket: Socket, link: &mut PanelSide, cancel: &CancellationToken) -> End {
    let (mut sink, mut stream) = socket.split();
    let mut followed = HashSet::new();
    // What the panel must know first, whatever it knew before.
    let greeting = Envelope::new(ToAgent::SystemInfoRequest);
    if link.to_agent.send(greeting).await.is_err() {
        return End::Stopped;
    }
    let end = both_ways(&mut sink, &mut stream, link, &mut followed, cancel).await;
    // Nobody looks any more: consoles and stats cost nothing until the next connection asks for them.
    for server_id in followed {
        let _ = link.to_agent.try_send(Envelope::new(ToAgent::ConsoleUnsubscribe(ServerRef { server_id })));
    }
    let _ = link.to_agent.try_send(Envelope::new(ToAgent::StatsSubscribe(StatsSubscribe::default())));
    // A last word; whether it arrives is the network's affair.
    let _ = timeout(Duration::from_secs(2), sink.close()).await;
    end
}

async fn both_ways(
    sink: &mut SplitSink<Socket, Message>,
    stream: &mut SplitStream<Socket>,
    link: &mut PanelSide,
    followed: &mut HashSet<String>,
    cancel: &CancellationToken,
) -> End {
    let mut ping = interval_at(Instant::now() + paced(PING_EVERY), paced(PING_EVERY));
    let mut heard = Instant::now();
    loop {
        let out = tokio::select! {
            () = cancel.cancelled() => return End::Stopped,
            said = link.from_agent.recv() => match said {
                Some(envelope) => match serde_json::to_string(&envelope) {
                    Ok(text) => Message::text(text),
                    Err(error) => {
                        tracing::error!(%error, "a message could not be written as JSON");
                        continue;
                    }
                },
                None => return End::Stopped,
            },
            message = stream.next() => {
                heard = Instant::now();
                match message {
                    Some(Ok(Message::Text(text))) => match take(text.as_bytes(), link, followed) {
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
                }
            }
            _ = ping.tick() => Message::Ping(Bytes::new()),
            () = sleep_until(heard + paced(SILENCE)) => return End::Lost("45 s without a sign of life".into()),
        };
        match timeout(paced(BLOCKED), sink.send(out)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return End::Lost(error.to_string()),
            Err(_) => return End::Lost("the panel takes nothing any more".into()),
        }
    }
}

/// Hands a message to the agent; gives the answer where it is none.
fn take(frame: &[u8], link: &PanelSide, followed: &mut HashSet<String>) -> Option<Message> {
    let (code, error, message_id) = match decode::<ToAgent>(frame) {
        Ok(envelope) => {
            match &envelope.message {
                ToAgent::ConsoleSubscribe(of) => drop(followed.insert(of.server_id.clone())),
                ToAgent::ConsoleUnsubscribe(of) => drop(followed.remove(&of.server_id)),
                _ => {}
            }
            if let Err(error) = link.to_agent.try_send(envelope) {
                tracing::warn!(%error, "a request of the panel could not be taken");
            }
            return None;
        }
        Err(error) => {
            tracing::debug!(%error, "a message of the panel could not be taken");
            match error {
                DecodeError::UnknownType { ref message_id, .. } => {
                    ("UNKNOWN_TYPE", error.to_string(), message_id.clone())
                }
                DecodeError::BadData { ref message_id, .. } => {
                    ("BAD_MESSAGE", error.to_string(), message_id.clone())
                }
                DecodeError::NotAMessage(_) => ("BAD_MESSAGE", error.to_string(), None),
            }
        }
    };
    let report = ErrorReport { code: code.into(), message: error, ..ErrorReport::default() };
    let mut envelope = Envelope::new(ToPanel::Error(report));
    envelope.message_id = message_id;
    serde_json::to_string(&envelope).ok().map(Message::text)
}
