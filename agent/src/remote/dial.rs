//! A single attempt to connect to the panel.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use protocol::{AGENT_PROCESS, Encoding};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{ProtocolError, SubProtocolError};
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{self, HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::head_first::HeadFirst;
use super::pin::KeyPin;
use super::{BadPanelUrl, Remote, cert_error, tls};
use crate::dns;
use crate::link::metered_stream::{MeteredStream, StreamMeter};
use crate::streams::Ticket;

/// Time limit for each of connecting, TLS and the upgrade.
const PATIENCE: Duration = Duration::from_secs(10);
const BUFFER: usize = 16 * 1024;
/// Maximum bytes of a message from the panel.
const MAX_MESSAGE: usize = 32 << 20;

/// A connection to the panel, plain or by TLS.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// An open WebSocket to the panel.
pub type Socket = WebSocketStream<MeteredStream<Box<dyn Transport>>>;

/// A connection for bulk bytes, which became a WebSocket.
pub(super) type Bulk = HeadFirst<Box<dyn Transport>>;

/// Why a connection attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The panel answered and refused, with this HTTP status.
    #[error("the panel answered {0}")]
    Refused(u16),
    /// It did not answer, did not answer like a panel, or could not prove its identity.
    #[error("{0}")]
    Away(String),
}

/// Connects to one panel. Cheap to clone.
#[derive(Clone)]
pub struct Dialer(Arc<Inner>);

struct Inner {
    remote: Remote,
    /// Without a trailing slash.
    url: String,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// Id of this process.
    process: HeaderValue,
    /// Set if the panel does not support subprotocols.
    plain: AtomicBool,
}

/// An open connection.
pub(super) struct Dialled {
    pub(super) socket: Socket,
    pub(super) meter: StreamMeter,
    pub(super) encoding: Encoding,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").field("remote", &self.0.remote).finish_non_exhaustive()
    }
}

