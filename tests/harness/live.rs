//! A client of `/api/live`.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Client;

/// An open socket.
pub(crate) struct Live {
    socket: WebSocketStream<TcpStream>,
}

impl Live {
    /// Connects as this client, with its Bearer token.
    pub(crate) async fn open(client: &Client) -> Self {
        let token = client.token.clone().expect("signed in");
        match Self::with(&client.address, &[("authorization", &format!("Bearer {token}"))]).await {
            Ok(live) => live,
            Err(status) => panic!("no upgrade: {status}"),
        }
    }

    /// Connects with these headers; the HTTP status if refused.
    pub(crate) async fn with(address: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{address}/api/live").into_client_request().unwrap();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    /// Sends text unchanged.
    pub(crate) async fn send(&mut self, text: impl Into<String>) {
        let _ = self.socket.send(Message::text(text.into())).await;
    }

    /// Subscribes to topics.
    pub(crate) async fn subscribe(&mut self, topics: &[&str]) {
        self.send(json!({ "subscribe": topics }).to_string()).await;
    }

    /// The next message; `Err(close code)` at the end, 1006 for an end without a close frame.
    pub(crate) async fn next(&mut self, within: Duration) -> Result<Value, u16> {
        let until = tokio::time::Instant::now() + within;
        loop {
            let Ok(message) = tokio::time::timeout_at(until, self.socket.next()).await else {
                panic!("nothing came within {within:?}");
            };
            match message {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(frame))) => return Err(frame.map_or(1005, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// Waits for the first message for which `pick` returns a value.
    pub(crate) async fn wait<T>(&mut self, within: Duration, mut pick: impl FnMut(&Value) -> Option<T>) -> T {
        let until = tokio::time::Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            match self.next(left).await {
                Ok(message) => {
                    if let Some(found) = pick(&message) {
                        return found;
                    }
                }
                Err(code) => panic!("closed with {code}"),
            }
        }
    }

    /// Reads until the connection is closed; returns the close code.
    pub(crate) async fn closed(&mut self, within: Duration) -> u16 {
        let until = tokio::time::Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            if let Err(code) = self.next(left).await {
                return code;
            }
        }
    }

    /// The underlying stream, for tests that misbehave.
    #[allow(dead_code)]
    pub(crate) fn stream(&mut self) -> &mut WebSocketStream<TcpStream> {
        &mut self.socket
    }
}
