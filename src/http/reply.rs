//! Converts a handler's result to a response.

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, RETRY_AFTER};
use serde::Serialize;
use warp::Reply;

use crate::error::ApiError;

/// A response, complete or streamed.
pub type Response = warp::reply::Response;

/// 204, or the error.
pub fn no_content(result: Result<(), ApiError>) -> Response {
    match result {
        Ok(()) => empty(StatusCode::NO_CONTENT),
        Err(problem) => error(&problem),
    }
}

/// The response built by the handler, or the error.
pub(super) fn raw(result: Result<Response, ApiError>) -> Response {
    result.unwrap_or_else(|problem| error(&problem))
}

/// A JSON answer with any status.
pub fn json<T: Serialize>(status: StatusCode, result: Result<T, ApiError>) -> Response {
    match result {
        Ok(value) => match serde_json::to_vec(&value) {
            Ok(bytes) => bytes_of(status, "application/json", bytes),
            Err(cause) => error(&ApiError::internal("writing an answer as JSON", &cause)),
        },
        Err(problem) => error(&problem),
    }
}

/// Like [`json`], for JSON that was serialized before.
pub(super) fn json_bytes(status: StatusCode, result: Result<bytes::Bytes, ApiError>) -> Response {
    match result {
        Ok(bytes) => bytes_of(status, "application/json", bytes),
        Err(problem) => error(&problem),
    }
}

/// Like [`json`], with additional headers.
pub(super) fn json_with_headers<T: Serialize>(
    status: StatusCode,
    result: Result<(T, HeaderMap), ApiError>,
) -> Response {
    let (result, headers) = match result {
        Ok((value, headers)) => (Ok(value), headers),
        Err(problem) => (Err(problem), HeaderMap::new()),
    };
    let mut response = json(status, result);
    response.headers_mut().extend(headers);
    response
}

/// The `ETag` header with this revision.
pub fn tagged(revision: &str) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("\"{revision}\""));
    value.map(|value| HeaderMap::from_iter([(ETAG, value)])).unwrap_or_default()
}

/// The response for an error.
pub fn error(problem: &ApiError) -> Response {
    let status = StatusCode::from_u16(problem.code().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(&problem.body()).unwrap_or_default();
    let mut response = bytes_of(status, "application/json", body);
    if let Some(seconds) = problem.retry_after_seconds() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UPGRADE_REQUIRED {
        response.headers_mut().insert(hyper::header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    response
}

/// A response without a body.
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A file of this size in bytes, streamed.
pub fn streamed(file: tokio::fs::File, length: u64) -> Response {
    let mut response =
        warp::reply::stream(tokio_util::io::ReaderStream::with_capacity(file, 64 * 1024)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Bytes with a content type, not to be cached.
pub fn bytes_of(status: StatusCode, content_type: &'static str, body: impl Into<bytes::Bytes>) -> Response {
    let mut response = warp::http::Response::new(body.into()).into_response();
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