impl Dialer {
    /// # Errors
    /// The address, the pin or another setting is invalid.
    pub fn new(remote: Remote) -> Result<Self, BadPanelUrl> {
        let url = remote.panel_url.trim().trim_end_matches('/').to_owned();
        let bad =
            |problem: String| BadPanelUrl { setting: "PANEL_URL", value: remote.panel_url.clone(), problem };
        let secure = url.starts_with("wss://");
        if !secure && !url.starts_with("ws://") {
            return Err(bad("has to begin with ws:// or wss://".into()));
        }
        let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| bad(error.to_string()))?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| bad("has no host".into()))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let pins = match remote.pin.as_deref() {
            Some(text) => KeyPin::parse_list(text).map_err(|problem| BadPanelUrl {
                setting: "PANEL_PIN",
                value: text.to_owned(),
                problem,
            })?,
            None => Vec::new(),
        };
        if !pins.is_empty() && !secure {
            return Err(bad(
                "is plain ws://, where no key can be checked against PANEL_PIN: use wss://".into()
            ));
        }
        let tls = if secure {
            let name = ServerName::try_from(host.clone()).map_err(|error| bad(error.to_string()))?;
            Some((
                tls::connector(&pins, remote.authorities.as_deref())
                    .map_err(|error| bad(error.to_string()))?,
                name,
            ))
        } else {
            None
        };
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let process = HeaderValue::from(rand::random::<u64>());
        let plain = AtomicBool::new(false);
        let dialer = Self(Arc::new(Inner { url, host, port, tls, process, plain, remote }));
        dialer.control_request(true).map_err(|problem| BadPanelUrl {
            setting: "PANEL_URL",
            value: dialer.0.remote.panel_url.clone(),
            problem,
        })?;
        Ok(dialer)
    }

    pub(super) fn remote(&self) -> &Remote {
        &self.0.remote
    }

    /// Opens the control connection, in the encoding chosen by the panel.
    pub(super) async fn control(&self) -> Result<Dialled, DialError> {
        let offered = !self.0.plain.load(Ordering::Relaxed);
        let request = self.control_request(offered).map_err(DialError::Away)?;
        match self.upgrade(request, BUFFER).await {
            Err(Failed::NoSubprotocol) => {
                // A legacy panel: it selects no subprotocol.
                self.0.plain.store(true, Ordering::Relaxed);
                let request = self.control_request(false).map_err(DialError::Away)?;
                self.upgrade(request, BUFFER).await.map_err(Failed::into_error)
            }
            other => other.map_err(Failed::into_error),
        }
    }

    /// Opens a separate connection for bulk bytes. The secret authenticates the node, the token identifies the stream.
    pub(super) async fn transfer(&self, ticket: &Ticket) -> Result<Bulk, DialError> {
        let away = |reason: String| DialError::Away(reason);
        let id = &ticket.transfer_id;
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(away("the panel gave no number of a transfer".into()));
        }
        let mut request = self.request(&format!("/transfer/{id}"), &self.0.remote.secret).map_err(away)?;
        let mut token = HeaderValue::from_str(&ticket.token).map_err(|error| away(error.to_string()))?;
        token.set_sensitive(true);
        request.headers_mut().insert("x-transfer-token", token);
        let stream = HeadFirst::new(self.connect().await.map_err(Failed::into_error)?);
        let (socket, _) = self.shake_hands(request, stream, BUFFER).await.map_err(Failed::into_error)?;
        Ok(socket.into_inner())
    }

    /// The node id is sent in header and query, because panels read either.
    fn control_request(&self, offer: bool) -> Result<Request, String> {
        let Remote { node_id, secret, .. } = &self.0.remote;
        if !node_id.is_valid() {
            return Err(format!("NODE_ID {node_id:?} is no node id"));
        }
        let mut request = self.request(&format!("/?nodeId={node_id}"), secret)?;
        request.headers_mut().insert(AGENT_PROCESS, self.0.process.clone());
        if offer {
            request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(Encoding::OFFER));
        }
        Ok(request)
    }

    fn request(&self, path: &str, bearer: &str) -> Result<Request, String> {
        let mut request =
            format!("{}{path}", self.0.url).into_client_request().map_err(|error| error.to_string())?;
        let mut secret = HeaderValue::from_str(&format!("Bearer {bearer}"))
            .map_err(|_| "AGENT_SECRET holds characters that a header cannot carry".to_owned())?;
        secret.set_sensitive(true);
        let node = HeaderValue::from_str(&self.0.remote.node_id).map_err(|error| error.to_string())?;
        request.headers_mut().insert(AUTHORIZATION, secret);
        request.headers_mut().insert("x-node-id", node);
        Ok(request)
    }

    async fn upgrade(&self, request: Request, buffer: usize) -> Result<Dialled, Failed> {
        let (stream, meter) = MeteredStream::new(self.connect().await?);
        let (socket, answer) = self.shake_hands(request, stream, buffer).await?;
        Ok(Dialled { socket, meter, encoding: encoding(&answer) })
    }

    async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        request: Request,
        stream: S,
        buffer: usize,
    ) -> Result<(WebSocketStream<S>, Response), Failed> {
        let config = WebSocketConfig::default()
            .read_buffer_size(buffer)
            .write_buffer_size(buffer)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let upgrade = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        match timeout(PATIENCE, upgrade).await {
            Ok(Ok(opened)) => Ok(opened),
            Ok(Err(Error::Http(answer))) => Err(refusal(answer.status().as_u16())),
            Ok(Err(Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(
                SubProtocolError::NoSubProtocol,
            )))) => Err(Failed::NoSubprotocol),
            Ok(Err(error)) => Err(away(error.to_string())),
            Err(_) => Err(away("no answer to the upgrade within 10 s")),
        }
    }

    async fn connect(&self) -> Result<Box<dyn Transport>, Failed> {
        let stream = match timeout(PATIENCE, dns::connect(&self.0.host, self.0.port)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(away(error.to_string())),
            Err(_) => return Err(away("no connection within 10 s")),
        };
        // A status must not wait for the acknowledgement of the previous one.
        let _ = stream.set_nodelay(true);
        let Some((connector, name)) = &self.0.tls else { return Ok(Box::new(stream)) };
        match timeout(PATIENCE, connector.connect(name.clone(), stream)).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => {
                let why = cert_error(&error).unwrap_or_else(|| error.to_string());
                Err(away(format!("this is not our panel, or something is between: {why}")))
            }
            Err(_) => Err(away("no answer to TLS within 10 s")),
        }
    }
}

