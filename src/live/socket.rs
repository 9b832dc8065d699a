//! One socket: reads wishes, writes what is next, and knows when it is over.

use std::future::pending;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};
use tokio_util::sync::CancellationToken;

use super::Live;
use super::limits::{BURST, PER_SECOND, Slot};
use super::topics::Topics;
use crate::auth::Caller;
use crate::http::Socket;
use crate::rate_limit::TokenBucket;

/// The longest message of a client.
pub(super) const MAX_MESSAGE: usize = 16 * 1024;
const PING_EVERY: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(45);
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

/// Speaks until it is over.
pub(super) async fn speak(socket: Socket, live: Live, caller: Caller, slot: Slot) {
    let (mut sink, mut stream) = socket.split();
    let end = run(&mut sink, &mut stream, live, caller, &slot.evicted).await;
    if let Ok(socket) = sink.reunite(stream) {
        part(socket, end).await;
    }
    drop(slot);
}

async fn run(
    sink: &mut SplitSink<Socket, Message>,
    stream: &mut SplitStream<Socket>,
    live: Live,
    caller: Caller,
    evicted: &CancellationToken,
) -> End {
    // Watched before anything is read, so that no change falls between the two.
    let mut watch = live.auth.watch(&caller);
    let mut bell = live.agents.changes().bell();
    let token = live.tasks.token();
    let Ok(mut topics) = Topics::new(live, caller) else { return End::Close(1011, "try again") };
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
                Ok(caller) => if topics.recheck(caller).is_err() {
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

/// One message of the client; `Some` when it is the last.
fn take(
    message: Option<Result<Message, Error>>,
    topics: &mut Topics,
    bucket: &mut TokenBucket,
) -> Option<End> {
    let message = match message {
        Some(Ok(message)) => message,
        Some(Err(Error::Capacity(_))) => return Some(End::Close(1009, "too long")),
        Some(Err(Error::Utf8(_))) => return Some(End::Close(1007, "not UTF-8")),
        Some(Err(Error::Protocol(
            tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        )))
        | None => return Some(End::Gone),
        Some(Err(Error::Protocol(_))) => return Some(End::Close(1002, "not WebSocket")),
        Some(Err(_)) => return Some(End::Gone),
    };
    if !bucket.take(Instant::now()) {
        return Some(End::Close(1008, "too many messages"));
    }
    match message {
        Message::Text(text) => topics.client_says(text.as_bytes()),
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
