//! The accept loop of every port: HTTP/1.1 only, a deadline on everything, a bound on connections.

use std::error::Error;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use super::peer::Peer;
use super::reply::{self, Response};
use super::stall::Stalling;
use crate::error::{ApiError, Code};
use crate::shutdown::Tasks;

/// From the connection, or from the last answer, to the end of a request's headers.
const HEADERS: Duration = Duration::from_secs(10);
/// Between two pieces of a request's body.
const IDLE_BODY: Duration = Duration::from_secs(30);
/// The most that a request's headers may hold.
const HEADER_BYTES: usize = 64 * 1024;
/// Open connections of one port, sockets included.
const CONNECTIONS: usize = 4096;

/// Answers on `listener` until the tasks are cancelled, then lets the running requests end.
pub async fn serve<H, F>(listener: TcpListener, tasks: Tasks, handler: H)
where
    H: Fn(Request<Body>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let token = tasks.token();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return,
            accepted = accept(&listener, &room) => accepted,
        };
        let Some((stream, peer, place)) = accepted else { return };
        let ending = tasks.token();
        let connection = connection(stream, peer, handler.clone(), ending);
        drop(tasks.spawn("connection", async move {
            connection.await;
            drop(place);
        }));
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // A small answer must not wait for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                let peer = Peer { address: address.ip().to_canonical(), secure: false };
                return Some((stream, peer, place));
            }
            Err(cause) if connection_gone(&cause) => {}
            Err(cause) => {
                tracing::warn!(%cause, "accepting a connection failed; trying again");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

fn connection_gone(cause: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(cause.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

async fn connection<H, F>(
    stream: TcpStream,
    peer: Peer,
    handler: H,
    ending: tokio_util::sync::CancellationToken,
) where
    H: Fn(Request<Body>) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        let answer = if one_host(&request) { Ok(handler(request)) } else { Err(two_hosts()) };
        async move {
            Ok::<_, std::convert::Infallible>(match answer {
                Ok(answer) => {
                    AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|panic| panicked(&*panic))
                }
                Err(error) => reply::error(&error),
            })
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(HEADER_BYTES)
        .max_header_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(Stalling::new(stream)), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = &mut connection => result,
        () = ending.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(cause) = result {
        // Cut and slow connections are the network's weather, not failures of ours.
        tracing::trace!(%cause, address = %peer.address, "connection ended early");
    }
}

fn one_host<B>(request: &Request<B>) -> bool {
    let hosts = request.headers().get_all(hyper::header::HOST).iter().count();
    hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11)
}

fn two_hosts() -> ApiError {
    ApiError::new(Code::BadRequest, "The request needs one Host header.")
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    reply::error(&ApiError::internal(
        "answering a request (it panicked)",
        &std::io::Error::other(text.to_owned()),
    ))
}

/// A request's body that may not stand still.
pub struct Body {
    inner: Incoming,
    idle: Option<Pin<Box<Sleep>>>,
}

impl Body {
    fn new(inner: Incoming) -> Self {
        Self { inner, idle: None }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            self.idle = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let idle =
            self.idle.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + IDLE_BODY)));
        ready!(idle.as_mut().poll(context));
        Poll::Ready(Some(Err("the body stood still for too long".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
