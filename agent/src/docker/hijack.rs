//! Reads a container's terminal as raw bytes. The client library splits output into lines and buffers each until it
//! ends, which fails for prompts and for lines of 100 MB, so this module speaks minimal HTTP itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

use super::endpoint::{Endpoint, Halves};
use super::errors;
use super::transport::Capped;
use crate::runtime::{EngineError, Fault};

/// Maximum bytes of a response head.
const HEAD: usize = 16 * 1024;
/// Maximum bytes of an error body.
const BODY: u64 = 16 * 1024;

/// Sends a request that the engine answers by upgrading the connection (or, with HTTP/1.0, by sending bytes until it
/// closes).
pub(super) async fn open(
    endpoint: &Endpoint,
    method: &str,
    path: &str,
    upgrade: bool,
    action: &str,
) -> Result<Halves, EngineError> {
    let request = if upgrade {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: engine\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        )
    } else {
        format!("{method} {path} HTTP/1.0\r\nHost: engine\r\n\r\n")
    };
    send(endpoint, &request, action).await
}

/// Like [`open`], with an additional header line including its line end, or an empty string.
pub(super) async fn open_as(
    endpoint: &Endpoint,
    method: &str,
    path: &str,
    header: &str,
    action: &str,
) -> Result<Halves, EngineError> {
    let request = format!("{method} {path} HTTP/1.0\r\nHost: engine\r\n{header}\r\n");
    send(endpoint, &request, action).await
}

async fn send(endpoint: &Endpoint, request: &str, action: &str) -> Result<Halves, EngineError> {
    let away = |error: io::Error| EngineError::new(Fault::Away, action, error.to_string());
    let (mut read, mut write) = endpoint.connect().await.map_err(away)?;
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
    // Use as much of the body as arrives.
    let _ = read.take(BODY).read_to_end(&mut body).await;
    let text = String::from_utf8_lossy(&body);
    let json = text.find('{').and_then(|from| {
        let value =
            serde_json::Deserializer::from_str(&text[from..]).into_iter::<serde_json::Value>().next()?;
        value.ok()?.get("message")?.as_str().map(str::to_owned)
    });
    let message = json.unwrap_or_else(|| text.trim().to_owned());
    Err(errors::answered(action, status, &message))
}

/// A complete response body of at most `most` bytes.
pub(super) async fn get(
    endpoint: &Endpoint,
    path: &str,
    most: u64,
    action: &str,
) -> Result<Vec<u8>, EngineError> {
    get_as(endpoint, path, "", most, action).await
}

/// Like [`get`], with an additional header line.
pub(super) async fn get_as(
    endpoint: &Endpoint,
    path: &str,
    header: &str,
    most: u64,
    action: &str,
) -> Result<Vec<u8>, EngineError> {
    let (read, _write) = open_as(endpoint, "GET", path, header, action).await?;
    let mut all = Vec::new();
    Capped { read, left: most }
        .read_to_end(&mut all)
        .await
        .map_err(|error| EngineError::new(Fault::Away, action, error.to_string()))?;
    Ok(all)
}

/// Percent-encodes text for a request path.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Lines of a stream, with a maximum length per line.
pub(super) struct Lines<R> {
    read: R,
    most: usize,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(read: R, most: usize) -> Self {
        Self { read, most, buffer: Vec::new() }
    }

    /// The next line without its line end; `None` at the end. Cancel safe.
    pub(super) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer) {
                let rest = self.buffer.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.truncate(end);
                return Ok(Some(line));
            }
            if self.buffer.len() > self.most {
                return Err(io::Error::other("a line of its answer is longer than any that it should give"));
            }
            let mut piece = [0; 4096];
            let read = self.read.read(&mut piece).await?;
            if read == 0 {
                let last = std::mem::take(&mut self.buffer);
                return Ok(Some(last).filter(|last| !last.is_empty()));
            }
            self.buffer.extend_from_slice(&piece[..read]);
        }
    }
}

/// A reader with some bytes prepended.
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

/// A reader that keeps the write half open: if that is closed, the engine ends the response.
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

/// Output of a container without a terminal: frames with an eight-byte header (stream, 0, 0, 0, length) and a payload.
/// Yields the payloads only.
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
    async fn lines_are_bounded_and_come_whole_however_they_are_cut() {
        for chunk in [1, 5, 4096] {
            let (mut to, from) = tokio::io::duplex(chunk);
            let write = async move {
                to.write_all(b"{\"a\":1}\r\n\nlast").await.unwrap();
                drop(to);
            };
            let read = async {
                let mut lines = Lines::new(from, 100);
                let mut all = Vec::new();
                while let Some(line) = lines.next().await.unwrap() {
                    all.push(line);
                }
                all
            };
            let (_, all) = tokio::join!(write, read);
            assert_eq!(all, [&b"{\"a\":1}\r"[..], b"", b"last"]);
        }
        let mut endless = Lines::new(tokio::io::repeat(b'x'), 100_000);
        assert!(endless.next().await.is_err());
        let mut all = Vec::new();
        assert!(Capped { read: tokio::io::repeat(b'x'), left: 1000 }.read_to_end(&mut all).await.is_err());
        assert!(all.len() <= 1000, "{}", all.len());
        assert_eq!(encoded("host:5000/a b@sha256:0?&"), "host%3A5000%2Fa%20b%40sha256%3A0%3F%26");
    }

    #[tokio::test]
    async fn a_prefix_comes_first() {
        let mut all = Vec::new();
        Prefixed { rest: b"ab".to_vec(), at: 0, read: &b"cd"[..] }.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"abcd");
    }
}
