//! Compresses larger JSON answers for clients that accept it. On a slow connection a list of servers loads five times
//! as fast.
//!
//! Only gzip: the program includes it anyway, every client supports it, and other encodings save little more on JSON of
//! this size.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, VARY,
};
use warp::Reply;

use super::accepts;
use super::reply::Response;

/// Answers up to this size in bytes are not compressed: they fit into one packet.
const LEAST: u64 = 1024;
/// Largest answer in bytes that is compressed; the panel has no larger ones.
const MOST: u64 = 16 * 1024 * 1024;
/// Half the work of flate2's default level, for 5 % more bytes.
const LEVEL: Compression = Compression::new(4);

/// Whether the client accepts gzip.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|value| value.split(',')).any(|offer| accepts(offer, "gzip"))
}

/// The answer, compressed if possible. Sets `Vary` also if it was not compressed.
pub(super) async fn packed(mut response: Response, takes_gzip: bool) -> Response {
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let size = response.body().size_hint().exact().unwrap_or_default();
    if !json || !(LEAST + 1..=MOST).contains(&size) || response.headers().contains_key(CONTENT_ENCODING) {
        return response;
    }
    response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
    if !takes_gzip {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(plain) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        // The body is in memory, so this cannot fail.
        return super::reply::empty(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), LEVEL);
    let (body, encoded) = match encoder.write_all(&plain).and_then(|()| encoder.finish()) {
        Ok(bytes) => (bytes::Bytes::from(bytes), true),
        Err(_in_memory) => (plain, false),
    };
    parts.headers.remove(CONTENT_LENGTH);
    if encoded {
        parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let mut response = warp::http::Response::new(body).into_response();
    *response.status_mut() = parts.status;
    *response.headers_mut() = parts.headers;
    response
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use hyper::StatusCode;

    use super::super::reply::{bytes_of, json};
    use super::*;

    #[tokio::test]
    async fn what_is_large_and_json_is_packed_for_those_who_take_it() {
        let large = || json(StatusCode::CREATED, Ok(vec!["the same again"; 500]));
        let plain = packed(large(), false).await;
        assert!(!plain.headers().contains_key(CONTENT_ENCODING) && plain.headers().contains_key(VARY));
        let response = packed(large(), true).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert!(bytes.len() < 200, "{}", bytes.len());
        let mut text = String::new();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, serde_json::to_string(&vec!["the same again"; 500]).unwrap());
        for small in [
            json(StatusCode::OK, Ok("x".repeat(500))),
            bytes_of(StatusCode::OK, "text/plain", "x".repeat(5000)),
        ] {
            assert!(!packed(small, true).await.headers().contains_key(CONTENT_ENCODING));
        }
    }
}
