//! Stream wrapper that keeps the head of an HTTP answer and what follows it apart: whoever reads the head gets nothing of
//! the rest, and so cannot lose any of it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const END: &[u8] = b"\r\n\r\n";
/// Bytes that are read at a time until the head's end.
const READ: usize = 4 * 1024;

/// The wrapped stream.
#[derive(Debug)]
pub(super) struct HeadFirst<S> {
    inner: S,
    /// How many bytes of [`END`] came last; `None` behind the head.
    matched: Option<usize>,
    /// What came of the head and is not taken yet.
    head: Bytes,
    /// What came with the head and belongs to the rest.
    rest: Bytes,
}

impl<S> HeadFirst<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, matched: Some(0), head: Bytes::new(), rest: Bytes::new() }
    }

    /// Cuts what came into what belongs to the head, and the rest.
    fn cut(&mut self, mut came: Bytes, mut matched: usize) {
        for (at, byte) in came.iter().enumerate() {
            matched = match *byte {
                byte if byte == END[matched] => matched + 1,
                b'\r' => 1,
                _ => 0,
            };
            if matched == END.len() {
                self.head = came.split_to(at + 1);
                self.rest = came;
                self.matched = None;
                return;
            }
        }
        self.matched = Some(matched);
        self.head = came;
    }
}

fn take(from: &mut Bytes, into: &mut ReadBuf<'_>) {
    let part = from.len().min(into.remaining());
    into.put_slice(&from[..part]);
    from.advance(part);
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadFirst<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let (true, Some(matched)) = (this.head.is_empty(), this.matched) {
            let mut came = BytesMut::zeroed(READ);
            let mut buffer = ReadBuf::new(&mut came);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut buffer))?;
            let n = buffer.filled().len();
            came.truncate(n);
            this.cut(came.freeze(), matched);
        }
        if !this.head.is_empty() {
            take(&mut this.head, into);
        } else if !this.rest.is_empty() {
            take(&mut this.rest, into);
        } else if this.matched.is_none() {
            return Pin::new(&mut this.inner).poll_read(context, into);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadFirst<S> {
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

    #[tokio::test]
    async fn a_reader_of_the_head_gets_nothing_of_the_rest() {
        let whole = b"HTTP/1.1 101 S\r\nA: \r\r\n\r\nthe rest\r\n\r\n, more";
        let head = whole.len() - b"the rest\r\n\r\n, more".len();
        // However it is cut on its way.
        for piece in 1..=whole.len() {
            let (mut near, far) = tokio::io::duplex(piece);
            let mut reader = HeadFirst::new(far);
            let sending = async {
                near.write_all(whole).await.unwrap();
                drop(near);
            };
            let reading = async {
                let (mut got, mut buffer) = (Vec::new(), [0; 512]);
                while !got.ends_with(END) {
                    let n = reader.read(&mut buffer).await.unwrap();
                    got.extend_from_slice(&buffer[..n]);
                }
                assert_eq!(got, &whole[..head], "cut to {piece}");
                got.clear();
                reader.read_to_end(&mut got).await.unwrap();
                assert_eq!(got, &whole[head..], "cut to {piece}");
            };
            tokio::join!(sending, reading);
        }
    }
}
