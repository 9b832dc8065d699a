//! The accept loop of every port: HTTP/1.1, and HTTP/2 where TLS agreed on it; a deadline on everything, a bound on
//! connections.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::connections::{ConnectionSlot, Connections, PortPolicy};
use super::http2;
use super::limits::{HEADER_BYTES, HEADERS};
use super::peer::Peer;
use super::reply::{self, Response};
use super::write_timeout::Stalling;
use crate::error::{ApiError, Code};
use crate::net::tls::{self, TlsAcceptor};
use crate::system::shutdown::Tasks;

/// From the connection to its first byte, which tells plain and TLS apart.
const FIRST_BYTE: Duration = Duration::from_secs(10);
/// From there to the end of the handshake of TLS.
const HELLO: Duration = Duration::from_secs(10);
/// The first byte of every TLS connection, and of no request.
const TLS: u8 = 0x16;
/// Between two pieces of a request's body.
const IDLE_BODY: Duration = Duration::from_secs(30);
/// Connections that were accepted and not looked at yet. Without this bound a flood would be accepted faster than anybody's
/// request is read, and drop it unread.
const STARTING: usize = 16;
/// Before accepting goes on after it failed.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers on `listener` until the tasks are cancelled, then lets the running requests end. With `tls` whoever begins
/// with TLS is answered by it.
pub async fn serve<H, F>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    policy: PortPolicy,
    tasks: Tasks,
    handler: H,
) where
    H: Fn(Request<Body>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let token = tasks.token();
    let connections = Connections::new(policy.clone());
    let starting = Arc::new(Semaphore::new(STARTING));
    loop {
        let accepted = async {
            let turn = Arc::clone(&starting).acquire_owned().await;
            (accept(&listener, &connections).await, turn)
        };
        let ((stream, peer), mut turn) = tokio::select! {
            () = token.cancelled() => return,
            accepted = accepted => (accepted.0, Some(accepted.1)),
        };
        if policy.refuses(peer) {
            let port = listener.local_addr().map_or(0, |own| own.port());
            tracing::debug!(%peer, port, "a connection from a network of games was refused");
            continue;
        }
        let address = peer.ip().to_canonical();
        let Some((slot, dropped)) = connections.enter(address) else { continue };
        // One token for all of them: a child for each leaves its parent's list of children in the middle of what a flood took
        // from the system, which the allocator then cannot give back.
        let connection = Connection {
            address,
            slot: slot.clone(),
            ending: token.clone(),
            tasks: tasks.clone(),
            handler: handler.clone(),
        };
        let tls = tls.clone();
        drop(tasks.spawn("connection", async move {
            let mut run = std::pin::pin!(connection.run(stream, tls));
            let run = poll_fn(|context| {
                let polled = run.as_mut().poll(context);
                // What had come with it was read.
                drop(turn.take());
                polled
            });
            tokio::select! {
                biased;
                () = run => {}
                // Others came, and this one was the idlest.
                () = dropped.cancelled() => {}
            }
            slot.leave();
        }));
    }
}

/// The next connection.
async fn accept(listener: &TcpListener, connections: &Connections) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // A small answer must not wait for the acknowledgement of the one before.
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            Err(cause) if connection_gone(&cause) => {}
            Err(cause) => {
                tracing::warn!(%cause, "accepting a connection failed; idle ones are dropped");
                // Mostly there are no file descriptors left.
                connections.shed();
                sleep(PAUSE).await;
            }
        }
    }
}

fn connection_gone(cause: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(cause.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

/// One that was accepted.
struct Connection<H> {
    address: IpAddr,
    slot: ConnectionSlot,
    ending: CancellationToken,
    tasks: Tasks,
    handler: H,
}

impl<H, F> Connection<H>
where
    H: Fn(Request<Body>) -> F + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    async fn run(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let ending = self.ending.clone();
        let mut byte = [0];
        // Nothing is set up for a connection that says nothing.
        let first = tokio::select! {
            first = timeout(FIRST_BYTE, stream.peek(&mut byte)) => first,
            () = ending.cancelled() => return,
        };
        // Otherwise closed, broken or silent.
        let Ok(Ok(1)) = first else { return };
        let Some(acceptor) = tls.filter(|_| byte[0] == TLS) else { return self.speak(stream, false).await };
        let hello = tokio::select! {
            hello = timeout(HELLO, acceptor.accept(stream)) => hello,
            () = ending.cancelled() => return,
        };
        match hello {
            // Boxed: most connections are plain, and need not be as large as this one.
            Ok(Ok(stream)) => {
                self.slot.progress();
                if stream.get_ref().1.alpn_protocol() == Some(tls::HTTP2) {
                    Box::pin(self.speak_http2(stream)).await;
                } else {
                    Box::pin(self.speak(stream, true)).await;
                }
            }
            Ok(Err(cause)) => tracing::trace!(%cause, address = %self.address, "no TLS came about"),
            Err(_) => {}
        }
    }

    async fn speak(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, secure: bool) {
        let (address, ending) = (self.address, self.ending.clone());
        let stream = Stalling::new(stream, self.slot.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let answer = if one_host(&request) { Ok(self.answer(request, secure)) } else { Err(two_hosts()) };
            async move {
                Ok::<_, Infallible>(match answer {
                    Ok(answer) => answer.await,
                    Err(error) => reply::error(&error),
                })
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .max_buf_size(HEADER_BYTES)
            .max_header_size(HEADER_BYTES)
            .serve_connection(TokioIo::new(stream), service)
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
            tracing::trace!(%cause, %address, "connection ended early");
        }
    }

    async fn speak_http2(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let stream = Stalling::new(stream, self.slot.clone());
        let (tasks, address) = (self.tasks.clone(), self.address);
        let answer = move |request: Request<Incoming>| {
            let answer = http2::named(request).map(|request| self.answer(request, true));
            async move {
                match answer {
                    Ok(answer) => answer.await,
                    Err(error) => reply::error(&error),
                }
            }
        };
        if let Err(cause) = http2::serve(stream, &tasks, answer).await {
            tracing::trace!(%cause, %address, "connection ended early");
        }
    }

    /// The handler's answer, or that of its panic.
    fn answer(
        &self,
        request: Request<Incoming>,
        secure: bool,
    ) -> impl Future<Output = Response> + Send + use<H, F> {
        self.slot.progress();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer { address: self.address, secure });
        request.extensions_mut().insert(self.slot.clone());
        let answer = (self.handler)(request);
        async move { AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|panic| panicked(&*panic)) }
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
