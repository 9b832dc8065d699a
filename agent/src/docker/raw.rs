//! A container's terminal, byte for byte. The client library cuts output into lines and keeps a line until it ends,
//! which neither a prompt nor a line of 100 MB survives; so this speaks the few words of HTTP itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

use super::endpoint::{Endpoint, Halves};
use super::words;
use crate::runtime::{EngineError, Fault};

/// Bytes of an answer's head.
const HEAD: usize = 16 * 1024;
/// Bytes of a refusal's body.
const BODY: u64 = 16 * 1024;

/// Sends a request that the engine answers by handing over the connection (or, as HTTP/1.0, by bytes until it closes).
pub(super) async fn open(
    endpoint: &Endpoint,
    method: &str,
    path: &str,
    upgrade: bool,
    action: &str,
) -> Result<Halves, EngineError> {
    let away = |error: io::Error| EngineError::new(Fault::Away, action, error.to_string());
    let (mut read, mut write) = endpoint.connect().await.map_err(away)?;
    let request = if upgrade {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: engine\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        )
    } else {
        format!("{method} {path} HTTP/1.0\r\nHost: engine\r\n\r\n")
    };
    write.write_all(request.as_bytes()).await.map_err(away)?;
    let mut head = Vec::new();
    let end = loop {
        if let Some(at) = memchr::memmem::find(&head, b"\r\n\r\n") {
            break at + 4;
        }
        if head.len() > HEAD {
            return Err(EngineError::new(Fault::Refused, action, "its answer is none"));
        }
        if read.read_buf(&mut head).await.map_err(away)? == 0 {
            return Err(EngineError::new(Fault::Away, action, "the engine hung up"));
        }
    };
    let rest = head.split_off(end);
    let status: u16 = std::str::from_utf8(&head)
        .ok()
        .and_then(|head| head.split_ascii_whitespace().nth(1))
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    if matches!(status, 101 | 200) {
        return Ok((Box::new(Prefixed { rest, at: 0, read }), write));
    }
    let mut body = rest;
    // Whatever of it comes is better than nothing.
    let _ = read.take(BODY).read_to_end(&mut body).await;
    let text = String::from_utf8_lossy(&body);
    let json = text.find('{').and_then(|from| {
        let value =
            serde_json::Deserializer::from_str(&text[from..]).into_iter::<serde_json::Value>().next()?;
        value.ok()?.get("message")?.as_str().map(str::to_owned)
    });
    let message = json.unwrap_or_else(|| text.trim().to_owned());
    Err(words::answered(action, status, &message))
}

/// A reader with some bytes in front.
struct Prefixed<R> {
    rest: Vec<u8>,
    at: usize,
    read: R,
}

impl<R: AsyncRead + Unpin> AsyncRead for Prefixed<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.at < this.rest.len() {
            let n = buf.remaining().min(this.rest.len() - this.at);
            buf.put_slice(&this.rest[this.at..this.at + n]);
            this.at += n;
            if this.at == this.rest.len() {
                this.rest = Vec::new();
                this.at = 0;
            }
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.read).poll_read(cx, buf)
    }
}

/// A reader that keeps the connection's other half: where that closes, the engine takes it for "no more, thanks".
pub(super) struct Kept<R, W> {
    read: R,
    _write: W,
}

impl<R, W> Kept<R, W> {
    pub(super) fn new((read, write): (R, W)) -> Self {
        Self { read, _write: write }
    }
}

impl<R: AsyncRead + Unpin, W: Unpin> AsyncRead for Kept<R, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(cx, buf)
    }
}

/// Output of a container without a terminal: frames of eight bytes of head (stream, 0, 0, 0, length) and a payload.
/// Reads as the payloads alone.
pub(super) struct Frames<R> {
    read: R,
    head: [u8; 8],
    got: usize,
    left: usize,
}

impl<R> Frames<R> {
    pub(super) fn new(read: R) -> Self {
        Self { read, head: [0; 8], got: 0, left: 0 }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Frames<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.left == 0 {
            let mut head = ReadBuf::new(&mut this.head[this.got..]);
            ready!(Pin::new(&mut this.read).poll_read(cx, &mut head))?;
            let n = head.filled().len();
            if n == 0 {
                return Poll::Ready(Ok(()));
            }
            this.got += n;
            if this.got == 8 {
                let [.., a, b, c, d] = this.head;
                this.left = u32::from_be_bytes([a, b, c, d]) as usize;
                this.got = 0;
            }
        }
        let room = buf.remaining().min(this.left);
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
        ready!(Pin::new(&mut this.read).poll_read(cx, &mut part))?;
        let n = part.filled().len();
        buf.advance(n);
        this.left -= n;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[stream, 0, 0, 0], &length[..], payload].concat()
    }

    #[tokio::test]
    async fn frames_read_as_their_payloads_however_they_are_cut() {
        let bytes = [frame(1, b"one\n"), frame(2, b""), frame(2, b"two\n"), frame(1, &[7; 300])].concat();
        for chunk in [1, 3, 7, 8, 9, 1000] {
            let (mut to, from) = tokio::io::duplex(chunk);
            let bytes = bytes.clone();
            let write = async move { to.write_all(&bytes).await.unwrap() };
            let mut frames = Frames::new(from);
            let mut all = Vec::new();
            let (_, read) = tokio::join!(write, frames.read_to_end(&mut all));
            read.unwrap();
            assert_eq!(all, [&b"one\ntwo\n"[..], &[7; 300]].concat());
        }
    }

    #[tokio::test]
    async fn a_prefix_comes_first() {
        let mut all = Vec::new();
        Prefixed { rest: b"ab".to_vec(), at: 0, read: &b"cd"[..] }.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"abcd");
    }
}
