//! A pipe over a WebSocket. Both sides run the same code.

use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use protocol::Control;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_util::sync::CancellationToken;

use super::pipe::{FRAME_BYTES, Frame, Pipe};

const PING_EVERY: Duration = Duration::from_secs(15);
/// After this long without any frame (not even a ping) while we are reading, the other side is considered gone.
const SILENCE: Duration = Duration::from_secs(45);
/// Time limit for the other side to close after our last frame.
const FAREWELL: Duration = Duration::from_secs(10);
/// Maximum bytes of a control message: a few numbers or a sentence.
const LONGEST_WORD: usize = 16 * 1024;

/// Forwards a pipe over a socket until either end is closed or `cancel`.
pub async fn forward<S>(socket: WebSocketStream<S>, pipe: Pipe, cancel: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sink, stream) = socket.split();
    let Pipe { out, inward } = pipe;
    let speak = async {
        write(&mut sink, inward).await;
        // The other side closes when it has read everything.
        let _ = timeout(FAREWELL, sink.close()).await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = speak => {}
        () = read(stream, out) => {}
    }
}

async fn write<S>(sink: &mut SplitSink<WebSocketStream<S>, Message>, mut inward: mpsc::Receiver<Frame>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    loop {
        let message = tokio::select! {
            piece = inward.recv() => match piece {
                Some(Frame::Bytes(bytes)) => Message::Binary(bytes),
                Some(Frame::Control(word)) => match serde_json::to_string(&word) {
                    Ok(text) => Message::text(text),
                    Err(_) => return,
                },
                None => return,
            },
            _ = ping.tick() => Message::Ping(Bytes::new()),
        };
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

/// Reads until the other side ends, sends something invalid, or the receiver here is dropped.
async fn read<S>(mut stream: SplitStream<WebSocketStream<S>>, out: mpsc::Sender<Frame>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let message = tokio::select! {
            message = timeout(SILENCE, stream.next()) => message,
            // The receiver was dropped, because this end only sends; the connection stays open.
            () = out.closed() => return deaf(stream).await,
        };
        let piece = match message {
            Ok(Some(Ok(Message::Binary(bytes)))) if bytes.len() <= FRAME_BYTES => Frame::Bytes(bytes),
            Ok(Some(Ok(Message::Text(text)))) if text.len() <= LONGEST_WORD => {
                match serde_json::from_str::<Control>(&text) {
                    Ok(word) => Frame::Control(word),
                    Err(_) => return,
                }
            }
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
            _ => return,
        };
        if out.send(piece).await.is_err() {
            return deaf(stream).await;
        }
    }
}

/// Waits for the connection's end.
async fn deaf<S>(mut stream: SplitStream<WebSocketStream<S>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Ok(Some(Ok(_))) = timeout(SILENCE, stream.next()).await {}
}
