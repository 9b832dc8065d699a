//! HTTP/2 on connections that negotiated it by TLS: parallel requests, each with the time limits of HTTP/1.1, and
//! limits on what a client may request at the same time. WebSockets use HTTP/1.1: extended CONNECT (RFC 8441) is not
//! offered, so browsers open a separate connection for them.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::limits::{HEADER_BYTES, HEADERS};
use super::reply::Response;
use crate::error::{ApiError, Code};
use crate::system::shutdown::Tasks;

/// Parallel requests of one connection. A page makes about twenty.
const STREAMS: u32 = 64;
/// How many requests the client may cancel before they were handled, and how many the panel may reset itself, before
/// the connection is closed (CVE-2023-44487, CVE-2025-8671).
const RESETS: usize = 20;
/// Flow-control window in bytes, for one request's body and for a connection.
const WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 4 * WINDOW;
/// Bytes of an answer that are buffered for the socket.
const SEND_BUFFER: usize = 64 * 1024;
/// How long an answer waits for a client that reads nothing.
const STALLED: Duration = Duration::from_secs(30);
/// How long to wait for the client to close.
const GOODBYE: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// Progress of the answer that this task sends.
    static PACE: Arc<Pace>;
}

/// Converts the request to the form of HTTP/1.1: the host in `Host`, the address without it. 400 if there are two
/// different hosts (RFC 9113, 8.3.1).
pub(super) fn named<B>(mut request: Request<B>) -> Result<Request<B>, ApiError> {
    let bad = || ApiError::new(Code::BadRequest, "The request needs one name of a host.");
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(host), None) => Some(host.clone()),
        (Some(_), Some(_)) => return Err(bad()),
    };
    let name = match (authority, host) {
        (Some(authority), None) => HeaderValue::from_str(&authority).map_err(|_unreadable| bad())?,
        (Some(authority), Some(host)) if host.as_bytes() == authority.as_bytes() => host,
        (None, Some(host)) => host,
        (Some(_), Some(_)) | (None, None) => return Err(bad()),
    };
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(path);
    }
    request.headers_mut().insert(HOST, name);
    Ok(request)
}

/// Serves `stream` until the client closes it, sends no request for a while, or the process ends.
pub(super) async fn serve<S, H, F>(stream: S, tasks: &Tasks, handler: H) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let streams = Streams::new(tasks.clone());
    // Ends running answers when this function returns.
    let _all = streams.open.clone().drop_guard();
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = handler(request);
        async move {
            let answer = answer.await;
            let pace = PACE.try_with(Arc::clone).unwrap_or_default();
            pace.note();
            Ok::<_, Infallible>(answer.map(|body| Paced { body, pace }))
        }
    });
    let mut builder = http2::Builder::new(streams.clone());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_BYTES as u32)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ending = tasks.token();
    tokio::select! {
        result = &mut connection => return result,
        () = ending.cancelled() => {}
        () = streams.idle() => {}
    }
    connection.as_mut().graceful_shutdown();
    let quiet = async {
        streams.none_open().await;
        sleep(GOODBYE).await;
    };
    tokio::select! {
        result = connection => result,
        () = quiet => Ok(()),
    }
}

/// The running requests of one connection, each a task.
#[derive(Clone)]
struct Streams {
    tasks: Tasks,
    open: CancellationToken,
    count: Arc<tokio::sync::watch::Sender<usize>>,
}

impl Streams {
    fn new(tasks: Tasks) -> Self {
        Self { tasks, open: CancellationToken::new(), count: Arc::new(tokio::sync::watch::Sender::new(0)) }
    }

    async fn none_open(&self) {
        let mut count = self.count.subscribe();
        // Cannot fail: this struct holds the sender.
        let _ = count.wait_for(|count| *count == 0).await;
    }

    /// Returns after a time without requests, the same as in HTTP/1.1. Incomplete headers do not count as a request.
    async fn idle(&self) {
        loop {
            self.none_open().await;
            let mut count = self.count.subscribe();
            if timeout(HEADERS, count.wait_for(|count| *count > 0)).await.is_err() {
                return;
            }
        }
    }
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let (open, place) = (self.open.clone(), Open::new(Arc::clone(&self.count)));
        let pace = Arc::new(Pace::default());
        drop(self.tasks.spawn("stream", async move {
            let _place = place;
            tokio::select! {
                () = PACE.scope(Arc::clone(&pace), stream) => {}
                () = open.cancelled() => {}
                () = pace.stalled() => tracing::trace!("an answer that nobody takes was given up"),
            }
        }));
    }
}

/// Counts as a running request until dropped.
struct Open(Arc<tokio::sync::watch::Sender<usize>>);

impl Open {
    fn new(count: Arc<tokio::sync::watch::Sender<usize>>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// When the client last read a part of an answer; `None` while the handler is still working.
#[derive(Default)]
struct Pace(Mutex<Option<Instant>>);

impl Pace {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Returns once the client has not read for too long.
    async fn stalled(&self) {
        loop {
            let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match last.map(|last| last + STALLED) {
                Some(end) if end <= Instant::now() => return,
                Some(end) => sleep_until(end).await,
                None => sleep(STALLED).await,
            }
        }
    }
}

/// An answer's body that records when it is polled, which happens once the client has room for more.
struct Paced<B> {
    body: B,
    pace: Arc<Pace>,
}

impl<B: http_body::Body + Unpin> http_body::Body for Paced<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.pace.note();
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(request: hyper::http::request::Builder) -> Option<(String, String)> {
        let request = named(request.body(()).unwrap()).ok()?;
        Some((request.headers()[HOST].to_str().unwrap().to_owned(), request.uri().to_string()))
    }

    #[test]
    fn a_request_has_one_name_of_its_host() {
        let to = |uri: &str| Request::builder().uri(uri);
        let expected = Some(("panel:3000".to_owned(), "/a?b".to_owned()));
        assert_eq!(host(to("https://panel:3000/a?b")), expected);
        assert_eq!(host(to("https://panel:3000/a?b").header(HOST, "panel:3000")), expected);
        assert_eq!(host(to("/a?b").header(HOST, "panel:3000")), expected);
        assert_eq!(host(to("https://panel:3000/a").header(HOST, "evil.test")), None);
        assert_eq!(host(to("https://a/").header(HOST, "a").header(HOST, "a")), None);
        assert_eq!(host(to("/a")), None);
    }
}
