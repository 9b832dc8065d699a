//! JSON answers of some size, packed for clients that take that. On a slow line a list of servers is there in a fifth of the
//! time.
//!
//! Only gzip: the program has it anyway, every client knows it, and on JSON of this size the others save little more.

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

/// What is no larger than this goes as it is: it fits into one packet.
const LEAST: u64 = 1024;
/// A larger answer is none of ours.
const MOST: u64 = 16 * 1024 * 1024;
/// Half of the work of flate2's own default, for a twentieth more bytes.
const LEVEL: Compression = Compression::new(4);

/// Whether a client with these headers takes gzip.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|value| value.split(',')).any(|offer| accepts(offer, "gzip"))
}

/// The answer as it is to go out. It says that it depends on what the client takes, also where it was not packed.
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
        // Bytes in memory: nothing to go wrong.
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
