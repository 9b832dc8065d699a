//! Stream wrapper that records the last read and enforces a byte limit.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Duration, Instant};

/// The wrapped stream.
#[derive(Debug)]
pub struct MeteredStream<S> {
    inner: S,
    shared: Arc<Shared>,
}

/// Reads the meter and sets the limit. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StreamMeter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    began: Instant,
    /// Milliseconds after `began`.
    heard: AtomicU64,
    taken: AtomicU64,
    allowed: AtomicU64,
    overrun: AtomicBool,
}

impl<S> MeteredStream<S> {
    /// Starts without a limit.
    pub fn new(inner: S) -> (Self, StreamMeter) {
        let shared = Arc::new(Shared {
            began: Instant::now(),
            heard: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            allowed: AtomicU64::new(u64::MAX),
            overrun: AtomicBool::new(false),
        });
        (Self { inner, shared: Arc::clone(&shared) }, StreamMeter(shared))
    }
}

impl StreamMeter {
    /// When the last byte was received. Part of a long message over a slow connection is a sign of life too.
    #[must_use]
    pub fn heard(&self) -> Instant {
        self.0.began + Duration::from_millis(self.0.heard.load(Ordering::Relaxed))
    }

    /// Allows this many more bytes; reading beyond that fails. `None` removes the limit.
    pub fn allow(&self, bytes: Option<u64>) {
        let allowed =
            bytes.map_or(u64::MAX, |bytes| self.0.taken.load(Ordering::Relaxed).saturating_add(bytes));
        self.0.allowed.store(allowed, Ordering::Relaxed);
    }

    /// Bytes received so far.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.0.taken.load(Ordering::Relaxed)
    }

    /// Whether the limit was exceeded.
    #[must_use]
    pub fn overrun(&self) -> bool {
        self.0.overrun.load(Ordering::Relaxed)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MeteredStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.shared.taken.load(Ordering::Relaxed) > self.shared.allowed.load(Ordering::Relaxed) {
            self.shared.overrun.store(true, Ordering::Relaxed);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "more than was allowed")));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        let read = buffer.filled().len() - before;
        if read > 0 {
            let now = self.shared.began.elapsed().as_millis();
            self.shared.heard.store(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Relaxed);
            self.shared.taken.fetch_add(read as u64, Ordering::Relaxed);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MeteredStream<S> {
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

    #[tokio::test(start_paused = true)]
    async fn it_knows_when_it_heard_something_and_takes_no_more_than_allowed() {
        let (mut far, near) = tokio::io::duplex(64);
        let (mut near, meter) = MeteredStream::new(near);
        let began = Instant::now();
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(meter.heard(), began);
        far.write_all(b"12345678").await.unwrap();
        let mut buffer = [0; 4];
        near.read_exact(&mut buffer).await.unwrap();
        assert_eq!(meter.heard(), began + Duration::from_secs(5));
        meter.allow(Some(3));
        near.read_exact(&mut buffer).await.unwrap();
        far.write_all(b"9").await.unwrap();
        assert!(!meter.overrun());
        assert_eq!(near.read_exact(&mut buffer).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(meter.overrun());
        meter.allow(None);
        far.write_all(b"abc").await.unwrap();
        near.read_exact(&mut buffer).await.unwrap();
    }
}
