//! Transport for the client library: one connection per request, and a size limit for responses. The library itself
//! holds a whole response in memory, whatever its size.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bollard::errors::Error;
use bollard::{BollardRequest, ClientVersion, Docker};
use hyper::header::{HOST, HeaderValue};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::task::TaskTracker;

use super::deadline::ACT;
use super::endpoint::Endpoint;

/// Maximum bytes of a response; descriptions of containers and images normally have some kilobytes.
const ANSWER: u64 = 1 << 20;

/// A client whose connections run as tasks on `tasks`.
pub(super) fn client(
    endpoint: &Endpoint,
    version: &ClientVersion,
    tasks: &TaskTracker,
) -> Result<Docker, Error> {
    let (endpoint, tasks) = (endpoint.clone(), tasks.clone());
    let transport = move |request: BollardRequest| {
        let (endpoint, tasks) = (endpoint.clone(), tasks.clone());
        async move { send(&endpoint, &tasks, request).await }
    };
    Docker::connect_with_custom_transport(transport, Some("http://engine"), ACT.as_secs(), version)
}

async fn send(
    endpoint: &Endpoint,
    tasks: &TaskTracker,
    mut request: BollardRequest,
) -> Result<hyper::Response<hyper::body::Incoming>, Error> {
    // Files copied out of a container are streamed.
    let most = if request.uri().path().ends_with("/archive") { u64::MAX } else { ANSWER };
    if let Some(path) = request.uri().path_and_query() {
        let path = path.as_str().parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
        *request.uri_mut() = path.map_err(|err| Error::IOError { err })?;
    }
    request.headers_mut().insert(HOST, HeaderValue::from_static("engine"));
    let (read, write) = endpoint.connect().await.map_err(|err| Error::IOError { err })?;
    let stream = TokioIo::new(tokio::io::join(Capped { read, left: most }, write));
    let failed = |err| Error::HyperResponseError { err };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.map_err(failed)?;
    // Ends with the response, or when its reader is dropped.
    drop(tasks.spawn(async move {
        if let Err(error) = connection.await {
            tracing::trace!(%error, "a connection to the engine");
        }
    }));
    sender.send_request(request).await.map_err(failed)
}

/// A reader that fails after a maximum number of bytes.
pub(super) struct Capped<R> {
    pub(super) read: R,
    pub(super) left: u64,
}

impl<R: AsyncRead + Unpin> AsyncRead for Capped<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.read).poll_read(cx, buf))?;
        let read = (buf.filled().len() - before) as u64;
        match self.left.checked_sub(read) {
            Some(left) => self.left = left,
            None => {
                buf.set_filled(before);
                return Poll::Ready(Err(io::Error::other(
                    "its answer is longer than any that it should give",
                )));
            }
        }
        Poll::Ready(Ok(()))
    }
}
