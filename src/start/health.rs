//! A node's health on its own port, in the same form as on every agent.

use std::sync::Arc;

use hyper::header::{ALLOW, HeaderValue, LOCATION};
use hyper::{Method, Request, StatusCode};
use protocol::NodeId;
use serde::Serialize;
use storage::Millis;

use crate::error::{ApiError, Code};
use crate::http::{Body, Response, empty, error, json_reply};
use crate::system::clock;

/// Answers health probes. Cheap to clone.
#[derive(Clone)]
pub struct Health {
    started_at: Millis,
    node_id: NodeId,
    connected: Arc<dyn Fn() -> bool + Send + Sync>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'h> {
    status: &'static str,
    timestamp: String,
    version: &'static str,
    node_id: &'h NodeId,
    /// Uptime in seconds.
    uptime: i64,
    connected: bool,
}

impl Health {
    /// `connected` returns whether the node's agent is connected to its panel.
    pub fn new(
        started_at: Millis,
        node_id: &NodeId,
        connected: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { started_at, node_id: node_id.clone(), connected: Arc::new(connected) }
    }

    /// Answers any request on that port.
    pub async fn answer(self, request: Request<Body>) -> Response {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = error(&ApiError::new(Code::MethodNotAllowed, "Only GET is possible here."));
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match request.uri().path() {
            "/health" => self.report(),
            "/" => {
                let mut response = empty(StatusCode::FOUND);
                response.headers_mut().insert(LOCATION, HeaderValue::from_static("/health"));
                response
            }
            _ => error(&ApiError::new(Code::NotFound, "There is nothing at this address.")),
        }
    }

    fn report(&self) -> Response {
        let connected = (self.connected)();
        let now = clock::now();
        let answer = Answer {
            status: if connected { "healthy" } else { "degraded" },
            timestamp: clock::rfc3339(now),
            version: crate::status::VERSION,
            node_id: &self.node_id,
            uptime: (now - self.started_at).max(0) / 1000,
            connected,
        };
        json_reply(if connected { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Ok(answer))
    }
}
