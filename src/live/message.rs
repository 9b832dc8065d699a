//! Messages on the socket: requests of the client and frames for it.

use serde::{Deserialize, Serialize};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::error::ApiError;

/// One encoded message for the client. Cheap to clone.
pub type Frame = Utf8Bytes;

/// A message of a client.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ClientMessage {
    #[serde(default)]
    pub(super) subscribe: Vec<String>,
    #[serde(default)]
    pub(super) unsubscribe: Vec<String>,
    /// Only in the first message of a socket that was opened by cookie.
    #[serde(default)]
    pub(super) session_key: Option<String>,
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

/// A message of a list topic.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change<'a, T> {
    /// All items.
    All(&'a [T]),
    /// An item that is new or has changed.
    Changed(&'a T),
    /// The id of an item that was removed.
    Removed(&'a str),
}

/// `{"topic", "data"}`.
pub fn data(topic: &str, data: impl Serialize) -> Frame {
    encode(&Data { topic, data })
}

/// `{"topic", "error"}`.
pub(super) fn error(topic: Option<&str>, error: &ApiError) -> Frame {
    // An unknown topic may have a long name.
    let short = topic.map(|name| name.char_indices().nth(128).map_or(name, |(end, _)| &name[..end]));
    encode(&Refusal { topic: short, error: Detail { code: error.code().as_str(), message: error.message() } })
}

fn encode(value: &impl Serialize) -> Frame {
    match serde_json::to_string(value) {
        Ok(text) => Frame::from(text),
        Err(cause) => {
            tracing::error!(%cause, "a live message could not be written as JSON");
            Frame::from_static("{}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_shapes_that_scripts_read() {
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
