//! Reads JSON and YAML into a [`Value`], with size limits.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};

use super::Value;

/// Size limits of a document.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Size in bytes.
    pub bytes: usize,
    /// Nesting depth of lists and maps.
    pub depth: usize,
    /// Number of scalars, lists and maps, after YAML aliases are expanded.
    pub nodes: usize,
}

/// Why a document could not be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// Error message for the user.
    pub message: String,
    /// Line number, from 1; `None` if unknown.
    pub line: Option<usize>,
}

impl ParseError {
    /// An error without a line number.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), line: None }
    }
}

/// Parses a JSON document.
pub fn from_json(text: &str, limits: &Limits) -> Result<Value, ParseError> {
    check_size(text, limits)?;
    // serde_json itself refuses more than 128 levels.
    let value: Value = serde_json::from_str(text).map_err(|error| ParseError {
        message: without_place(&error.to_string()),
        line: Some(error.line()),
    })?;
    check_shape(&value, limits)?;
    Ok(value)
}

/// Parses a YAML document.
pub fn from_yaml(text: &str, limits: &Limits) -> Result<Value, ParseError> {
    check_size(text, limits)?;
    let value: Value = serde_saphyr::from_str_with_options(text, yaml_options(limits)).map_err(|error| {
        let error = error.without_snippet();
        ParseError {
            message: without_place(error.to_string().lines().next().unwrap_or_default()),
            line: error.location().and_then(|place| usize::try_from(place.line()).ok()),
        }
    })?;
    check_shape(&value, limits)?;
    Ok(value)
}

fn yaml_options(limits: &Limits) -> serde_saphyr::Options {
    let budget = serde_saphyr::budget! {
        max_depth: limits.depth,
        flow_nesting_limit: limits.depth + 1,
        max_nodes: limits.nodes,
        max_events: limits.nodes.saturating_mul(3),
        max_documents: 1,
        max_anchors: 1_000,
        max_aliases: 1_000,
        max_recorded_anchor_bytes: limits.bytes,
        max_total_scalar_bytes: limits.bytes.saturating_mul(2),
    };
    serde_saphyr::options! {
        budget: budget,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        strict_booleans: true,
        null_as_string: false,
        ignore_binary_tag_for_string: true,
    }
}

fn check_size(text: &str, limits: &Limits) -> Result<(), ParseError> {
    if text.len() > limits.bytes {
        return Err(ParseError::new(format!("it has more than {} bytes", limits.bytes)));
    }
    Ok(())
}

fn check_shape(value: &Value, limits: &Limits) -> Result<(), ParseError> {
    let mut nodes = 0_usize;
    let mut waiting = vec![(value, 1_usize)];
    while let Some((value, depth)) = waiting.pop() {
        nodes += 1;
        if depth > limits.depth {
            return Err(ParseError::new(format!("it is nested more than {} levels deep", limits.depth)));
        }
        if nodes > limits.nodes {
            return Err(ParseError::new(format!("it has more than {} values", limits.nodes)));
        }
        match value {
            Value::List(list) => waiting.extend(list.iter().map(|child| (child, depth + 1))),
            Value::Map(entries) => waiting.extend(entries.iter().map(|(_, child)| (child, depth + 1))),
            _ => {}
        }
    }
    Ok(())
}

/// Removes the position that the parsers append to the message: [`ParseError::line`] has it.
fn without_place(message: &str) -> String {
    message.split(" at line ").next().unwrap_or_default().chars().filter(|char| !char.is_control()).collect()
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| Value::String(value.to_string()), Value::Int))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| Value::String(value.to_string()), Value::Int))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| Value::String(value.to_string()), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        // JSON has no NaN or infinity.
        Ok(if value.is_finite() { Value::Float(value) } else { Value::String(value.to_string()) })
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(Value::String(String::from_utf8_lossy(value).into_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = access.next_element()? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(Key(key)) = access.next_key()? {
            entries.push((key, access.next_value()?));
        }
        Ok(Value::Map(entries))
    }
}

/// A key as text. YAML keys may be any scalar, such as `25565: x`.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Key)
    }
}
