//! One socket: reads the client's messages and sends frames until it ends.

use std::future::pending;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use super::Live;
use super::limits::{BURST, PER_SECOND, Slot};
use super::message::ClientMessage;
use super::pending::PendingSlot;
use super::topics::Topics;
use crate::auth::{Caller, Unproven};
use crate::error::Code;
use crate::http::Socket;
use crate::net::rate_limit::TokenBucket;

/// Longest message of a client, in bytes.
pub(super) const MAX_MESSAGE: usize = 16 * 1024;
const PING_EVERY: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(45);
/// Time limit for a browser's first message, which has its session key.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// How many pings and other control frames a client may send before that message.
const FRAMES_BEFORE: usize = 16;
/// A socket whose reader accepts nothing for this long is closed.
const BLOCKED: Duration = Duration::from_secs(10);
/// Time limit for the closing handshake.
const FAREWELL: Duration = Duration::from_secs(3);

/// Why the socket ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The panel closes it, with this code and reason.
    Close(u16, &'static str),
    /// The client has disconnected or closed it.
    Gone,
}

/// The caller of a socket, as far as known when it opens.
pub(super) enum LiveClient {
    /// A signed-in user with a slot.
    Known(Slot, Caller),
    /// A browser that has to send its session key first.
    Unproven(PendingSlot, Unproven),
}

/// Serves a socket until it ends.
pub(super) async fn speak(socket: Socket, live: Live, guest: LiveClient) {
    let (mut sink, mut stream) = socket.split();
    let token = live.tasks.token();
    let introduced = match guest {
        LiveClient::Known(slot, caller) => Ok((slot, caller, None)),
        LiveClient::Unproven(pending, cookies) => tokio::select! {
            introduced = timeout(INTRODUCTION, introduce(&mut stream, &live, &cookies)) => {
                introduced.unwrap_or(Err(End::Close(4401, "no session key came")))
            }
            () = pending.evicted.cancelled() => Err(End::Close(1013, "too many sockets without a session key")),
            () = token.cancelled() => Err(End::Close(1001, "the panel is stopping")),
        },
    };
    let (end, _slot) = match introduced {
        Ok((slot, caller, first)) => {
            (run(&mut sink, &mut stream, live, caller, first, &slot.evicted).await, Some(slot))
        }
        Err(end) => (end, None),
    };
    if let Ok(socket) = sink.reunite(stream) {
        part(socket, end).await;
    }
}

