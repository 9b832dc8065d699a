//! One endpoint: where it is, who may call it, what it says in the OpenAPI document, and the filter that answers.

use std::convert::Infallible;

use hyper::Method;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reject::{Reject, Rejection};

use super::reply::{self, Response};
use super::{Doc, dispatch};
use crate::auth::Access;
use crate::error::{ApiError, Code};

/// An endpoint. Only [`route`] makes one, so that its path, its rule and its document can't drift apart.
pub struct Route {
    method: Method,
    path: &'static str,
    access: Access,
    doc: Doc,
    endpoint: BoxedFilter<(Response,)>,
}

/// Puts an endpoint together.
///
/// `path` is the whole path, parameters in braces. The dispatcher matches it, then checks `access`, and only then runs
/// `endpoint`, which therefore begins with its parameters, caller and body, never with `warp::path` or a method.
pub fn route<F>(method: Method, path: &'static str, access: Access, doc: Doc, endpoint: F) -> Route
where
    F: Filter<Extract = (Response,), Error = Rejection> + Send + Sync + 'static,
{
    Route { method, path, access, doc, endpoint: sealed(endpoint.boxed()) }
}

impl Route {
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

    pub(super) fn into_parts(self) -> (Method, dispatch::Pattern, Access, BoxedFilter<(Response,)>) {
        (self.method, dispatch::Pattern::new(self.path), self.access, self.endpoint)
    }
}

/// An [`ApiError`] on its way out of a filter.
#[derive(Debug)]
struct Refused(ApiError);

impl Reject for Refused {}

/// Turns a failed extraction into a rejection. For filters only: handlers return their errors.
pub(super) fn refuse(error: ApiError) -> Rejection {
    warp::reject::custom(Refused(error))
}

/// Nothing but replies come out: a rejection is answered here, so that it never meets another route.
fn sealed(endpoint: BoxedFilter<(Response,)>) -> BoxedFilter<(Response,)> {
    endpoint.recover(answer).unify().boxed()
}

async fn answer(rejection: Rejection) -> Result<Response, Infallible> {
    if let Some(Refused(error)) = rejection.find() {
        return Ok(reply::error(error));
    }
    // What warp itself refused (a header that is no text, a query that is none).
    let error = if rejection.is_not_found() {
        ApiError::not_found("thing")
    } else if rejection.find::<warp::reject::PayloadTooLarge>().is_some() {
        ApiError::new(Code::TooLarge, "The body is too large.")
    } else {
        tracing::debug!(?rejection, "malformed request");
        ApiError::new(Code::BadRequest, "The request is malformed.")
    };
    Ok(reply::error(&error))
}
