//! Bodies that are too large for memory, received and sent in chunks.

use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use warp::Reply;

use super::reply::Response;
use crate::error::{ApiError, Code};

/// Period over which a client's speed is measured. Time in which the handler does not read does not count.
const WINDOW: Duration = Duration::from_secs(30);
/// Slowest accepted client, in bytes per period: 1 KiB a second.
const SLOWEST: u64 = 30 * 1024;
/// How much of an unwanted body is read and dropped, and for how long, so that the client sees the answer.
const DROPPED: u64 = 128 * 1024 * 1024;
const DROPPING: Duration = Duration::from_secs(10);

/// A request's body that the handler reads itself. Only the handler limits its size. A body that stalls for 30 s, or is
/// slower than 1 KiB a second, ends with an error.
pub struct BodyStream {
    inner: Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send>>,
    length: Option<u64>,
    waited: Duration,
    came: u64,
}

impl fmt::Debug for BodyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyStream").field("length", &self.length).finish_non_exhaustive()
    }
}

impl BodyStream {
    pub(super) fn new<S, B>(stream: S, length: Option<u64>) -> Self
    where
        S: Stream<Item = Result<B, warp::Error>> + Send + 'static,
        B: Buf,
    {
        let inner = stream.map(|piece| piece.map(|mut piece| piece.copy_to_bytes(piece.remaining())));
        Self { inner: Box::pin(inner), length, waited: Duration::ZERO, came: 0 }
    }

    /// Its size as declared by the client.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next chunk; `None` at the end. Cancel-safe.
    ///
    /// # Errors
    /// 400 if the body was cut off or is too slow.
    pub async fn next(&mut self) -> Option<Result<Bytes, ApiError>> {
        let began = Instant::now();
        let piece = self.inner.next().await?;
        self.waited += began.elapsed();
        let Ok(piece) = piece else { return Some(Err(cut_off())) };
        self.came += piece.len() as u64;
        if self.waited >= WINDOW {
            if self.came < SLOWEST {
                return Some(Err(cut_off()));
            }
            (self.waited, self.came) = (Duration::ZERO, 0);
        }
        Some(Ok(piece))
    }

    /// Reads and drops the rest of the body for a moment: a client that is still sending would otherwise see a broken
    /// connection instead of `error`. Nothing is read from callers who may not send it.
    pub async fn drain(&mut self, error: &ApiError) {
        if matches!(error.code().status(), 401 | 403 | 404) {
            return;
        }
        let reading = async {
            let mut dropped = 0;
            while let Some(Ok(piece)) = self.inner.next().await {
                dropped += piece.len() as u64;
                if dropped > DROPPED {
                    return;
                }
            }
        };
        // The answer is sent in any case.
        let _ = tokio::time::timeout(DROPPING, reading).await;
    }
}

fn cut_off() -> ApiError {
    ApiError::new(Code::BadRequest, "The body was cut off or came too slowly.")
}

/// How much of a request's body the handler gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing of it.
    Nothing,
    /// All of it, at most this many bytes.
    Whole(u64),
    /// A stream.
    Stream,
}

/// A request's body before it is parsed.
pub(super) enum RawBody {
    /// All of it.
    Whole(Bytes),
    /// As a stream.
    Stream(BodyStream),
}

impl RawBody {
    /// The body in memory; empty for a stream.
    pub(super) fn whole(self) -> Bytes {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Stream(_) => Bytes::new(),
        }
    }
}

/// A response whose body is sent in chunks. An error in the stream aborts the connection, so that the client does not
/// take a part for the whole.
pub fn streaming<S, E>(status: StatusCode, headers: HeaderMap, body: S) -> Response
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    let mut response = warp::reply::stream(Shared(Mutex::new(Box::pin(body)))).into_response();
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().extend(headers);
    response
}

/// Makes a stream `Sync`, as warp requires. It is never actually shared.
struct Shared<S>(Mutex<Pin<Box<S>>>);

impl<S: Stream> Stream for Shared<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().0.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn pieces_come_as_they_are_sent() {
        let pieces = ["ab", "c"].map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
        let mut body = BodyStream::new(stream::iter(pieces), Some(3));
        assert_eq!(body.length(), Some(3));
        let mut whole = Vec::new();
        while let Some(piece) = body.next().await {
            whole.extend_from_slice(&piece.unwrap());
        }
        assert_eq!(whole, b"abc");
    }

    #[tokio::test]
    async fn whoever_trickles_is_not_waited_for() {
        let pieces = [1, 2].map(|_| Ok(Bytes::from_static(b"x")));
        let mut body = BodyStream::new(stream::iter(pieces), None);
        assert!(body.next().await.unwrap().is_ok());
        body.waited = WINDOW;
        assert_eq!(body.next().await.unwrap().unwrap_err().code(), Code::BadRequest);
    }
}
