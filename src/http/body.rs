//! Parses a request's JSON body and query into typed values, with exact errors.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf, Bytes};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::error::{ApiError, Code};

/// Largest JSON body in bytes if the caller is known.
const DEFAULT_LIMIT: u64 = 256 * 1024;

/// Largest JSON body in bytes for endpoints that anyone may call.
const OPEN_LIMIT: u64 = 4 * 1024;

/// Time from the end of the headers to the end of the body, in addition to the time that its size allows.
const WHOLE_BODY: Duration = Duration::from_secs(10);
/// Slowest accepted client, in bytes per second.
const SLOWEST: u64 = 8 * 1024;

/// How many bytes of a body over the limit are read and dropped before the connection is closed.
const DROPPED: u64 = 8 * 1024 * 1024;

/// Largest JSON body in bytes.
pub(super) fn limit(everybody: bool) -> u64 {
    if everybody { OPEN_LIMIT } else { DEFAULT_LIMIT }
}

/// Reads the whole body, at most `limit` bytes. `length` is the size declared by the client.
pub(super) async fn read<S, B>(stream: S, length: Option<u64>, limit: u64) -> Result<Bytes, ApiError>
where
    S: futures_util::Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    let known_too_large = length.is_some_and(|length| length > limit);
    let collected = collect(stream, if known_too_large { 0 } else { limit }, limit);
    let whole = WHOLE_BODY + Duration::from_secs(limit / SLOWEST);
    tokio::time::timeout(whole, collected).await.unwrap_or_else(|_late| Err(cut_off()))
}

/// A JSON body. 415 if its content type is another one, else as for [`parse`].
pub(super) fn parse_json<T: DeserializeOwned>(
    content_type: Option<&str>,
    body: &[u8],
) -> Result<T, ApiError> {
    if !is_json(content_type) {
        let sentence = "The body has to be JSON (Content-Type: application/json).";
        return Err(ApiError::new(Code::UnsupportedMediaType, sentence));
    }
    parse(body)
}

/// A document in JSON or YAML. 415 if its content type is another one.
pub(super) fn document(content_type: Option<&str>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let yaml = ["application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"];
    if !is_json(content_type) && !content_type.is_some_and(|essence| yaml.contains(&essence)) {
        let sentence =
            "The body has to be JSON or YAML (Content-Type: application/json or application/yaml).";
        return Err(ApiError::new(Code::UnsupportedMediaType, sentence));
    }
    Ok(body.to_vec())
}

/// A ZIP archive. 415 if its content type is another one.
pub(super) fn archive(content_type: Option<&str>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    if !matches!(content_type, Some("application/zip" | "application/x-zip-compressed")) {
        let sentence = "The body has to be a ZIP archive (Content-Type: application/zip).";
        return Err(ApiError::new(Code::UnsupportedMediaType, sentence));
    }
    Ok(body.to_vec())
}

/// A picture. 415 if its content type is another one.
pub(super) fn picture(content_type: Option<&str>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    if !matches!(content_type, Some("image/png" | "image/jpeg" | "image/gif" | "image/webp")) {
        let sentence =
            "The body has to be a picture (Content-Type: image/png, image/jpeg, image/gif or image/webp).";
        return Err(ApiError::new(Code::UnsupportedMediaType, sentence));
    }
    Ok(body.to_vec())
}

/// The query as a typed value, parsed as strictly as a body.
pub(super) fn parse_query<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(pairs)
        .map_err(|error| invalid(&error.path().to_string(), &error.inner().to_string()))
}

/// Keeps up to `keep` bytes. Bytes beyond that are read and dropped for a while, because a client that is still sending
/// would otherwise see a broken connection instead of the answer.
async fn collect<S, B>(stream: S, keep: u64, limit: u64) -> Result<Bytes, ApiError>
where
    S: futures_util::Stream<Item = Result<B, warp::Error>>,
    B: Buf,
{
    use futures_util::StreamExt;
    let mut stream = std::pin::pin!(stream);
    let mut whole = bytes::BytesMut::new();
    let mut seen = 0_u64;
    while let Some(chunk) = stream.next().await {
        let mut chunk = chunk.map_err(|_cut| cut_off())?;
        seen += chunk.remaining() as u64;
        if seen <= keep {
            whole.extend_from_slice(&chunk.copy_to_bytes(chunk.remaining()));
        } else if seen > limit.saturating_add(DROPPED) {
            return Err(too_large(limit));
        } else {
            whole = bytes::BytesMut::new();
        }
    }
    if seen > keep { Err(too_large(limit)) } else { Ok(whole.freeze()) }
}

fn cut_off() -> ApiError {
    ApiError::new(Code::BadRequest, "The body was cut off or came too slowly.")
}

