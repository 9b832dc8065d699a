//! One socket: reads wishes, writes what is next, and knows when it is over.

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

/// The longest message of a client.
pub(super) const MAX_MESSAGE: usize = 16 * 1024;
const PING_EVERY: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(45);
/// Until the first message of a browser, with its session key.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// Pings and the like that it may send before.
const FRAMES_BEFORE: usize = 16;
/// A reader that takes nothing for this long is closed.
const BLOCKED: Duration = Duration::from_secs(10);
/// How long a last word may take.
const FAREWELL: Duration = Duration::from_secs(3);

/// Why it is over.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// We close, with this code and reason.
    Close(u16, &'static str),
    /// The other side is gone, or has said that it goes.
    Gone,
}

/// Whose socket it is, as far as that is known when it opens.
pub(super) enum LiveClient {
    /// Somebody with a place.
    Known(Slot, Caller),
    /// A browser that has to show its session key first.
    Unproven(PendingSlot, Unproven),
}

/// Speaks until it is over.
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

/// The first message of a browser, which has to have the session key. Nothing is told to it before.
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
        // It may subscribe to something as well.
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
    // Watched before anything is read, so that no change falls between the two.
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
        // Lists that change all the time are told of in rounds.
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

/// One message of the client, or why there is none.
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

/// One message of the client; `Some` when it is the last.
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

/// Says the last word and waits until it has arrived: what the other side still sends is read and dropped, because
/// closing over unread bytes would destroy what it has not read yet.
async fn part(mut socket: Socket, end: End) {
    let said = match end {
        End::Close(code, reason) => {
            tracing::debug!(code, reason, "live connection closed");
            let frame = CloseFrame { code: code.into(), reason: reason.into() };
            timeout(FAREWELL, socket.send(Message::Close(Some(frame)))).await
        }
        // The answer to the client's own close is queued already.
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
    // Whatever comes of it, it is over.
    let _ = timeout(FAREWELL, rest).await;
}
