//! What goes over the socket: the client's wishes, and our frames.

use serde::{Deserialize, Serialize};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::agents::Lines;
use crate::error::ApiError;

/// What a client may say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ClientMessage {
    #[serde(default)]
    pub(super) subscribe: Vec<String>,
    #[serde(default)]
    pub(super) unsubscribe: Vec<String>,
    /// In the first message of a socket that was opened by cookie.
    #[serde(default)]
    pub(super) session_key: Option<String>,
}

/// A topic by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Servers,
    Nodes,
    Status,
    Upgrade,
    Console(String),
    Stats(String),
}

impl Topic {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name.split_once(':') {
            None => match name {
                "servers" => Some(Self::Servers),
                "nodes" => Some(Self::Nodes),
                "status" => Some(Self::Status),
                "upgrade" => Some(Self::Upgrade),
                _ => None,
            },
            Some(("console", id)) if agent::protocol::valid_server_id(id) => {
                Some(Self::Console(id.to_owned()))
            }
            Some(("stats", id)) if agent::protocol::valid_server_id(id) => Some(Self::Stats(id.to_owned())),
            Some(_) => None,
        }
    }
}

#[derive(Serialize)]
struct Data<'a, T> {
    topic: &'a str,
    data: T,
}

#[derive(Serialize)]
struct Refusal<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    error: Detail<'a>,
}

#[derive(Serialize)]
struct Detail<'a> {
    code: &'static str,
    message: &'a str,
}

/// What a list says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Change<'a, T> {
    All(&'a [T]),
    Changed(&'a T),
    Removed(&'a str),
}

/// `{"topic", "data"}`.
pub(super) fn data(topic: &str, data: impl Serialize) -> Utf8Bytes {
    encode(&Data { topic, data })
}

/// `{"topic", "error"}`.
pub(super) fn error(topic: Option<&str>, error: &ApiError) -> Utf8Bytes {
    // A topic that nobody has heard of may be long.
    let short = topic.map(|name| name.char_indices().nth(128).map_or(name, |(end, _)| &name[..end]));
    encode(&Refusal { topic: short, error: Detail { code: error.code().as_str(), message: error.message() } })
}

/// A console's lines, which are encoded already: `{"lines", "reset"?, "partial"?}`.
pub(super) fn lines(server_id: &str, lines: &Lines) -> Utf8Bytes {
    let partial = lines.partial.as_deref().unwrap_or_default();
    let mut text = String::with_capacity(lines.items.len() + partial.len() + server_id.len() + 96);
    // An id holds nothing that JSON would escape.
    for part in ["{\"topic\":\"console:", server_id, "\",\"data\":{\"lines\":[", &lines.items, "]"] {
        text.push_str(part);
    }
    if lines.reset {
        text.push_str(",\"reset\":true");
    }
    if !partial.is_empty() {
        text.push_str(",\"partial\":");
        text.push_str(partial);
    }
    text.push_str("}}");
    Utf8Bytes::from(text)
}

fn encode(value: &impl Serialize) -> Utf8Bytes {
    match serde_json::to_string(value) {
        Ok(text) => Utf8Bytes::from(text),
        Err(cause) => {
            tracing::error!(%cause, "a live message could not be written as JSON");
            Utf8Bytes::from_static("{}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_have_names() {
        assert_eq!(Topic::parse("servers"), Some(Topic::Servers));
        assert_eq!(Topic::parse("upgrade"), Some(Topic::Upgrade));
        assert_eq!(Topic::parse("console:a-1"), Some(Topic::Console("a-1".into())));
        assert_eq!(Topic::parse("stats:a-1"), Some(Topic::Stats("a-1".into())));
        for bad in ["", "server", "console:", "console:../x", "console:A", "files:a", "servers:", ":"] {
            assert_eq!(Topic::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn frames_have_the_shapes_that_scripts_read() {
        let items = r#"{"skipped":3},{"seq":7,"text":"<b>\u001b[31m"}"#;
        let mut all = Lines { items: items.into(), reset: true, partial: None };
        assert_eq!(
            lines("a", &all).as_str(),
            format!(r#"{{"topic":"console:a","data":{{"lines":[{items}],"reset":true}}}}"#)
        );
        all = Lines { partial: Some(r#"{"text":"> "}"#.into()), ..Lines::default() };
        assert_eq!(
            lines("a", &all).as_str(),
            r#"{"topic":"console:a","data":{"lines":[],"partial":{"text":"> "}}}"#
        );
        assert_eq!(
            data("servers", Change::<u8>::Removed("a")).as_str(),
            r#"{"topic":"servers","data":{"removed":"a"}}"#
        );
        assert_eq!(
            data("servers", Change::All(&[1, 2])).as_str(),
            r#"{"topic":"servers","data":{"all":[1,2]}}"#
        );
        assert_eq!(
            error(Some("x"), &ApiError::not_found("topic")).as_str(),
            r#"{"topic":"x","error":{"code":"not_found","message":"There is no such topic."}}"#
        );
        assert!(error(Some(&"é".repeat(9999)), &ApiError::not_found("topic")).len() < 400);
    }
}