/// Waits for a browser's first message, which must contain the session key. Nothing is sent to it before.
async fn introduce(
    stream: &mut SplitStream<Socket>,
    live: &Live,
    cookies: &Unproven,
) -> Result<(Slot, Caller, Option<Utf8Bytes>), End> {
    for _ in 0..FRAMES_BEFORE {
        let text = match read(stream.next().await)? {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(End::Close(1003, "text only")),
            Message::Close(_) => return Err(End::Gone),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        let key = serde_json::from_str::<ClientMessage>(&text).ok().and_then(|message| message.session_key);
        let key = key.ok_or(End::Close(4401, "the first message has no session key"))?;
        let caller = match live.auth.prove(cookies, &key) {
            Ok(caller) => caller,
            Err(error) if error.code() == Code::Unauthenticated => {
                return Err(End::Close(4401, "this is not the key of a session that lives"));
            }
            Err(_) => return Err(End::Close(1011, "try again")),
        };
        let slot = live
            .slots
            .take(caller.user_id(), caller.is_admin())
            .map_err(|_full| End::Close(1013, "too many live connections are open"))?;
        // The message may also contain subscriptions.
        return Ok((slot, caller, Some(text)));
    }
    Err(End::Close(1008, "too many messages"))
}

async fn run(
    sink: &mut SplitSink<Socket, Message>,
    stream: &mut SplitStream<Socket>,
    live: Live,
    caller: Caller,
    first: Option<Utf8Bytes>,
    evicted: &CancellationToken,
) -> End {
    // Started before anything is read, so that no change is missed in between.
    let mut watch = live.auth.watch(&caller);
    let mut bell = live.agents.changes().subscribe();
    let token = live.tasks.token();
    let Ok(mut topics) = Topics::new(live, caller.into()) else { return End::Close(1011, "try again") };
    if let Some(text) = first
        && !topics.client_says(text.as_bytes())
    {
        return End::Close(1008, "too many topics");
    }
    let wake = topics.wake();
    let mut bucket = TokenBucket::new(BURST, PER_SECOND, Instant::now());
    let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    let mut heard = Instant::now();
    let mut writing_since: Option<Instant> = None;
    loop {
        if writing_since.is_none()
            && let Some(text) = topics.next().await
        {
            if sink.feed(Message::Text(text)).await.is_err() {
                return End::Gone;
            }
            writing_since = Some(Instant::now());
        }
        // Lists that change all the time are sent in rounds.
        let round = topics.next_round().filter(|_| writing_since.is_none());
        let blocked = async {
            match writing_since {
                Some(since) => sleep_until(since + BLOCKED).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = token.cancelled() => return End::Close(1001, "the panel is stopping"),
            () = evicted.cancelled() => return End::Close(1013, "others need the place"),
            caller = watch.changed() => match caller {
                Ok(caller) => if topics.recheck(caller.into()).is_err() {
                    return End::Close(1011, "try again");
                },
                Err(_ended) => return End::Close(4401, "the session has ended"),
            },
            message = stream.next(), if topics.has_room() => {
                heard = Instant::now();
                if let Some(end) = take(message, &mut topics, &mut bucket) {
                    return end;
                }
            }
            written = sink.flush(), if writing_since.is_some() => {
                if written.is_err() {
                    return End::Gone;
                }
                writing_since = None;
            }
            () = blocked => return End::Close(1013, "too slow"),
            () = sleep_until(round.unwrap_or(heard + SILENCE)), if round.is_some() => {}
            () = sleep_until(heard + SILENCE) => return End::Close(1001, "silence"),
            _ = ping.tick() => {
                if writing_since.is_none() {
                    if sink.feed(Message::Ping(Bytes::new())).await.is_err() {
                        return End::Gone;
                    }
                    writing_since = Some(Instant::now());
                }
            }
            () = wake.notified(), if writing_since.is_none() => {}
            _ = bell.changed(), if writing_since.is_none() && topics.has_lists() => {}
        }
    }
}

/// The client's next message, or why there is none.
fn read(message: Option<Result<Message, Error>>) -> Result<Message, End> {
    match message {
        Some(Ok(message)) => Ok(message),
        Some(Err(Error::Capacity(_))) => Err(End::Close(1009, "too long")),
        Some(Err(Error::Utf8(_))) => Err(End::Close(1007, "not UTF-8")),
        Some(Err(Error::Protocol(
            tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        )))
        | None => Err(End::Gone),
        Some(Err(Error::Protocol(_))) => Err(End::Close(1002, "not WebSocket")),
        Some(Err(_)) => Err(End::Gone),
    }
}

/// Handles a message of the client; `Some` if the socket ends.
fn take(
    message: Option<Result<Message, Error>>,
    topics: &mut Topics,
    bucket: &mut TokenBucket,
) -> Option<End> {
    let message = match read(message) {
        Ok(message) => message,
        Err(end) => return Some(end),
    };
    if !bucket.take(Instant::now()) {
        return Some(End::Close(1008, "too many messages"));
    }
    match message {
        Message::Text(text) => {
            if !topics.client_says(text.as_bytes()) {
                return Some(End::Close(1008, "too many topics"));
            }
        }
        Message::Binary(_) => return Some(End::Close(1003, "text only")),
        Message::Close(_) => return Some(End::Gone),
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
    }
    None
}

/// Closes the socket. What the client still sends is read and dropped: closing with unread bytes would discard data
/// that the client has not received yet.
async fn part(mut socket: Socket, end: End) {
    let said = match end {
        End::Close(code, reason) => {
            tracing::debug!(code, reason, "live connection closed");
            let frame = CloseFrame { code: code.into(), reason: reason.into() };
            timeout(FAREWELL, socket.send(Message::Close(Some(frame)))).await
        }
        // The answer to the client's close is already queued.
        End::Gone => timeout(FAREWELL, socket.flush()).await,
    };
    if !matches!(said, Ok(Ok(()))) {
        return;
    }
    let io = socket.get_mut();
    let rest = async {
        let mut sink = [0; 4096];
        io.shutdown().await?;
        while io.read(&mut sink).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // The socket ends in any case.
    let _ = timeout(FAREWELL, rest).await;
}
