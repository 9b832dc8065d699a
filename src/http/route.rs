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
use super::{Doc, body};
use crate::auth::Access;
use crate::error::{ApiError, Code};

/// What a handler answers with.
pub(super) type Answer = BoxFuture<'static, Response>;

/// An endpoint's handler with its types behind it, so that the filters are compiled once for all endpoints.
type Handler = Arc<dyn Fn(Arc<Received>, Bytes) -> Answer + Send + Sync>;

/// An endpoint. Only a whole declaration makes one ([`super::endpoint()`]), so path, access and document can't drift apart.
pub struct Route {
    method: Method,
    path: &'static str,
    access: Access,
    doc: Doc,
    filter: BoxedFilter<(Response,)>,
}

impl Route {
    /// `limit` is the most that the body may hold; without one no body is read.
    pub(super) fn new(
        method: Method,
        path: &'static str,
        access: Access,
        doc: Doc,
        limit: Option<u64>,
        handler: Handler,
    ) -> Self {
        let request = warp::ext::get::<Arc<Received>>();
        let filter = match limit {
            None => request.then(move |request| handler(request, Bytes::new())).boxed(),
            Some(limit) => request
                .and(warp::body::stream())
                .then(move |request: Arc<Received>, stream| {
                    let handler = Arc::clone(&handler);
                    async move {
                        let body = match request.content_length() {
                            Ok(length) => body::read(stream, length, limit).await,
                            Err(refusal) => Err(refusal),
                        };
                        match body {
                            Ok(body) => handler(request, body).await,
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
