//! The envelope of every message, and decoding in two steps: first the envelope, then the data according to its type.
//! So one unknown message never ends the link.

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::bounded::{Frame, Inbound};
use super::codes::ErrorCode;
use super::text::TextRule;

/// `{"type", "data"?, "messageId"?, "timestamp"}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope<M> {
    /// The message: `type` and `data`.
    #[serde(flatten)]
    pub message: M,
    /// Present on requests that expect an answer, and on that answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// When it was sent; only for display, never to be compared with our clock.
    pub timestamp: Timestamp,
}

impl<M> Envelope<M> {
    /// A message that is not part of a request.
    pub fn new(message: M) -> Self {
        Self { message, message_id: None, timestamp: Timestamp::now() }
    }

    /// A request, or the answer to one.
    pub fn with_id(message: M, id: impl Into<String>) -> Self {
        Self { message, message_id: Some(id.into()), timestamp: Timestamp::now() }
    }
}

/// Why a frame could not be decoded. The link survives all of these.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Invalid JSON, no object, or no `type`.
    #[error("not a message: {0}")]
    NotAMessage(String),
    /// A type that this side does not support.
    #[error("unknown message type {kind:?}")]
    UnknownType {
        /// The `type` as received, cut to 64 characters.
        kind: String,
        /// The id for the answer `UNKNOWN_TYPE`.
        message_id: Option<String>,
    },
    /// A known type with invalid data.
    #[error("bad data in {kind:?}: {cause}")]
    BadData {
        /// The `type`.
        kind: String,
        /// What is wrong with it.
        cause: String,
        /// The id for the answer `BAD_MESSAGE`.
        message_id: Option<String>,
    },
}

impl DecodeError {
    /// The error code for the answer.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownType { .. } => ErrorCode::UnknownType,
            Self::NotAMessage(_) | Self::BadData { .. } => ErrorCode::BadMessage,
        }
    }

    /// The `type`, for counting; empty if there is none.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::NotAMessage(_) => "",
            Self::UnknownType { kind, .. } | Self::BadData { kind, .. } => kind,
        }
    }

    /// The id of the message to answer.
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        match self {
            Self::NotAMessage(_) => None,
            Self::UnknownType { message_id, .. } | Self::BadData { message_id, .. } => message_id.as_deref(),
        }
    }
}

/// The second step: decodes the data according to the type.
pub(super) fn open<M: Inbound>(frame: Frame) -> Result<Envelope<M>, DecodeError> {
    let Frame { kind, data, message_id, timestamp, too_large } = frame;
    if M::limits(&kind).is_none() {
        return Err(DecodeError::UnknownType { kind, message_id });
    }
    let read = match too_large {
        true => Err("it is larger than a message of this type may be".to_owned()),
        false => read_message(&kind, data),
    };
    let read = read.and_then(|mut message: M| {
        message.bound()?;
        Ok(message)
    });
    let message = match read {
        Ok(message) => message,
        Err(mut cause) => {
            // It may quote the received data, however long.
            TextRule::line(256).apply(&mut cause);
            return Err(DecodeError::BadData { kind, cause, message_id });
        }
    };
    Ok(Envelope { message, message_id, timestamp: timestamp.unwrap_or_else(Timestamp::now) })
}

/// Serde's adjacent tagging requires `data` for a struct and rejects it for a unit; peers send `{}` or nothing for
/// both.
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