enum Failed {
    NoSubprotocol,
    Dial(DialError),
}

impl Failed {
    fn into_error(self) -> DialError {
        match self {
            Self::NoSubprotocol => DialError::Away("the panel answered without a subprotocol".into()),
            Self::Dial(error) => error,
        }
    }
}

fn away(reason: impl Into<String>) -> Failed {
    Failed::Dial(DialError::Away(reason.into()))
}

fn refusal(status: u16) -> Failed {
    Failed::Dial(match status {
        400 | 401 | 403 | 409 => DialError::Refused(status),
        _ => DialError::Away(format!("the panel answered {status}")),
    })
}

fn encoding(answer: &Response) -> Encoding {
    let chosen = answer.headers().get(SEC_WEBSOCKET_PROTOCOL).and_then(|name| name.to_str().ok());
    chosen.and_then(Encoding::of_subprotocol).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(url: &str) -> Remote {
        Remote {
            panel_url: url.into(),
            node_id: "attic-pi".into(),
            secret: "s3cret".into(),
            ..Remote::default()
        }
    }

    #[test]
    fn header_and_query_name_the_node() {
        for url in ["ws://panel.example:8080/", "wss://panel.example:8080"] {
            let dialer = Dialer::new(remote(url)).unwrap();
            let request = dialer.control_request(true).unwrap();
            let (scheme, _) = url.split_once(':').unwrap();
            assert_eq!(request.uri().to_string(), format!("{scheme}://panel.example:8080/?nodeId=attic-pi"));
            assert_eq!(request.headers()["x-node-id"], "attic-pi");
            assert_eq!(request.headers()["authorization"], "Bearer s3cret");
            assert_eq!(
                request.headers()["sec-websocket-protocol"],
                "ctrl-alt-play.json, ctrl-alt-play.msgpack"
            );
            assert!(request.headers().get("origin").is_none());
            let request = dialer.control_request(false).unwrap();
            assert!(request.headers().get("sec-websocket-protocol").is_none());
        }
        assert!(!format!("{:?}", remote("ws://x")).contains("s3cret"));
    }

    #[test]
    fn other_addresses_are_refused_with_a_reason() {
        for bad in ["", "http://panel", "wss://", "ws://", "panel:8080", "wss://[::1"] {
            assert!(Dialer::new(remote(bad)).is_err(), "{bad}");
        }
        let mut odd = remote("ws://panel");
        odd.node_id = "../x".into();
        assert!(Dialer::new(odd).is_err());
    }

    #[test]
    fn a_pin_wants_tls() {
        let pin = KeyPin::of_spki(b"key").to_string();
        let pinned = |url, pin: &str| Remote { pin: Some(pin.into()), ..remote(url) };
        let refused = Dialer::new(pinned("ws://panel:8080", &pin)).err().unwrap();
        assert!(refused.to_string().contains("PANEL_PIN"), "{refused}");
        let refused = Dialer::new(pinned("wss://panel:8080", "sha256//x")).err().unwrap();
        assert!(refused.to_string().starts_with("PANEL_PIN"), "{refused}");
        Dialer::new(pinned("wss://panel:8080", &pin)).unwrap();
    }
}
