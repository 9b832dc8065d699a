//! A finished endpoint: where it is, who may call it, what the document says, and the warp filter that answers.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::Method;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reject::Rejection;

use super::call::Received;
use super::pattern::Pattern;
use super::reply::{self, Response};
use super::stream::{BodyStream, RawBody, Takes};
use super::{Doc, body};
use crate::auth::Access;
use crate::error::{ApiError, Code};

/// What a handler answers with.
pub(super) type Answer = BoxFuture<'static, Response>;

/// An endpoint's handler with its types behind it, so that the filters are compiled once for all endpoints.
type Handler = Arc<dyn Fn(Arc<Received>, RawBody) -> Answer + Send + Sync>;

/// An endpoint. Only a whole declaration makes one ([`super::endpoint()`]), so path, access and document can't drift apart.
pub struct Route {
    method: Method,
    path: &'static str,
    access: Access,
    doc: Doc,
    filter: BoxedFilter<(Response,)>,
}

impl Route {
    /// `takes` says what becomes of the body.
    pub(super) fn new(
        method: Method,
        path: &'static str,
        access: Access,
        doc: Doc,
        takes: Takes,
        handler: Handler,
    ) -> Self {
        let request = warp::ext::get::<Arc<Received>>();
        let filter = match takes {
            Takes::Nothing => {
                request.then(move |request| handler(request, RawBody::Whole(Bytes::new()))).boxed()
            }
            Takes::Whole(limit) => request
                .and(warp::body::stream())
                .then(move |request: Arc<Received>, stream| {
                    let handler = Arc::clone(&handler);
                    async move {
                        let body = match request.content_length() {
                            Ok(length) => body::read(stream, length, limit).await,
                            Err(refusal) => Err(refusal),
                        };
                        match body {
                            Ok(body) => handler(request, RawBody::Whole(body)).await,
                            Err(refusal) => reply::error(&refusal),
                        }
                    }
                })
                .boxed(),
            Takes::Stream => request
                .and(warp::body::stream())
                .then(move |request: Arc<Received>, stream| {
                    let handler = Arc::clone(&handler);
                    async move {
                        match request.content_length() {
                            Ok(length) => {
                                handler(request, RawBody::Stream(BodyStream::new(stream, length))).await
                            }
                            Err(refusal) => reply::error(&refusal),
                        }
                    }
                })
                .boxed(),
        };
        // Nothing but replies come out.
        let filter = filter.recover(rejected).unify().boxed();
        Self { method, path, access, doc, filter }
    }

    /// GET, POST, …
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path with its parameters in braces.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Who may call it.
    pub fn access(&self) -> Access {
        self.access
    }

    /// What the OpenAPI document says of it.
    pub fn doc(&self) -> &Doc {
        &self.doc
    }

    /// Whether its answer may be packed.
    pub(super) fn packs(&self) -> bool {
        !self.doc.is_secret()
    }

    pub(super) fn into_parts(self) -> (Method, Pattern, Access, BoxedFilter<(Response,)>) {
        (self.method, Pattern::new(self.path), self.access, self.filter)
    }
}

/// The dispatcher puts on every request what the filters take, so warp has nothing to reject.
async fn rejected(rejection: Rejection) -> Result<Response, Infallible> {
    tracing::error!(?rejection, "a filter rejected a request");
    Ok(reply::error(&ApiError::new(Code::BadRequest, "The request is malformed.")))
}
