//! What a handler receives: the proof that the call is allowed, the validated body and query, and the rest of the
//! request.

use std::sync::Arc;

use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};
use hyper::upgrade::OnUpgrade;
use hyper::{Method, Uri};

use super::pattern::Params;
use super::peer::Client;
use super::stream::RawBody;
use super::websocket::Upgrade;
use crate::auth::{Admitted, Proof};
use crate::error::{ApiError, Code};
use crate::revision::Expected;

/// A request after the access check. The dispatcher attaches it to the request in place of the headers.
pub(super) struct Received {
    pub(super) admitted: Admitted,
    pub(super) params: Params,
    pub(super) client: Client,
    pub(super) headers: HeaderMap,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) upgrade: Option<OnUpgrade>,
}

impl Received {
    /// The size of the body as declared by the client.
    pub(super) fn content_length(&self) -> Result<Option<u64>, ApiError> {
        self.text(&CONTENT_LENGTH)?.map(str::parse).transpose().map_err(|_not_a_number| malformed())
    }

    /// The content type in lower case, without parameters.
    pub(super) fn content_type(&self) -> Result<Option<String>, ApiError> {
        let value = self.text(&CONTENT_TYPE)?;
        Ok(value.map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()))
    }

    fn text(&self, name: &HeaderName) -> Result<Option<&str>, ApiError> {
        self.headers.get(name).map(|value| value.to_str().map_err(|_not_text| malformed())).transpose()
    }
}

fn malformed() -> ApiError {
    ApiError::new(Code::BadRequest, "The request is malformed.")
}

/// One call of an endpoint, after all checks.
pub struct Call<P, B = (), Q = ()> {
    /// The proof required by the endpoint's access.
    pub by: P,
    /// The parsed body.
    pub body: B,
    /// The parsed query.
    pub query: Q,
    /// The rest of the request.
    pub request: Incoming,
}

impl<P: Proof, B, Q> Call<P, B, Q> {
    pub(super) fn new(
        request: Arc<Received>,
        raw: RawBody,
        body: fn(&Received, RawBody) -> Result<B, ApiError>,
        query: fn(&str) -> Result<Q, ApiError>,
    ) -> Result<Self, ApiError> {
        let by = P::of(&request.admitted)
            // Only if the dispatcher had checked another kind of access than the endpoint's; refused to be safe.
            .ok_or_else(|| ApiError::new(Code::Unauthenticated, "Sign in first."))?;
        let query = query(request.uri.query().unwrap_or_default())?;
        let body = body(&request, raw)?;
        Ok(Self { by, body, query, request: Incoming(request) })
    }
}

/// The parts of a request that a handler may need beside body and query.
pub struct Incoming(Arc<Received>);

impl Incoming {
    /// The first path parameter, decoded but not validated.
    pub fn id(&self) -> &str {
        self.0.params.first()
    }

    /// The path parameter with this name, decoded but not validated; empty if there is none.
    pub fn param(&self, name: &str) -> &str {
        self.0.params.get(name)
    }

    /// The client at the other end of the connection.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// Whether only the headers of the answer are wanted (`HEAD`).
    pub fn is_head(&self) -> bool {
        self.0.method == Method::HEAD
    }

    /// A header; `None` if it is missing or not readable text.
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.0.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The revision that the caller expects to change: `If-Match`, `If-None-Match`.
    pub fn expected(&self) -> Result<Expected, ApiError> {
        Expected::from_headers(self.0.text(&IF_MATCH)?, self.0.text(&IF_NONE_MATCH)?)
    }

    /// The WebSocket upgrade that the request asks for: 426 if it asks for none, 400 if it is malformed.
    pub fn upgrade(&self) -> Result<Upgrade, ApiError> {
        Upgrade::from_parts(&self.0.headers, self.0.upgrade.clone())
    }
}
