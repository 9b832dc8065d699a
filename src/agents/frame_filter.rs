//! A reader below the WebSocket that strips the payload of messages over the size limit while they are read, so that
//! they are never held in memory. Such a message arrives empty, and the connection goes on.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Size of the longest frame header.
const HEADER: usize = 14;

/// Stream wrapper that filters what is read from `inner`.
#[derive(Debug)]
pub(super) struct FrameFilter<S> {
    inner: S,
    shared: Arc<Shared>,
    /// Payload bytes left in the current frame, and how many of those are passed on.
    left: u64,
    passes: u64,
    /// Payload bytes of the current message so far: received, and passed on.
    message: u64,
    passed: u64,
    /// Start of a header that has not been read completely.
    header: [u8; HEADER],
    header_len: usize,
    /// How many bytes of a complete header have been returned to the reader; `None` if no header is pending.
    given: Option<usize>,
}

/// Handle for changing the size limit of a [`FrameFilter`].
#[derive(Clone, Debug)]
pub(super) struct FrameLimit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Largest message that is passed on, in bytes.
    most: AtomicU64,
    /// Message size in bytes above which the connection fails.
    end: u64,
    overrun: AtomicBool,
}

impl FrameLimit {
    /// Sets the size limit in bytes, from the next frame on.
    pub(super) fn set(&self, most: usize) {
        self.0.most.store(most as u64, Ordering::Relaxed);
    }

    /// Whether the connection failed because a message was too long.
    pub(super) fn overrun(&self) -> bool {
        self.0.overrun.load(Ordering::Relaxed)
    }
}

impl<S> FrameFilter<S> {
    /// Empties messages longer than `most` bytes; fails on those longer than `end` bytes.
    pub(super) fn new(inner: S, most: usize, end: usize) -> (Self, FrameLimit) {
        let shared = Arc::new(Shared {
            most: AtomicU64::new(most as u64),
            end: end as u64,
            overrun: AtomicBool::new(false),
        });
        let limit = FrameLimit(Arc::clone(&shared));
        let filter = Self {
            inner,
            shared,
            left: 0,
            passes: 0,
            message: 0,
            passed: 0,
            header: [0; HEADER],
            header_len: 0,
            given: None,
        };
        (filter, limit)
    }

    /// Handles a complete header. If the frame's payload is dropped, sets its length in `header` to zero.
    fn begin(&mut self, header: &mut [u8]) -> io::Result<()> {
        let short = header[1] & 0x7f;
        let length = match short {
            126 => u64::from(u16::from_be_bytes([header[2], header[3]])),
            127 => {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&header[2..10]);
                u64::from_be_bytes(bytes)
            }
            short => u64::from(short),
        };
        self.left = length;
        self.passes = length;
        // Control frames such as pings are always short.
        if header[0] & 0x08 != 0 {
            return Ok(());
        }
        if header[0] & 0x0f != 0 {
            (self.message, self.passed) = (0, 0);
        }
        self.message = self.message.saturating_add(length);
        if self.message > self.shared.end {
            self.shared.overrun.store(true, Ordering::Relaxed);
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is too long"));
        }
        if self.passed.saturating_add(length) > self.shared.most.load(Ordering::Relaxed) {
            self.passes = 0;
            match short {
                126 | 127 => header[2..if short == 126 { 4 } else { 10 }].fill(0),
                _ => header[1] &= 0x80,
            }
        }
        self.passed += self.passes;
        Ok(())
    }

    /// Filters `bytes` in place. Returns how many bytes are left.
    fn filter(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let (mut from, mut to) = (0, 0);
        while from < bytes.len() {
            if self.left > 0 {
                let there = (bytes.len() - from) as u64;
                let take = there.min(self.left);
                let pass = take.min(self.passes);
                let (take_len, pass_len) = (take as usize, pass as usize);
                bytes.copy_within(from..from + pass_len, to);
                from += take_len;
                to += pass_len;
                self.left -= take;
                self.passes -= pass;
                continue;
            }
            let rest = &bytes[from..];
            let needed = header_len(rest);
            if rest.len() < needed {
                self.header[..rest.len()].copy_from_slice(rest);
                self.header_len = rest.len();
                break;
            }
            let mut header = [0; HEADER];
            let header = &mut header[..needed];
            header.copy_from_slice(&rest[..needed]);
            self.begin(header)?;
            bytes[to..to + needed].copy_from_slice(header);
            from += needed;
            to += needed;
        }
        Ok(to)
    }
}

