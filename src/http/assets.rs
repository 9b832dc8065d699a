//! The web page's files, carried inside the binary. `build.rs` lists them.

use std::io::Read;

use bytes::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderValue, IF_NONE_MATCH, VARY,
};
use hyper::{Method, StatusCode};

use super::reply::{self, Response};
use crate::error::{ApiError, Code};

/// One file. Text is carried packed only.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    /// Of the plain form.
    tag: &'static str,
    /// Its name changes with its content.
    immutable: bool,
    plain: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
    brotli: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// What `/api/docs` is made of beside its page.
const DOCS: [(&str, &str, &str); 2] = [
    ("/docs.js", "text/javascript; charset=utf-8", include_str!("../docs/page.js")),
    ("/docs.css", "text/css; charset=utf-8", include_str!("../docs/page.css")),
];

const SHELL: &str = "/index.html";

/// Everything that isn't the API: a file, or for the address of a page the shell that shows it.
pub fn assets(method: &Method, path: &str, headers: &HeaderMap) -> Response {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = reply::error(&ApiError::new(
            Code::MethodNotAllowed,
            "There is nothing to change at this address.",
        ));
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    if let Some((_, content_type, text)) = DOCS.iter().find(|(name, ..)| *name == path) {
        return reply::bytes_of(StatusCode::OK, content_type, *text);
    }
    let found = find(path).or_else(|| if is_page(path) { find(SHELL) } else { None });
    match found {
        Some(asset) => serve(asset, headers),
        None => reply::error(&ApiError::new(Code::NotFound, "There is nothing at this address.")),
    }
}

/// A page of our own outside of the web build, with the same guards.
pub fn page(html: &'static str) -> Response {
    let mut response = reply::bytes_of(StatusCode::OK, "text/html; charset=utf-8", html);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok().map(|at| &ASSETS[at])
}

/// Addresses of pages have no dot in their last part; what has one is a file, and it isn't there.
fn is_page(path: &str) -> bool {
    !path.starts_with("/_app/") && !path.rsplit('/').next().unwrap_or_default().contains('.')
}

fn serve(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let (encoding, body) = form(asset, headers);
    // Each form has a tag of its own: they are different bytes.
    let tag = format!("\"{}{}\"", asset.tag, encoding.map(|name| format!("-{name}")).unwrap_or_default());
    let mut response = if knows(headers, &tag) {
        reply::empty(StatusCode::NOT_MODIFIED)
    } else {
        reply::bytes_of(StatusCode::OK, asset.content_type, body)
    };
    let known = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&tag) {
        known.insert(ETAG, value);
    }
    let cache = if asset.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    known.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    known.insert(VARY, HeaderValue::from_static("accept-encoding"));
    known.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    if let Some(encoding) = encoding {
        known.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    if asset.content_type.starts_with("text/html") {
        known.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    }
    response
}

/// The smallest form that the client takes.
fn form(asset: &'static Asset, headers: &HeaderMap) -> (Option<&'static str>, Bytes) {
    if let Some(bytes) = asset.brotli.filter(|_| takes(headers, "br")) {
        return (Some("br"), Bytes::from_static(bytes));
    }
    if let Some(bytes) = asset.gzip.filter(|_| takes(headers, "gzip")) {
        return (Some("gzip"), Bytes::from_static(bytes));
    }
    match (asset.plain, asset.gzip) {
        (Some(bytes), _) => (None, Bytes::from_static(bytes)),
        (None, Some(bytes)) => (None, unpacked(bytes)),
        (None, None) => (None, Bytes::new()),
    }
}

fn unpacked(packed: &[u8]) -> Bytes {
    let mut plain = Vec::new();
    // Our own files, packed when this binary was built: nothing to go wrong.
    let _ = flate2::read::GzDecoder::new(packed).read_to_end(&mut plain);
    plain.into()
}

fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|offer| {
            let mut parts = offer.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
            let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            named && !refused
        })
}

fn knows(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == tag || known.trim() == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, headers: &HeaderMap) -> Response {
        assets(&Method::GET, path, headers)
    }

    #[test]
    fn the_list_is_sorted_and_has_the_shell() {
        assert!(ASSETS.windows(2).all(|pair| pair[0].path < pair[1].path));
        assert!(find(SHELL).is_some());
    }

    #[test]
    fn pages_get_the_shell_and_missing_files_404() {
        let none = HeaderMap::new();
        for path in ["/", "/servers", "/servers/abc"] {
            let response = get(path, &none);
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert!(response.headers().contains_key(CONTENT_SECURITY_POLICY), "{path}");
        }
        for path in ["/_app/immutable/nothing", "/favicon.xyz", "/a/../b.js", "/%2e%2e/etc/passwd.txt"] {
            assert_eq!(get(path, &none).status(), StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(assets(&Method::POST, "/", &none).status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn a_known_tag_is_answered_without_a_body() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip;q=0, br"));
        let first = get("/", &headers);
        assert_ne!(first.headers().get(CONTENT_ENCODING).map(HeaderValue::as_bytes), Some(&b"gzip"[..]));
        headers.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
        assert_eq!(get("/", &headers).status(), StatusCode::NOT_MODIFIED);
    }
}
