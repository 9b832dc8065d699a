//! One attempt to reach the panel.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Error};

use super::Remote;
use crate::pace::paced;

/// For the connection and for the upgrade, each.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest message that a panel may send.
const MAX_MESSAGE: usize = 32 << 20;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum DialError {
    /// The panel answered, and will not have us.
    Refused(u16),
    /// It did not answer, or not as a panel does.
    Away(String),
}

/// The request that opens the connection: node id in header and query, because panels read either.
pub(super) fn request(remote: &Remote) -> Result<Request, String> {
    let url = remote.panel_url.trim().trim_end_matches('/');
    if url.starts_with("wss://") {
        return Err(
            "TLS to the panel comes with a later version: use ws:// in a network that you trust".into()
        );
    }
    if !url.starts_with("ws://") {
        return Err("has to begin with ws://".into());
    }
    if !crate::protocol::valid_node_id(&remote.node_id) {
        return Err(format!("NODE_ID {:?} is no node id", remote.node_id));
    }
    let mut request = format!("{url}/?nodeId={}", remote.node_id)
        .into_client_request()
        .map_err(|error| error.to_string())?;
    let mut secret = HeaderValue::from_str(&format!("Bearer {}", remote.secret))
        .map_err(|_| "AGENT_SECRET holds characters that a header cannot carry".to_owned())?;
    secret.set_sensitive(true);
    let node = HeaderValue::from_str(&remote.node_id).map_err(|error| error.to_string())?;
    request.headers_mut().insert("authorization", secret);
    request.headers_mut().insert("x-node-id", node);
    Ok(request)
}

pub(super) async fn dial(remote: &Remote) -> Result<WebSocketStream<TcpStream>, DialError> {
    let away = |reason: String| DialError::Away(reason);
    let request = request(remote).map_err(away)?;
    let host = request.uri().host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = request.uri().port_u16().unwrap_or(80);
    let connect = tokio::time::timeout(paced(PATIENCE), TcpStream::connect((host.as_str(), port)));
    let stream = match connect.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(away(error.to_string())),
        Err(_) => return Err(away("no connection within 10 s".into())),
    };
    // A status must not wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let config = WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .write_buffer_size(16 * 1024)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let upgrade = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
    match tokio::time::timeout(paced(PATIENCE), upgrade).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(Error::Http(answer))) => Err(refusal(&answer)),
        Ok(Err(error)) => Err(away(error.to_string())),
        Err(_) => Err(away("no answer to the upgrade within 10 s".into())),
    }
}

fn refusal(answer: &tungstenite::http::Response<Option<Vec<u8>>>) -> DialError {
    let status = answer.status().as_u16();
    match status {
        400 | 401 | 403 => DialError::Refused(status),
        _ => DialError::Away(format!("the panel answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(url: &str) -> Remote {
        Remote { panel_url: url.into(), node_id: "attic-pi".into(), secret: "s3cret".into() }
    }

    #[test]
    fn header_and_query_name_the_node() {
        let request = request(&remote("ws://panel.example:8080/")).unwrap();
        assert_eq!(request.uri().to_string(), "ws://panel.example:8080/?nodeId=attic-pi");
        assert_eq!(request.headers()["x-node-id"], "attic-pi");
        assert_eq!(request.headers()["authorization"], "Bearer s3cret");
        assert!(request.headers().get("origin").is_none());
        assert!(!format!("{:?}", remote("ws://x")).contains("s3cret"));
    }

    #[test]
    fn other_addresses_are_refused_with_a_reason() {
        for bad in ["", "http://panel", "wss://panel", "ws://", "panel:8080"] {
            assert!(request(&remote(bad)).is_err(), "{bad}");
        }
        let mut odd = remote("ws://panel");
        odd.node_id = "../x".into();
        assert!(request(&odd).is_err());
    }
}
