//! A pipe over a WebSocket. Both sides run the same code.

use std::time::Duration;

use bytes::Bytes;
use protocol::Control;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;

use super::pipe::{Frame, Pipe};
use super::websocket::{Message, Reader, Writer};

const PING_EVERY: Duration = Duration::from_secs(15);
/// After this long without any frame (not even a ping) while we are reading, the other side is considered gone.
const SILENCE: Duration = Duration::from_secs(45);
/// Time limit for the other side to close after our last frame.
const FAREWELL: Duration = Duration::from_secs(10);

/// Forwards a pipe over a connection that became a WebSocket, until either end is closed or `cancel`. `role` is ours.
pub async fn forward<S>(connection: S, role: Role, pipe: Pipe, cancel: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (from, to) = tokio::io::split(connection);
    let (mut reader, mut writer) = (Reader::new(from, role), Writer::new(to, role));
    let Pipe { out, inward } = pipe;
    // One at a time: whoever pings faster than we write is not answered each time.
    let (pong, pongs) = mpsc::channel(1);
    let speak = async {
        write(&mut writer, inward, pongs).await;
        // The other side closes when it has read everything.
        let _ = timeout(FAREWELL, writer.send(Message::Close)).await;
        tokio::time::sleep(FAREWELL).await;
    };
    let hear = async {
        read(&mut reader, out, &pong).await;
    };
    tokio::select! {
        () = cancel.cancelled() => {}
        () = speak => {}
        () = hear => {}
    }
}

async fn write<W>(writer: &mut Writer<W>, mut inward: mpsc::Receiver<Frame>, mut pongs: mpsc::Receiver<Bytes>)
where
    W: AsyncWrite + Unpin,
{
    let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    loop {
        let message = tokio::select! {
            piece = inward.recv() => match piece {
                Some(Frame::Bytes(bytes)) => Message::Binary(bytes),
                Some(Frame::Control(word)) => match serde_json::to_vec(&word) {
                    Ok(text) => Message::Text(text.into()),
                    Err(_) => return,
                },
                None => return,
            },
            Some(payload) = pongs.recv() => Message::Pong(payload),
            _ = ping.tick() => Message::Ping(Bytes::new()),
        };
        if writer.send(message).await.is_err() {
            return;
        }
    }
}

/// Reads until the other side ends or sends something invalid. What comes after the receiver here was dropped, because
/// this end only sends, is left out.
async fn read<R>(reader: &mut Reader<R>, out: mpsc::Sender<Frame>, pong: &mpsc::Sender<Bytes>)
where
    R: AsyncRead + Unpin,
{
    loop {
        let piece = match timeout(SILENCE, reader.next()).await {
            Ok(Ok(Message::Binary(bytes))) => Frame::Bytes(bytes),
            Ok(Ok(Message::Text(text))) => match serde_json::from_slice::<Control>(&text) {
                Ok(word) => Frame::Control(word),
                Err(_) => return,
            },
            Ok(Ok(Message::Ping(payload))) => {
                let _ = pong.try_send(payload);
                continue;
            }
            Ok(Ok(Message::Pong(_))) => continue,
            Ok(Ok(Message::Close) | Err(_)) | Err(_) => return,
        };
        // Fails where nobody receives: the connection stays open for what is sent.
        let _ = out.send(piece).await;
    }
}
