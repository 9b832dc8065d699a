//! The answers that carry bytes.

use std::convert::Infallible;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::file_paths;

use super::content::{Body, Content};
use crate::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use crate::http::{Response, StatusCode, empty, streaming, tagged};

/// What stands as it is in a name of a header (RFC 8187: `attr-char`).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// A file, or a part of it. Always to be saved, never shown by the browser as what it says it is.
pub(super) fn file(content: Content) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_DISPOSITION, disposition(&content.name));
    if let Some(etag) = &content.etag {
        headers.extend(tagged(etag));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    let mut status = StatusCode::OK;
    let length = match (content.part, content.size) {
        (Some(part), Some(size)) => {
            status = StatusCode::PARTIAL_CONTENT;
            let range = format!("bytes {}-{}/{size}", part.first, part.last);
            headers.extend(HeaderValue::from_str(&range).ok().map(|range| (CONTENT_RANGE, range)));
            Some(part.length())
        }
        (_, size) => size,
    };
    if let (Some(length), false) = (length, matches!(content.body, Body::NotModified)) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    match content.body {
        Body::Flow(flow) => streaming(status, headers, flow.into_stream()),
        Body::Text(text) => {
            let pieces =
                futures_util::stream::once(std::future::ready(Ok::<_, Infallible>(Bytes::from(text))));
            streaming(status, headers, pieces)
        }
        Body::Nothing => with(empty(status), headers),
        Body::NotModified => with(empty(StatusCode::NOT_MODIFIED), headers),
    }
}

fn with(mut response: Response, headers: HeaderMap) -> Response {
    response.headers_mut().extend(headers);
    response
}

/// `attachment` with a name that any browser reads, and that ends no header.
fn disposition(name: &str) -> HeaderValue {
    let name = String::from_utf8_lossy(&file_paths::bytes_of(name)).into_owned();
    let safe = |c: char| {
        if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%' | ';') || c == ' ' { c } else { '_' }
    };
    let ascii: String = name.chars().map(safe).collect();
    let text =
        format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{}", utf8_percent_encode(&name, PLAIN));
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::disposition;

    #[test]
    fn names_end_no_header() {
        let text = |name: &str| disposition(name).to_str().unwrap().to_owned();
        assert_eq!(text("a b.txt"), "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt");
        assert_eq!(
            text("a\";\r\nX-Evil: 1;\"<script>.html"),
            "attachment; filename=\"a____X-Evil: 1__<script>.html\"; \
             filename*=UTF-8''a%22%3B%0D%0AX-Evil%3A%201%3B%22%3Cscript%3E.html"
        );
        assert!(text("Grüße").ends_with("filename*=UTF-8''Gr%C3%BC%C3%9Fe"));
        assert!(text("caf\u{EFE9}").contains("filename*=UTF-8''caf%EF%BF%BD"));
    }
}
