//! WebSockets: takes the connection over from hyper and runs tokio-tungstenite on it with small buffers.

use std::future::Future;

use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::reply::{self, Response};
use crate::error::{ApiError, Code};
use crate::system::shutdown::Tasks;

/// A connection taken over from hyper.
pub type Connection = TokioIo<Upgraded>;

/// An open WebSocket.
pub type Socket = WebSocketStream<Connection>;

/// Read buffer in bytes. tungstenite's default is 128 KiB, but most sockets are idle.
const BUFFER: usize = 4 * 1024;

/// A request for a WebSocket that was not accepted yet.
pub struct Upgrade {
    connection: OnUpgrade,
    accept: HeaderValue,
    protocols: Vec<String>,
}

impl Upgrade {
    /// The upgrade that a request asks for: 426 if it asks for none, 400 if it is malformed.
    pub fn of<B>(request: &Request<B>) -> Result<Self, ApiError> {
        Self::from_parts(request.headers(), request.extensions().get::<OnUpgrade>().cloned())
    }

    pub(super) fn from_parts(headers: &HeaderMap, connection: Option<OnUpgrade>) -> Result<Self, ApiError> {
        let asked = lists(headers, &UPGRADE, "websocket") && lists(headers, &CONNECTION, "upgrade");
        let (true, Some(connection)) = (asked, connection) else {
            return Err(ApiError::new(Code::UpgradeRequired, "This address speaks WebSocket only."));
        };
        let bad = |sentence| ApiError::new(Code::BadRequest, sentence);
        if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(bad("Sec-WebSocket-Version has to be 13."));
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).ok_or_else(|| bad("Sec-WebSocket-Key is missing."))?;
        let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
            .map_err(|_| bad("Sec-WebSocket-Key is unreadable."))?;
        let protocols = headers
            .get_all(SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|name| name.trim().to_owned())
            .collect();
        Ok(Self { connection, accept, protocols })
    }

    /// The subprotocols offered by the client, in its order.
    pub fn protocols(&self) -> &[String] {
        &self.protocols
    }

    /// Accepts the upgrade: answers 101, and runs `speak` in a task with this name once the connection is established.
    ///
    /// A client's message may have at most `max_message` bytes (tungstenite then fails the read with `Capacity`; close
    /// with 1009). `protocol` is the chosen subprotocol.
    pub fn accept<S, F>(
        self,
        tasks: &Tasks,
        name: &'static str,
        max_message: usize,
        protocol: Option<&str>,
        speak: S,
    ) -> Response
    where
        S: FnOnce(Socket) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER)
            .max_message_size(Some(max_message))
            .max_frame_size(Some(max_message));
        self.grant(tasks, name, protocol, async move |connection| {
            speak(WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await).await;
        })
    }

    /// Like [`Self::accept`], for callers that create the socket from the connection themselves.
    pub fn grant<S, F>(self, tasks: &Tasks, name: &'static str, protocol: Option<&str>, speak: S) -> Response
    where
        S: FnOnce(Connection) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let mut response = reply::empty(StatusCode::SWITCHING_PROTOCOLS);
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(protocol) = protocol.and_then(|name| HeaderValue::from_str(name).ok()) {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        let connection = self.connection;
        drop(tasks.spawn(name, async move {
            match connection.await {
                Ok(connection) => speak(TokioIo::new(connection)).await,
                Err(cause) => tracing::debug!(%cause, "a connection was gone before it became a socket"),
            }
        }));
        response
    }
}

fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(word))
}
