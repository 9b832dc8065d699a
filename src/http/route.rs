//! A finished endpoint: address, access, documentation, and the warp filter that answers.

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

/// The future of a handler's response.
pub(super) type Answer = BoxFuture<'static, Response>;

/// A handler with its types erased, so that the filters are compiled only once for all endpoints.
type Handler = Arc<dyn Fn(Arc<Received>, RawBody) -> Answer + Send + Sync>;

/// An endpoint. Created only from a complete declaration ([`super::endpoint()`]), so that path, access and document
/// always agree.
pub struct Route {
    method: Method,
    path: &'static str,
    access: Access,
    doc: Doc,
    filter: BoxedFilter<(Response,)>,
}

impl Route {
    /// `takes` is how the body is read.
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
        // Every rejection becomes a response.
        let filter = filter.recover(rejected).unify().boxed();
        Self { method, path, access, doc, filter }
    }

    /// The method: GET, POST, …
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path with parameters in braces.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Who may call it.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Its part of the OpenAPI document.
    pub fn doc(&self) -> &Doc {
        &self.doc
    }

    /// Whether its answer may be compressed.
    pub(super) fn packs(&self) -> bool {
        !self.doc.is_secret()
    }

    pub(super) fn into_parts(self) -> (Method, Pattern, Access, BoxedFilter<(Response,)>) {
        (self.method, Pattern::new(self.path), self.access, self.filter)
    }
}

/// Handles rejections. The dispatcher attaches everything the filters extract, so warp never rejects.
async fn rejected(rejection: Rejection) -> Result<Response, Infallible> {
    tracing::error!(?rejection, "a filter rejected a request");
    Ok(reply::error(&ApiError::new(Code::BadRequest, "The request is malformed.")))
}
