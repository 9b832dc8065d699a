//! The frame around every message, and decoding in two steps: first the frame, then what its type says. So one
//! message that we do not know never costs the link.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::wire::Encoding;

/// `{"type", "data"?, "messageId"?, "timestamp"}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope<M> {
    /// The message: `type` and `data`.
    #[serde(flatten)]
    pub message: M,
    /// Present on requests that want an answer, and on that answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// When it was sent; for display only, never to compare with our clock.
    pub timestamp: Timestamp,
}

impl<M> Envelope<M> {
    /// A message that belongs to no request.
    pub fn new(message: M) -> Self {
        Self { message, message_id: None, timestamp: Timestamp::now() }
    }

    /// A request, or the answer to one.
    pub fn with_id(message: M, id: impl Into<String>) -> Self {
        Self { message, message_id: Some(id.into()), timestamp: Timestamp::now() }
    }
}

/// Why a frame could not be taken. The link survives all of them.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No JSON, or no object, or no `type`.
    #[error("not a message: {0}")]
    NotAMessage(String),
    /// A type that this side does not take.
    #[error("unknown message type {kind:?}")]
    UnknownType {
        /// The `type` as it stood there, cut to 64 characters.
        kind: String,
        /// To answer with `UNKNOWN_TYPE`.
        message_id: Option<String>,
    },
    /// A known type with data that does not fit.
    #[error("bad data in {kind:?}: {cause}")]
    BadData {
        /// The `type`.
        kind: String,
        /// What is wrong with it.
        cause: String,
        /// To answer with `BAD_MESSAGE`.
        message_id: Option<String>,
    },
}

impl DecodeError {
    /// The code of the answer to it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownType { .. } => "UNKNOWN_TYPE",
            Self::NotAMessage(_) | Self::BadData { .. } => "BAD_MESSAGE",
        }
    }

    /// What it was, for counting: the `type`, empty where there is none.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::NotAMessage(_) => "",
            Self::UnknownType { kind, .. } | Self::BadData { kind, .. } => kind,
        }
    }

    /// Whose answer it becomes.
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        match self {
            Self::NotAMessage(_) => None,
            Self::UnknownType { message_id, .. } | Self::BadData { message_id, .. } => message_id.as_deref(),
        }
    }
}

/// An envelope whose data is not looked at yet.
#[derive(Deserialize)]
pub(super) struct Frame {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Value,
    #[serde(default, rename = "messageId", deserialize_with = "string_or_nothing")]
    message_id: Option<String>,
    #[serde(default, deserialize_with = "timestamp_or_now")]
    timestamp: Option<Timestamp>,
}

fn string_or_nothing<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) if !text.is_empty() && text.len() <= 128 => Some(text),
        _ => None,
    })
}

fn timestamp_or_now<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) => text.parse().ok(),
        _ => None,
    })
}

/// Takes one JSON frame. Lenient, as the protocol asks: `data`, `messageId` and `timestamp` may be missing, a bad
/// timestamp is replaced by the time of receipt, unknown keys are ignored.
///
/// # Errors
/// [`DecodeError`], none of which is a reason to close the link.
pub fn decode<M: DeserializeOwned>(frame: &[u8]) -> Result<Envelope<M>, DecodeError> {
    Encoding::Json.decode(frame)
}

/// The second step: what the frame's type says of its data.
pub(super) fn open<M: DeserializeOwned>(frame: Frame) -> Result<Envelope<M>, DecodeError> {
    let Frame { kind, data, message_id, timestamp } = frame;
    let message = read_message(&kind, data).map_err(|cause| {
        let unknown = cause.starts_with(&format!("unknown variant `{kind}`"));
        // It may quote what was sent, however long that is.
        let cause: String = cause.chars().take(256).collect();
        let kind: String = kind.chars().take(64).collect();
        let message_id = message_id.clone();
        if unknown {
            DecodeError::UnknownType { kind, message_id }
        } else {
            DecodeError::BadData { kind, cause, message_id }
        }
    })?;
    Ok(Envelope { message, message_id, timestamp: timestamp.unwrap_or_else(Timestamp::now) })
}

/// Adjacent tagging wants `data` for a struct and refuses it for a unit; peers send `{}` or nothing for both.
fn read_message<M: DeserializeOwned>(kind: &str, data: Value) -> Result<M, String> {
    let bare = serde_json::json!({ "type": kind });
    if (data.is_null() || data.as_object().is_some_and(serde_json::Map::is_empty))
        && let Ok(message) = serde_json::from_value(bare)
    {
        return Ok(message);
    }
    let data = if data.is_null() { Value::Object(serde_json::Map::new()) } else { data };
    serde_json::from_value(serde_json::json!({ "type": kind, "data": data })).map_err(|e| e.to_string())
}
