//! Lenient deserialization: other implementations send numbers as text, times as numbers, and less than half of the
//! specified fields. None of that may invalidate a message.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Stats, Stream};

/// An integer from anything that looks like one; 0 otherwise.
fn whole(value: &Value) -> i64 {
    match value {
        Value::Number(number) => number.as_i64().unwrap_or_else(|| {
            // Saturates; NaN becomes 0.
            number.as_f64().map_or(0, |float| float as i64)
        }),
        Value::String(text) => text.trim().parse::<f64>().map_or(0, |float| float as i64),
        Value::Bool(yes) => i64::from(*yes),
        _ => 0,
    }
}

pub(super) fn signed<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    Value::deserialize(from).map(|value| whole(&value))
}

pub(super) fn unsigned<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(value.as_u64().unwrap_or_else(|| u64::try_from(whole(&value)).unwrap_or(0)))
}

pub(super) fn fraction<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let number = match Value::deserialize(from)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    Ok(number.filter(|number| number.is_finite()).unwrap_or(0.0))
}

/// An invalid time becomes the current time.
pub(super) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) => text.parse().unwrap_or_else(|_| Timestamp::now()),
        _ => Timestamp::now(),
    })
}

fn as_text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

pub(super) fn text<'de, D: Deserializer<'de>, T: From<String>>(from: D) -> Result<T, D::Error> {
    Value::deserialize(from).map(|value| as_text(value).unwrap_or_default().into())
}

pub(super) fn text_or_nothing<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Value::deserialize(from).map(as_text)
}

/// Name to value, where values may also be numbers and booleans.
pub(super) fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let all = Option::<BTreeMap<String, Value>>::deserialize(from)?.unwrap_or_default();
    Ok(all.into_iter().map(|(name, value)| (name, as_text(value).unwrap_or_default())).collect())
}

/// Like [`texts`], for a map that may be missing.
pub(super) fn texts_or_nothing<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<BTreeMap<String, String>>, D::Error> {
    texts(from).map(Some)
}

/// Invalid stats are dropped, since the status they came with matters.
pub(super) fn stats<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Stats>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(if value.is_object() { serde_json::from_value(value).ok() } else { None })
}

/// An unknown stream counts as the game's output.
pub(super) fn stream<'de, D: Deserializer<'de>>(from: D) -> Result<Stream, D::Error> {
    Ok(match Value::deserialize(from)?.as_str() {
        Some("stderr") => Stream::Stderr,
        Some("system") => Stream::System,
        _ => Stream::Stdout,
    })
}
