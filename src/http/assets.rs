//! Serves the web page's files, which rust-embed puts into the binary. `build.rs` prepares them.

use std::borrow::Cow;
use std::io::Read;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderValue, IF_NONE_MATCH, VARY,
};
use hyper::{Method, StatusCode};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::accepts;
use super::reply::{self, Response};
use crate::error::{ApiError, Code};

/// Text files are only contained in compressed form, as `NAME.br` and `NAME.gz`.
#[derive(RustEmbed)]
#[folder = "$OUT_DIR/page"]
struct Page;

include!(concat!(env!("OUT_DIR"), "/policy.rs"));

/// A file in the encoding chosen for the client.
struct Asset<'p> {
    path: &'p str,
    encoding: Option<&'static str>,
    file: EmbeddedFile,
}

/// Files of `/api/docs` beside its page.
const DOCS: [(&str, &str, &str); 2] = [
    ("/docs.js", "text/javascript; charset=utf-8", include_str!("../docs/page.js")),
    ("/docs.css", "text/css; charset=utf-8", include_str!("../docs/page.css")),
];

const SHELL: &str = "index.html";

/// Serves everything that is not the API: a file, or the app's shell for the address of a page.
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
    let found = find(path.trim_start_matches('/'), headers);
    match found.or_else(|| if is_page(path) { find(SHELL, headers) } else { None }) {
        Some(asset) => serve(asset, headers),
        None => reply::error(&ApiError::new(Code::NotFound, "There is nothing at this address.")),
    }
}

/// Serves an HTML page that is not part of the web build, with the same security headers.
pub fn page(html: &'static str) -> Response {
    let mut response = reply::bytes_of(StatusCode::OK, "text/html; charset=utf-8", html);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// Serves a text that is stored gzipped. `takes` is the client's `accept-encoding` header; the text is decompressed if
/// the client does not accept gzip.
pub fn packed(content_type: &'static str, gzipped: &'static [u8], takes: Option<&str>) -> Response {
    let as_it_is = takes.is_some_and(|offers| offers.split(',').any(|offer| accepts(offer, "gzip")));
    let body = if as_it_is { Bytes::from_static(gzipped) } else { Bytes::from(unpacked(gzipped)) };
    let mut response = reply::bytes_of(StatusCode::OK, content_type, body);
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    if as_it_is {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// The smallest encoding that the client accepts.
fn find<'p>(path: &'p str, headers: &HeaderMap) -> Option<Asset<'p>> {
    for (encoding, ending) in [("br", "br"), ("gzip", "gz")] {
        if takes(headers, encoding)
            && let Some(file) = Page::get(&format!("{path}.{ending}"))
        {
            return Some(Asset { path, encoding: Some(encoding), file });
        }
    }
    let file = Page::get(path).or_else(|| {
        let mut file = Page::get(&format!("{path}.gz"))?;
        file.data = Cow::Owned(unpacked(&file.data));
        Some(file)
    })?;
    Some(Asset { path, encoding: None, file })
}

/// Whether the path is the address of a page. Those have no dot in their last part; a path with one is a missing file.
fn is_page(path: &str) -> bool {
    !path.starts_with("/_app/") && !path.rsplit('/').next().unwrap_or_default().contains('.')
}

fn serve(asset: Asset<'_>, headers: &HeaderMap) -> Response {
    let Asset { path, encoding, file } = asset;
    let hash = BASE64_URL_SAFE_NO_PAD.encode(&file.metadata.sha256_hash()[..12]);
    // Each encoding has its own tag because the bytes differ.
    let tag = format!("\"{hash}{}\"", encoding.map(|name| format!("-{name}")).unwrap_or_default());
    let content_type = content_type(path);
    let mut response = if knows(headers, &tag) {
        reply::empty(StatusCode::NOT_MODIFIED)
    } else {
        let body = match file.data {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        reply::bytes_of(StatusCode::OK, content_type, body)
    };
    let known = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&tag) {
        known.insert(ETAG, value);
    }
    // Files in this folder have names that change with their content.
    let immutable = path.starts_with("_app/immutable/");
    let cache = if immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    known.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    known.insert(VARY, HeaderValue::from_static("accept-encoding"));
    known.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(encoding) = encoding {
        known.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    if content_type.starts_with("text/html") {
        known.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    }
    response
}

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    // The data was compressed when this binary was built, so this cannot fail.
    let _ = flate2::read::GzDecoder::new(packed).read_to_end(&mut plain);
    plain
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|offer| accepts(offer, encoding))
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
    fn a_packed_file_is_not_an_address_of_its_own_type() {
        let response = get("/index.html.gz", &HeaderMap::new());
        assert!(!response.headers().contains_key(CONTENT_SECURITY_POLICY));
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