/// Header length, as far as the first bytes tell.
fn header_len(bytes: &[u8]) -> usize {
    let Some(second) = bytes.get(1) else { return 2 };
    let length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    2 + length + if second & 0x80 != 0 { 4 } else { 0 }
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameFilter<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            if let Some(given) = this.given {
                let rest = &this.header[given..this.header_len];
                let part = rest.len().min(buffer.remaining());
                buffer.put_slice(&rest[..part]);
                this.given = Some(given + part).filter(|given| *given < this.header_len);
                if this.given.is_none() {
                    this.header_len = 0;
                }
                return Poll::Ready(Ok(()));
            }
            if this.header_len > 0 {
                let needed = header_len(&this.header[..this.header_len]);
                if this.header_len == needed {
                    let mut header = this.header;
                    this.begin(&mut header[..needed])?;
                    this.header = header;
                    this.given = Some(0);
                    continue;
                }
                let mut more = ReadBuf::new(&mut this.header[this.header_len..needed]);
                std::task::ready!(Pin::new(&mut this.inner).poll_read(context, &mut more))?;
                let read = more.filled().len();
                if read == 0 {
                    return Poll::Ready(Ok(()));
                }
                this.header_len += read;
                continue;
            }
            let before = buffer.filled().len();
            std::task::ready!(Pin::new(&mut this.inner).poll_read(context, buffer))?;
            if buffer.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            let left = this.filter(&mut buffer.filled_mut()[before..])?;
            buffer.set_filled(before + left);
            if left > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FrameFilter<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// One frame, with an all-zero mask.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..126 => frame.push(0x80 | short as u8),
            middle @ 126..65_536 => {
                frame.push(0x80 | 126);
                frame.extend((middle as u16).to_be_bytes());
            }
            long => {
                frame.push(0x80 | 127);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        frame
    }

    async fn through(bytes: &[u8], at_once: usize, read: usize) -> io::Result<Vec<u8>> {
        let (mut far, near) = tokio::io::duplex(at_once);
        let (mut near, _) = FrameFilter::new(near, 1_000, 100_000);
        let writing = async {
            let _ = far.write_all(bytes).await;
            drop(far);
            std::future::pending::<()>().await;
        };
        let reading = async {
            let (mut all, mut part) = (Vec::new(), vec![0; read]);
            loop {
                match near.read(&mut part).await? {
                    0 => return Ok(all),
                    count => all.extend(&part[..count]),
                }
            }
        };
        tokio::select! {
            () = writing => unreachable!(),
            read = reading => read,
        }
    }

    #[tokio::test]
    async fn what_fits_passes_and_what_is_too_long_is_emptied() {
        let (short, middle, long) = (vec![b'a'; 100], vec![b'b'; 900], vec![b'c'; 70_000]);
        let sent = [
            frame(0x81, &short),
            frame(0x82, &long),
            frame(0x89, b"ping"),
            frame(0x81, &middle),
            frame(0x81, &vec![b'd'; 1_001]),
            // A message in several frames: empty from the frame on that exceeds the limit.
            frame(0x01, &middle),
            frame(0x8a, b"pong"),
            frame(0x00, &short),
            frame(0x00, &short),
            frame(0x80, b"end"),
            frame(0x81, b"last"),
        ]
        .concat();
        let emptied = |first: u8, ext: usize| {
            [&[first, 0x80 | if ext == 8 { 127 } else { 126 }][..], &vec![0; ext + 4]].concat()
        };
        let wanted = [
            frame(0x81, &short),
            emptied(0x82, 8),
            frame(0x89, b"ping"),
            frame(0x81, &middle),
            emptied(0x81, 2),
            frame(0x01, &middle),
            frame(0x8a, b"pong"),
            frame(0x00, &short),
            frame(0x00, b""),
            frame(0x80, b""),
            frame(0x81, b"last"),
        ]
        .concat();
        for at_once in [1, 3, 13, 64, 4096, 1 << 20] {
            for read in [1, 5, 4096] {
                assert!(through(&sent, at_once, read).await.unwrap() == wanted, "{at_once} {read}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_far_too_long_fails() {
        for sent in [
            frame(0x81, &vec![0; 100_001]),
            [frame(0x01, &vec![0; 60_000]), frame(0x80, &vec![0; 60_000])].concat(),
        ] {
            let failed = through(&sent, 4096, 4096).await.unwrap_err();
            assert_eq!(failed.kind(), io::ErrorKind::InvalidData);
        }
    }
}
