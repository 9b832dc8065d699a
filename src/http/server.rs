//! The accept loop of every port: HTTP/1.1, and HTTP/2 if negotiated by TLS, with time limits on everything and a limit
//! on connections.

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
use super::limits::{BODY_BUFFER, HEADER_BYTES, HEADERS};
use super::peer::Peer;
use super::reply::{self, Response};
use super::write_timeout::Stalling;
use crate::error::{ApiError, Code};
use crate::net::tls::{self, TlsAcceptor};
use crate::system::shutdown::Tasks;

/// Time from the connection to its first byte, which tells plain HTTP and TLS apart.
const FIRST_BYTE: Duration = Duration::from_secs(10);
/// Time from there to the end of the TLS handshake.
const HELLO: Duration = Duration::from_secs(10);
/// First byte of every TLS connection, and of no HTTP request.
const TLS: u8 = 0x16;
/// Longest pause within a request's body.
const IDLE_BODY: Duration = Duration::from_secs(30);
/// Accepted connections that have not been polled yet. Without this limit a flood would be accepted faster than any
/// request is read, and push connections out unread.
const STARTING: usize = 16;
/// Pause after a failed accept.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves `listener` until the tasks are cancelled, then lets running requests finish. With `tls`, connections that
/// start with TLS use it.
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
        // One token for all connections. A child token for each would leave the parent's list of children within memory
        // allocated during a flood, which the allocator then cannot release.
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
                // What arrived together with the connection has been read.
                drop(turn.take());
                polled
            });
            tokio::select! {
                biased;
                () = run => {}
                // Closed to make room for another connection.
                () = dropped.cancelled() => {}
            }
            slot.leave();
        }));
    }
}

/// Accepts the next connection.
async fn accept(listener: &TcpListener, connections: &Connections) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // A small answer must not wait for the acknowledgement of the previous one.
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            Err(cause) if connection_gone(&cause) => {}
            Err(cause) => {
                tracing::warn!(%cause, "accepting a connection failed; idle ones are dropped");
                // Most likely there are no file descriptors left.
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

/// An accepted connection.
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
        // Nothing is allocated for a connection that sends nothing.
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
            // Boxed: most connections are plain HTTP and should not need as much memory as this.
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
            // Headers have their own, lower limit.
            .max_buf_size(BODY_BUFFER)
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
            // Broken and slow connections are normal and no fault of the panel.
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

    /// The handler's response, or an error if it panics.
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

/// A request's body that fails if it makes no progress.
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
