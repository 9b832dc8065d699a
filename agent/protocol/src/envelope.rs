//! The frame around every message, and decoding in two steps: first the frame, then what its type says. So one
//! message that we do not know never costs the link.

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
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownType { .. } => ErrorCode::UnknownType,
            Self::NotAMessage(_) | Self::BadData { .. } => ErrorCode::BadMessage,
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

/// The second step: what the frame's type says of its data.
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
            // It may quote what was sent, however long that is.
            TextRule::line(256).apply(&mut cause);
            return Err(DecodeError::BadData { kind, cause, message_id });
        }
    };
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