fn too_large(limit: u64) -> ApiError {
    ApiError::new(Code::TooLarge, format!("The body is too large: at most {limit} bytes are taken here."))
}

fn is_json(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|essence| {
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
    })
}

/// Parses JSON: 400 if it is not JSON, 422 with the key's path if it does not match the type.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let cause = error.into_inner();
        match cause.classify() {
            Category::Data => invalid(&path, &without_position(&cause)),
            Category::Syntax | Category::Eof | Category::Io => not_json(&cause),
        }
    })?;
    deserializer.end().map_err(|cause| not_json(&cause))?;
    Ok(value)
}

fn not_json(cause: &serde_json::Error) -> ApiError {
    ApiError::new(Code::BadJson, format!("The body is not valid JSON: {cause}."))
}

fn without_position(cause: &serde_json::Error) -> String {
    let text = cause.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Converts serde's message to `fields`. A missing or unknown key gets its own path, not that of the object around it.
fn invalid(path: &str, sentence: &str) -> ApiError {
    let path = if path == "." || path == "?" { "" } else { path };
    let quoted = |prefix: &str| {
        sentence.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('`')?.split('`').next())
    };
    let below = |key: &str| match path {
        "" => key.to_owned(),
        // Some deserializers already include the key in the path.
        _ if path == key || path.ends_with(&format!(".{key}")) => path.to_owned(),
        _ => format!("{path}.{key}"),
    };
    let (path, problem) = if let Some(key) = quoted("missing field ") {
        (below(key), "is missing".to_owned())
    } else if let Some(key) = quoted("unknown field ") {
        (below(key), "is not known here".to_owned())
    } else if let Some(key) = quoted("duplicate field ") {
        (below(key), "is there twice".to_owned())
    } else {
        (path.to_owned(), format!("is wrong: {sentence}"))
    };
    ApiError::fields(BTreeMap::from([(path, problem)]))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Outer {
        name: String,
        #[serde(default)]
        limits: Option<Limits>,
        #[serde(default)]
        ports: Vec<Port>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Limits {
        memory: i64,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Port {
        internal: u16,
    }

    fn problem(json: &str) -> (Code, Vec<String>) {
        let error = parse::<Outer>(json.as_bytes()).unwrap_err();
        (error.code(), error.problems().keys().cloned().collect())
    }

    #[test]
    fn each_fault_has_its_status_and_its_key() {
        assert_eq!(problem("{"), (Code::BadJson, vec![]));
        assert_eq!(problem(""), (Code::BadJson, vec![]));
        assert_eq!(problem(r#"{"name":"a"} x"#), (Code::BadJson, vec![]));
        assert_eq!(problem(&"[".repeat(10_000)).0, Code::Invalid);
        assert_eq!(problem("{}"), (Code::Invalid, vec!["name".into()]));
        assert_eq!(problem("[]").0, Code::Invalid);
        assert_eq!(problem(r#"{"name":1}"#), (Code::Invalid, vec!["name".into()]));
        assert_eq!(problem(r#"{"name":"a","extra":1}"#), (Code::Invalid, vec!["extra".into()]));
        assert_eq!(problem(r#"{"name":"a","limits":{}}"#), (Code::Invalid, vec!["limits.memory".into()]));
        assert_eq!(
            problem(r#"{"name":"a","limits":{"memory":1,"x":2}}"#),
            (Code::Invalid, vec!["limits.x".into()])
        );
        assert_eq!(
            problem(r#"{"name":"a","ports":[{"internal":1},{"internal":65536}]}"#),
            (Code::Invalid, vec!["ports[1].internal".into()])
        );
        assert_eq!(
            problem(r#"{"name":"a","limits":{"memory":1.5}}"#),
            (Code::Invalid, vec!["limits.memory".into()])
        );
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Tail {
        #[serde(default)]
        tail: Option<u16>,
    }

    #[test]
    fn queries_are_as_strict_as_bodies() {
        assert_eq!(parse_query::<Tail>("tail=5").unwrap().tail, Some(5));
        assert_eq!(parse_query::<Tail>("").unwrap().tail, None);
        for (text, key) in [("tail=x", "tail"), ("tail=-1", "tail"), ("token=abc", "token")] {
            let error = parse_query::<Tail>(text).unwrap_err();
            assert_eq!(error.code(), Code::Invalid);
            assert!(error.problems().contains_key(key), "{text}: {:?}", error.problems());
        }
    }

    #[test]
    fn only_json_types_are_json() {
        assert!(is_json(Some("application/json")));
        assert!(!is_json(Some("text/plain")));
        assert!(!is_json(None));
    }
}
